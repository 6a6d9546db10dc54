// Package surroundings detects the isolation in which the program runs, and what the program may do there.
package surroundings

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/files"
	"github.com/tunadm/tunadm/internal/fix"
)

// A Kind is the kind of isolation in which the program runs, as far as it can be detected.
type Kind uint8

// The surroundings. If several apply, the first of Container, UserNamespace and Chroot is used.
const (
	Machine       Kind = iota // no isolation
	Container                 // started by a container manager
	UserNamespace             // a user namespace whose root is not root of the machine
	Chroot                    // another root directory
)

// Here returns the isolation in which the program runs.
func Here() Kind {
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
func (k Kind) String() string {
	return [...]string{"", "in this container", "in this user namespace", "in this chroot"}[k]
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

// KernelSince reports whether the kernel has at least this version.
func KernelSince(major, minor int) bool {
	var u unix.Utsname
	has := [2]int{}
	if err := unix.Uname(&u); err != nil {
		return false
	}
	_, _ = fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &has[0], &has[1])
	return slices.Compare(has[:], []int{major, minor}) >= 0
}

// MayConfigure reports whether the thread has CAP_NET_ADMIN.
func MayConfigure() bool {
	var data [2]unix.CapUserData
	err := unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0])
	return err == nil && data[0].Effective&(1<<unix.CAP_NET_ADMIN) != 0
}

// Grant returns the fix for a missing capability, which is named as in NET_ADMIN. otherwise is the sentence for root
// outside of a container.
func Grant(capability, otherwise string) fix.Fix {
	lacks := "root here lacks CAP_" + capability + ": "
	switch {
	case os.Geteuid() != 0:
		return fix.Sentence("run it as root")
	case Here() == Container:
		return fix.Sentence(lacks + "start the container with --cap-add " + capability)
	}
	return fix.Sentence(lacks + otherwise)
}

// Inspecting returns the fix for a process that this user may not inspect.
func Inspecting() fix.Fix {
	if os.Geteuid() == 0 {
		return fix.Sentence("root here lacks CAP_SYS_PTRACE over the user namespace of that process: " +
			"run it outside the container")
	}
	return fix.Sentence("run it as root")
}

// AsRoot returns the fix for a missing CAP_NET_ADMIN.
func AsRoot() fix.Fix {
	if os.Geteuid() == 0 && Here() == UserNamespace {
		return fix.Sentence("root here has no CAP_NET_ADMIN over this network namespace, " +
			"which belongs to another user namespace: " +
			"create one with unshare -n")
	}
	return Grant("NET_ADMIN", "grant it over this network namespace, or run it outside the container")
}
