package packet

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/cause"
)

// pollerDescriptors is the number of descriptors that the runtime's poller and the sockets of a tunnel take.
const pollerDescriptors = 8

// CheckPoller reports by a [*cause.Error] that the runtime could not start its poller. Without this check the runtime
// would end the program with a stack trace. A descriptor may be refused by ulimit -n, and epoll_ctl(2) by
// fs.epoll.max_user_watches.
func CheckPoller() error {
	poller, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return noPoller(err)
	}
	defer unix.Close(poller)
	for range pollerDescriptors {
		event, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
		if err != nil {
			return noPoller(err)
		}
		defer unix.Close(event)
		if err := unix.EpollCtl(poller, unix.EPOLL_CTL_ADD, event, &unix.EpollEvent{Events: unix.EPOLLIN}); err != nil {
			return noPoller(err)
		}
	}
	return nil
}

func noPoller(err error) error {
	detail := "too few descriptors (ulimit -n), or memory"
	if errors.Is(err, unix.ENOSPC) {
		detail = "too many watched descriptors (sysctl fs.epoll.max_user_watches)"
	}
	return &cause.Error{What: "wait for packets", Detail: detail, Err: err}
}
