package driver

import (
	"strconv"
	"unsafe"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/link"
	"golang.org/x/sys/unix"
)

// Flags are the flags of TUNSETIFF that belong to a device or a queue.
type Flags struct {
	Mode                              link.Mode
	PI, VnetHdr, OneQueue, MultiQueue bool
}

// Bits returns the flags as the driver takes them.
func (f Flags) Bits() uint16 {
	bits := uint16(f.Mode)
	for _, flag := range []struct {
		set bool
		bit uint16
	}{
		{!f.PI, unix.IFF_NO_PI}, {f.VnetHdr, unix.IFF_VNET_HDR}, {f.OneQueue, unix.IFF_ONE_QUEUE},
		{f.MultiQueue, unix.IFF_MULTI_QUEUE},
	} {
		if flag.set {
			bits |= flag.bit
		}
	}
	return bits
}

// MakeRoom makes room for n more descriptors at once. By default the kernel doubles the table as it fills, and in a
// process of several threads it waits some 5 ms each time (synchronize_rcu).
func MakeRoom(n int) {
	if fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, n); err == nil {
		unix.Close(fd)
	}
}

// SetInterface attaches a descriptor to a device, or creates the device (TUNSETIFF).
func SetInterface(fd int, name string, flags uint16) error {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	ifr.SetUint16(flags)
	return unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr)
}

// Interface returns the name and the flags of a descriptor's device.
func Interface(fd int) (name string, flags uint16, err error) {
	ifr, err := unix.NewIfreq("")
	if err != nil {
		return "", 0, err
	}
	err = unix.IoctlIfreq(fd, unix.TUNGETIFF, ifr)
	return ifr.Name(), ifr.Uint16(), err
}

// TurnOnCarrier turns on the carrier of the device to which the descriptor of a queue is attached.
func TurnOnCarrier(queue int) error { return unix.IoctlSetPointerInt(queue, unix.TUNSETCARRIER, 1) }

// DisableQueue disables an attached queue of a multi-queue device, if it is not disabled already: the kernel passes no
// packet to it, but keeps the device as if the queue were in use.
func DisableQueue(queue int) error {
	ifr, err := unix.NewIfreq("")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_DETACH_QUEUE)
	err = unix.IoctlIfreq(queue, unix.TUNSETQUEUE, ifr)
	if _, _, gone := Interface(queue); err == unix.EINVAL && gone == nil {
		return nil
	}
	return err
}

// KnowsNoCarrier reports whether the driver knows IFF_NO_CARRIER (Linux 6.1). The error is a [*cause.Error].
func KnowsNoCarrier(fd int) (bool, error) {
	features, err := unix.IoctlGetUint32(fd, unix.TUNGETFEATURES)
	if err != nil {
		return false, &cause.Error{What: "read the features of the driver", Err: err}
	}
	return features&unix.IFF_NO_CARRIER != 0, nil
}

// SetMAC sets the MAC address of the attached device.
func SetMAC(fd int, mac []byte) error {
	var ifr struct {
		_      [unix.IFNAMSIZ]byte
		family uint16
		mac    [22]byte
	}
	ifr.family = unix.ARPHRD_ETHER
	copy(ifr.mac[:], mac)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCSIFHWADDR, uintptr(unsafe.Pointer(&ifr)))
	if errno != 0 {
		return errno
	}
	return nil
}

// HeaderUsual is the length in bytes of the virtio header before each packet, if the queue has one.
const HeaderUsual = 10

// HeaderSize returns the length in bytes of the virtio header, or -1 if the kernel does not report it.
func HeaderSize(fd int) int {
	if n, err := unix.IoctlGetUint32(fd, unix.TUNGETVNETHDRSZ); err == nil {
		return int(n)
	}
	return -1
}

// Renew resets the settings of the attached device that a program may leave behind and the kernel does not report.
func Renew(fd int, tap bool) error {
	const unlimited = 1<<31 - 1
	type setting struct {
		request uint
		value   int
	}
	settings := []setting{
		{unix.TUNSETSNDBUF, unlimited}, {unix.TUNSETVNETLE, 0}, {unix.TUNSETCARRIER, 0},
		{unix.TUNSETSTEERINGEBPF, -1}, {unix.TUNSETFILTEREBPF, -1},
	}
	if tap {
		settings = append(settings, setting{unix.TUNSETTXFILTER, 0})
	}
	for _, one := range settings {
		if err := unix.IoctlSetPointerInt(fd, one.request, one.value); err != nil {
			return &cause.Error{What: "reset", Err: err}
		}
	}
	if !tap {
		return nil
	}
	if err := detachFilter(fd); err != nil {
		return &cause.Error{What: "reset", Err: err}
	}
	return nil
}

// detachFilter removes a filter of packets. The number of the request contains the size of its argument, struct
// sock_fprog, which is not read; a 64-bit kernel does not know that of a 32-bit program.
func detachFilter(fd int) error {
	const wider = 8 << 16 // bytes more in a 64-bit kernel
	err := unix.IoctlSetPointerInt(fd, unix.TUNDETACHFILTER, 0)
	if err == unix.EINVAL && strconv.IntSize == 32 {
		err = unix.IoctlSetPointerInt(fd, unix.TUNDETACHFILTER+wider, 0)
	}
	return err
}
