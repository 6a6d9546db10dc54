package driver

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// The flags of a device that only sysfs reports, as [Sysfs.Flags] returns them.
const (
	FlagOneQueue  = unix.IFF_ONE_QUEUE
	flagNAPI      = unix.IFF_NAPI
	FlagNAPIFrags = unix.IFF_NAPI_FRAGS
)

// A Sysfs is the sysfs of one network namespace. Its zero value is not mounted yet.
type Sysfs struct{ fd int }

// Close closes the mount.
func (s *Sysfs) Close() {
	if s.fd > 0 {
		unix.Close(s.fd)
	}
}

// Flags returns the flags of a device that netlink does not report, or 0 if the name now belongs to another device.
func (s *Sysfs) Flags(name string, index int) uint16 {
	var now int
	var flags uint16
	if s.read(name, "tun_flags", "0x%x", &flags) != nil ||
		s.read(name, "ifindex", "%d", &now) != nil || now != index {
		return 0
	}
	return flags & (FlagOneQueue | flagNAPI | FlagNAPIFrags)
}

// GivenMAC reports whether a program set the device's MAC address. The kernel's own is random.
func (s *Sysfs) GivenMAC(name string) bool {
	const set = 3 // NET_ADDR_SET
	var how int
	return s.read(name, "addr_assign_type", "%d", &how) == nil && how == set
}

// read reads an attribute of a device from sysfs.
func (s *Sysfs) read(name, attribute, format string, value any) error {
	root, err := s.root()
	if err != nil {
		return err
	}
	fd, err := unix.Openat(root, "class/net/"+name+"/"+attribute, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	b := make([]byte, 32)
	n, err := unix.Read(fd, b)
	if err == nil {
		_, err = fmt.Sscanf(string(b[:n]), format, value)
	}
	return err
}

// root returns a detached mount of sysfs for the network namespace of the thread, mounted on first use. For an
// ordinary user, who enters no namespace, it is /sys.
func (s *Sysfs) root() (int, error) {
	if s.fd != 0 {
		return s.fd, nil
	}
	fd, err := mountSysfs()
	if err != nil {
		fd, err = unix.Open("/sys", unix.O_PATH|unix.O_CLOEXEC, 0)
	}
	if err == nil {
		s.fd = fd
	}
	return fd, err
}

func mountSysfs() (int, error) {
	config, err := unix.Fsopen("sysfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(config)
	if err := unix.FsconfigCreate(config); err != nil {
		return -1, err
	}
	return unix.Fsmount(config, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_RDONLY)
}
