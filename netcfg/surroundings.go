package netcfg

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/files"
	"github.com/tunadm/tunadm/internal/fix"
)

// A Surrounding is the kind of isolation in which the program runs, as far as it can be detected.
type Surrounding uint8

// The surroundings. If several apply, the first of Container, UserNamespace and Chroot is used.
const (
	Machine       Surrounding = iota // no isolation
	Container                        // started by a container manager
	UserNamespace                    // a user namespace whose root is not root of the machine
	Chroot                           // another root directory
)

// Surroundings returns the isolation in which the program runs.
func Surroundings() Surrounding {
	switch {
	case inContainer():
		return Container
	case inUserNamespace():
		return UserNamespace
	case inChroot():
		return Chroot
	}
	return Machine
}

// firstPIDs is the inode of the machine's own PID namespace, the kernel's PROC_PID_INIT_INO.
const firstPIDs = 0xeffffffc

// String returns the place as a phrase for an error; "" for the machine.
func (s Surrounding) String() string {
	return [...]string{"", "in this container", "in this user namespace", "in this chroot"}[s]
}

// inContainer looks for the files of systemd's container interface, podman and docker. The file of docker also exists
// in a virtual machine whose image was built from a container, so the PID namespace must differ too.
func inContainer() bool {
	for _, path := range []string{"/run/systemd/container", "/run/.containerenv"} {
		if _, err := os.Stat(path); err == nil {
			return true
		}
	}
	_, err := os.Stat("/.dockerenv")
	return os.Getenv("container") != "" || err == nil && files.Inode("/proc/self/ns/pid") != firstPIDs
}

// inUserNamespace reports whether the program runs in a user namespace that does not map every UID to itself.
func inUserNamespace() bool {
	b, err := files.Read("/proc/self/uid_map")
	return err == nil && strings.Join(strings.Fields(string(b)), " ") != "0 0 4294967295"
}

// inChroot reports whether the root directory differs from that of process 1. If this user may not inspect process 1,
// it reports whether the root directory is not a mount point.
func inChroot() bool {
	var here, first unix.Stat_t
	if unix.Stat("/", &here) == nil && unix.Stat("/proc/1/root", &first) == nil {
		return here.Ino != first.Ino || here.Dev != first.Dev
	}
	mounts, err := files.Read("/proc/self/mountinfo")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 4 && fields[4] == "/" {
			return false
		}
	}
	return true
}

// makeNode returns the fix for a missing driver's node.
func (s Surrounding) makeNode() fix.Fix {
	switch s {
	case Container:
		return fix.Sentence("start the container with --device /dev/net/tun")
	case UserNamespace:
		return fix.Sentence("a user namespace cannot create a node: " +
			"bind-mount that of the machine, as podman --device /dev/net/tun does")
	}
	clear := fix.ByRoot("mkdir", "-p", "/dev/net")
	if _, err := os.Lstat(driver); err == nil {
		clear = fix.ByRoot("rm", "-r", driver)
	}
	return fix.Run(clear, fix.ByRoot("mknod", driver, "c", "10", "200"), fix.ByRoot("chmod", "0666", driver))
}

// allowNode returns the fix for a device cgroup that forbids the node.
func (s Surrounding) allowNode() fix.Fix {
	if s == Container {
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
	if Surroundings() == Container {
		return fix.Sentence("run modprobe tun on the machine, outside the container")
	}
	return load
}
