package netcfg

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// A Surrounding is what keeps the program from the machine itself, as far as it shows.
type Surrounding uint8

// The surroundings, the narrowest that shows.
const (
	Machine       Surrounding = iota // nothing does
	Container                        // a container manager
	UserNamespace                    // a user namespace in which root is not the machine's
	Chroot                           // another root directory
)

// Surroundings says what the program runs in.
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

// firstPIDs is the inode of the machine's own namespace of processes, the kernel's PROC_PID_INIT_INO.
const firstPIDs = 0xeffffffc

// String is where something is missing, in words; "" for the machine.
func (s Surrounding) String() string {
	return [...]string{"", "in this container", "in this user namespace", "in this chroot"}[s]
}

// inContainer looks for what systemd's container interface, podman and docker leave. What docker leaves is also in the image of a virtual
// machine that was made of a container.
func inContainer() bool {
	for _, path := range []string{"/run/systemd/container", "/run/.containerenv"} {
		if _, err := os.Stat(path); err == nil {
			return true
		}
	}
	_, err := os.Stat("/.dockerenv")
	return os.Getenv("container") != "" || err == nil && namespaceOf("/proc/self/ns/pid") != firstPIDs
}

func inUserNamespace() bool {
	b, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && strings.Join(strings.Fields(string(b)), " ") != "0 0 4294967295"
}

// inChroot says whether the root is another one than that of process 1, which few may look at, or no mount at all.
func inChroot() bool {
	var here, first unix.Stat_t
	if unix.Stat("/", &here) == nil && unix.Stat("/proc/1/root", &first) == nil {
		return here.Ino != first.Ino || here.Dev != first.Dev
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
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

// makeNode is what gives this surrounding the driver's node.
func (s Surrounding) makeNode() Fix {
	switch s {
	case Container:
		return Sentence("start the container with --device /dev/net/tun")
	case UserNamespace:
		return Sentence("a node cannot be made in here: bind that of the machine, as --device /dev/net/tun of podman does")
	}
	clear := ByRoot("mkdir", "-p", "/dev/net")
	if _, err := os.Lstat(driver); err == nil {
		clear = ByRoot("rm", "-r", driver)
	}
	return Run(clear, ByRoot("mknod", driver, "c", "10", "200"), ByRoot("chmod", "0666", driver))
}

// allowNode is what lifts the ban of a device cgroup.
func (s Surrounding) allowNode() Fix {
	if s == Container {
		return Sentence("start the container with --device /dev/net/tun")
	}
	return Sentence("write DeviceAllow=/dev/net/tun rw into the unit that this runs in")
}

// loadDriver is what brings the driver into the kernel.
func loadDriver() Fix {
	load := Run(ByRoot("modprobe", "tun"))
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return load
	}
	release := unix.ByteSliceToString(u.Release[:])
	if _, err := os.Stat("/lib/modules"); err == nil {
		if _, err := os.Stat("/lib/modules/" + release); err != nil {
			return Sentence("reboot: the modules of the kernel that runs (" + release + ") are gone, as after an upgrade")
		}
	}
	if Surroundings() == Container {
		return Sentence("modprobe tun on the machine, outside the container")
	}
	return load
}
