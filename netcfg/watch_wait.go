package netcfg

import (
	"path/filepath"

	"github.com/tunadm/tunadm/internal/driver"
	"github.com/tunadm/tunadm/internal/rtnl"
	"golang.org/x/sys/unix"
)

// announcementsSize is the size of the receive buffer, in bytes of the kernel's memory. The kernel allocates it only as
// needed. An announcement takes about 4 KiB. Without CAP_NET_ADMIN, net.core.rmem_max is the limit.
const announcementsSize = 32 << 20

// openAnnouncements opens a socket to which the kernel announces changes to links and addresses.
func openAnnouncements(size int) (*rtnl.Socket, error) {
	return rtnl.Subscribe(size, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR)
}

// openDriverWatch returns a descriptor that becomes readable when a program opens or closes the driver's node, or -1.
// It watches the directory, because the node may be re-created. All changes that the kernel does not announce happen
// between an open and a close.
func openDriverWatch() int {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return -1
	}
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(driver.Path), unix.IN_OPEN|unix.IN_CLOSE); err != nil {
		unix.Close(fd)
		return -1
	}
	return fd
}

// The descriptors of a watch, as its [poll.Waiter] counts them.
const (
	waitAnnouncements = iota
	waitDriver
)

// drainDriver reads the events of the driver watch, and ignores them.
func drainDriver(fd int) {
	var buffer [4096]byte
	for n := 1; n > 0; {
		n, _ = unix.Read(fd, buffer[:])
	}
}
