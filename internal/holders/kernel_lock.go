package holders

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A calm waits for the kernel's lock of all network devices. The kernel takes that lock to describe a queue, and keeps
// the queue open until it has it. Without the wait before, a program that closes its queue and attaches again would be
// refused some 30 times as often.
type calm struct{ socket int } // 0: not open yet

// wait returns soon after the lock was free, or after a few waits for it.
func (c *calm) wait() {
	const free, tries = 10 * time.Microsecond, 3
	if c.socket == 0 {
		c.socket, _ = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	}
	for range tries {
		start := time.Now()
		c.take()
		if time.Since(start) < free {
			return
		}
	}
}

// take takes the lock for a moment: any question to a driver about a device does.
func (c *calm) take() {
	value := [2]uint32{unix.ETHTOOL_GLINK}
	request := struct {
		name  [unix.IFNAMSIZ]byte
		value *[2]uint32
		_     [24 - unsafe.Sizeof(uintptr(0))]byte
	}{value: &value}
	copy(request.name[:], "lo")
	_, _, _ = unix.RawSyscall(unix.SYS_IOCTL, uintptr(c.socket), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
}
