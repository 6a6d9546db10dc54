package netcfg

import "golang.org/x/sys/unix"

// pollerDescriptors are how many the runtime's poller and the sockets of a tunnel take.
const pollerDescriptors = 8

// CheckPoller says by an [*Error] that the runtime could not start its poller, without which it would end the program with a stack trace.
func CheckPoller() error {
	failed := func(err error) error {
		return &Error{What: "wait for packets", Detail: "too few descriptors (ulimit -n), or memory", Err: err}
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
