package packet

import (
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/cause"
)

// pollerDescriptors is the number of descriptors that the runtime's poller and the sockets of a tunnel take.
const pollerDescriptors = 8

// CheckPoller reports by a [*cause.Error] that the runtime could not start its poller. Without this check the runtime
// would end the program with a stack trace.
func CheckPoller() error {
	failed := func(err error) error {
		return &cause.Error{What: "wait for packets", Detail: "too few descriptors (ulimit -n), or memory", Err: err}
	}
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return failed(err)
	}
	defer unix.Close(fd)
	for range pollerDescriptors {
		event, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
		if err != nil {
			return failed(err)
		}
		defer unix.Close(event)
	}
	return nil
}
