package netcfg

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// The flags of a device that only sysfs reports, as [Namespace.StoredFlags] returns them.
const (
	FlagOneQueue  = unix.IFF_ONE_QUEUE
	flagNAPI      = unix.IFF_NAPI
	flagNAPIFrags = unix.IFF_NAPI_FRAGS
)

// StoredFlags returns the flags of a device that netlink does not report. They mean nothing while no program is
// attached, but attaching without them would change what ip tuntap shows. Without a sysfs of this network namespace it
// returns 0.
func (ns *Namespace) StoredFlags(d *Device) uint16 {
	var index int
	var flags uint16
	if ns.readAttribute(d, "tun_flags", "0x%x", &flags) != nil ||
		ns.readAttribute(d, "ifindex", "%d", &index) != nil || index != d.Index {
		return 0
	}
	return flags & (FlagOneQueue | flagNAPI | flagNAPIFrags)
}

// readAttribute reads an attribute of a device from sysfs.
func (ns *Namespace) readAttribute(d *Device, attribute, format string, value any) error {
	root, err := ns.sysfs()
	if err != nil {
		return err
	}
	fd, err := unix.Openat(root, "class/net/"+d.Name+"/"+attribute, unix.O_RDONLY|unix.O_CLOEXEC, 0)
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

// sysfs returns a detached mount of sysfs for the network namespace of the thread, mounted on first use. For an
// ordinary user, who enters no namespace, it is /sys.
func (ns *Namespace) sysfs() (int, error) {
	if ns.sysfsFD != 0 {
		return ns.sysfsFD, nil
	}
	fd, err := mountSysfs()
	if err != nil {
		fd, err = unix.Open("/sys", unix.O_PATH|unix.O_CLOEXEC, 0)
	}
	if err == nil {
		ns.sysfsFD = fd
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
