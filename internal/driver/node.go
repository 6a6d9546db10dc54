// Package driver calls the TUN/TAP driver: its node, the ioctls of its queues, and the state of a device that only
// ethtool and sysfs report.
package driver

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/files"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/holders"
	"github.com/tunadm/tunadm/internal/surroundings"
	"github.com/tunadm/tunadm/internal/words"
	"golang.org/x/sys/unix"
)

// Path is the node through which devices are created and attached to.
const Path = "/dev/net/tun"

// Open opens a node of the driver in the thread's network namespace. It marks the descriptor as one that tunadm holds
// to observe or change a device. The error is a [*cause.Error].
func Open(node string) (int, error) {
	var fd int
	var err error
	if node != Path {
		fd, err = openNode(node)
	} else {
		fd, err = unix.Open(node, unix.O_RDWR|unix.O_CLOEXEC|holders.ClaimMark, 0)
	}
	if err != nil {
		return -1, openError(node, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || !isNode(&st) {
		unix.Close(fd)
		return -1, openError(node, unix.ENOTTY)
	}
	return fd, nil
}

// openNode opens a file if it is the driver's node.
func openNode(path string) (int, error) {
	return files.OpenChecked(path, unix.O_RDWR|holders.ClaimMark, func(st *unix.Stat_t, _ *unix.Statfs_t) error {
		if !isNode(st) {
			return unix.ENOTTY
		}
		return nil
	})
}

// IsNode reports whether a path leads to the driver's node.
func IsNode(path string) bool {
	var st unix.Stat_t
	return unix.Stat(path, &st) == nil && isNode(&st)
}

// isNode reports whether a file is the driver's node, at any path.
func isNode(st *unix.Stat_t) bool {
	return st.Mode&unix.S_IFMT == unix.S_IFCHR && uint64(st.Rdev) == unix.Mkdev(holders.Major, holders.Minor)
}

// openError returns the reason why a node of the driver could not be opened.
func openError(node string, err error) error {
	e := &cause.Error{What: words.Escape(node), Err: err}
	if node != Path { // the user chose this path
		if errors.Is(err, unix.ENOTTY) {
			e.Detail = "not the tun driver's node"
		}
		return e
	}
	var st unix.Stat_t
	statErr := unix.Stat(Path, &st)
	isNode := statErr == nil && isNode(&st)
	switch {
	case errors.Is(err, unix.ENOENT):
		where := surroundings.Here()
		e.Cause, e.Fix = cause.NodeMissing, makeNode(where)
		if where != surroundings.Machine {
			e.Detail = "no such node " + where.String()
		}
		if !driverLoaded() {
			e.Cause, e.Fix, e.Detail = cause.DriverMissing, loadDriver(), ""
		}
	case errors.Is(err, unix.ENODEV) && isNode:
		e.Cause, e.Fix = cause.DriverMissing, loadDriver()
	case errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV), statErr == nil && !isNode:
		e.Cause, e.Fix = cause.NodeWrong, makeNode(surroundings.Here())
	case errors.Is(err, unix.EPERM): // the file's mode would give EACCES: this is a device cgroup
		e.Cause, e.Detail = cause.NodeForbidden, "a device cgroup forbids it"
		e.Fix = allowNode(surroundings.Here())
	case errors.Is(err, unix.EACCES) && OnNodev():
		e.Cause, e.Detail = cause.NodeForbidden, "its file system is mounted nodev"
		e.Fix = fix.Run(fix.ByRoot("mount", "-o", "remount,dev", mountPoint(Path)))
	case errors.Is(err, unix.EACCES) && permitted():
		e.Cause = cause.NodeForbidden
		e.Detail, e.Fix = securityModule()
	case errors.Is(err, unix.EACCES):
		return ModeForbids()
	}
	return e
}

// ModeForbids returns the error of a user whom the mode of the node, or of a directory above it, keeps out.
func ModeForbids() error {
	return &cause.Error{What: words.Escape(Path), Err: unix.EACCES, Cause: cause.NodeForbidden,
		Fix: fix.Run(openWay()).For(os.Geteuid() == 0)}
}

// openWay returns the command that lets every user open the node, or reach it.
func openWay() fix.Command {
	for _, dir := range []string{"/dev", filepath.Dir(Path)} {
		var st unix.Stat_t
		if unix.Stat(dir, &st) == nil && st.Mode&1 == 0 {
			return fix.ByRoot("chmod", "a+rx", dir)
		}
	}
	return fix.ByRoot("chmod", "0666", Path)
}

// OnNodev reports whether the driver's node is on a file system mounted with nodev.
func OnNodev() bool {
	var fs unix.Statfs_t
	return unix.Statfs(Path, &fs) == nil && fs.Flags&unix.ST_NODEV != 0
}

// mountPoint returns the directory at which the file system of a path is mounted.
func mountPoint(path string) string {
	var here, above unix.Stat_t
	for path != "/" {
		if unix.Stat(path, &here) != nil || unix.Stat(filepath.Dir(path), &above) != nil || here.Dev != above.Dev {
			break
		}
		path = filepath.Dir(path)
	}
	return path
}

// driverLoaded reports whether the kernel has the driver, or may load it when the node is opened.
func driverLoaded() bool {
	misc, err := files.Read("/proc/misc")
	return err != nil || strings.Contains(string(misc), "200 tun\n")
}

// makeNode returns the fix for a missing driver's node.
func makeNode(s surroundings.Kind) fix.Fix {
	switch s {
	case surroundings.Container:
		return fix.Sentence("start the container with --device /dev/net/tun")
	case surroundings.UserNamespace:
		return fix.Sentence("a user namespace cannot create a node: " +
			"bind-mount that of the machine, as podman --device /dev/net/tun does")
	}
	clear := fix.ByRoot("mkdir", "-p", "/dev/net")
	if _, err := os.Lstat(Path); err == nil {
		clear = fix.ByRoot("rm", "-r", Path)
	}
	return fix.Run(clear, fix.ByRoot("mknod", Path, "c", "10", "200"), fix.ByRoot("chmod", "0666", Path))
}

// allowNode returns the fix for a device cgroup that forbids the node.
func allowNode(s surroundings.Kind) fix.Fix {
	if s == surroundings.Container {
		return fix.Sentence("start the container with --device /dev/net/tun")
	}
	return fix.Sentence("add DeviceAllow=/dev/net/tun rw to the systemd unit of this program")
}

// loadDriver returns the fix for a kernel without the driver.
func loadDriver() fix.Fix {
	load := fix.Run(fix.ByRoot("modprobe", "tun"))
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return load
	}
	release := unix.ByteSliceToString(u.Release[:])
	if _, err := os.Stat("/lib/modules"); err == nil {
		if _, err := os.Stat("/lib/modules/" + release); err != nil {
			return fix.Sentence("reboot: the modules of the running kernel (" + release +
				") were removed, as after an upgrade")
		}
	}
	if surroundings.Here() == surroundings.Container {
		return fix.Sentence("run modprobe tun on the machine, outside the container")
	}
	return load
}
