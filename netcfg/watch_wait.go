package netcfg

import (
	"path/filepath"

	"github.com/tunadm/tunadm/internal/rtnl"
	"golang.org/x/sys/unix"
)

// announcementsSize is what may wait to be read, in bytes of the kernel's memory, which are taken only when they are
// needed. An announcement takes about 4 KiB. Without CAP_NET_ADMIN the machine's limit is less (net.core.rmem_max).
const announcementsSize = 32 << 20

// openAnnouncements opens a socket to which the kernel announces changes to links and addresses.
func openAnnouncements(size int) (*rtnl.Socket, error) {
	return rtnl.Subscribe(size, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR)
}

// openDriverWatch is a descriptor that tells when the driver's node is opened and closed, or -1. It watches the
// directory, since the node may be made anew. All announcements that the kernel leaves out are of things done between
// the two.
func openDriverWatch() int {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return -1
	}
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(driver), unix.IN_OPEN|unix.IN_CLOSE); err != nil {
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

// drainDriver reads what the driver's watch has to tell, which is all the same to us.
func drainDriver(fd int) {
	var buffer [4096]byte
	for n := 1; n > 0; {
		n, _ = unix.Read(fd, buffer[:])
	}
}
