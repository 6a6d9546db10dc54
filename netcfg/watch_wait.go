package netcfg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// announcementsSize is what may wait to be read, in bytes of the kernel's memory, which are taken only when they are needed. An announcement
// takes about 4 KiB. Without CAP_NET_ADMIN the machine's limit is less (net.core.rmem_max).
const announcementsSize = 32 << 20

// openAnnouncements is a socket to which the kernel sends what happens to links and addresses.
func openAnnouncements(size int) (*socket, error) {
	s, err := openSocket()
	if err != nil {
		return nil, err
	}
	if unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, size) != nil {
		_ = unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, size)
	}
	if err := unix.Bind(s.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil { // to a socket without a number nothing is announced
		s.close()
		return nil, fmt.Errorf("bind a netlink socket: %w", err)
	}
	for _, group := range []int{unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR} {
		if err := unix.SetsockoptInt(s.fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, group); err != nil {
			s.close()
			return nil, fmt.Errorf("subscribe to netlink group %d: %w", group, err)
		}
	}
	return s, nil
}

// openDriverWatch is a descriptor that tells when the driver's node is opened and closed, or -1. It watches the directory, since the node may be
// made anew. All announcements that the kernel leaves
// out are of things done between the two.
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

// A waiter waits for what a watch has to react to. Its descriptors are those of poll(2).
type waiter struct{ fds [4]unix.PollFd }

// The places of the descriptors.
const (
	waitStop = iota
	waitOut
	waitAnnouncements
	waitDriver
)

// newWaiter waits for the end of ctx, for the reader of out to go away, and for the two descriptors, each of which may be -1. Stop ends it.
func newWaiter(ctx context.Context, out *os.File, announcements, driver int) (w *waiter, stop func(), err error) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	ended := make(chan struct{})
	unarm := context.AfterFunc(ctx, func() {
		unix.Close(pipe[1])
		close(ended)
	})
	stop = func() {
		if unarm() {
			unix.Close(pipe[1])
		} else {
			<-ended
		}
		unix.Close(pipe[0])
	}
	w = &waiter{}
	w.fds[waitStop] = unix.PollFd{Fd: int32(pipe[0])}
	w.fds[waitOut] = unix.PollFd{Fd: -1}
	if out != nil {
		w.fds[waitOut].Fd = int32(out.Fd())
	}
	w.fds[waitAnnouncements] = unix.PollFd{Fd: int32(announcements), Events: unix.POLLIN}
	w.fds[waitDriver] = unix.PollFd{Fd: int32(driver), Events: unix.POLLIN}
	return w, stop, nil
}

// wait blocks until one of them has something, or until the deadline if it is not zero.
func (w *waiter) wait(deadline time.Time) error {
	for {
		forever := -1
		if !deadline.IsZero() {
			forever = int(max(0, time.Until(deadline)+time.Millisecond-1) / time.Millisecond)
		}
		_, err := unix.Poll(w.fds[:], forever)
		if !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("poll", err)
		}
	}
}

// has says whether wait found something at that place.
func (w *waiter) has(place int) bool { return w.fds[place].Revents != 0 }

// drainDriver reads what the driver's watch has to tell, which is all the same to us.
func drainDriver(fd int) {
	var buffer [4096]byte
	for n := 1; n > 0; {
		n, _ = unix.Read(fd, buffer[:])
	}
}
