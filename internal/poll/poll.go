// Package poll waits for file descriptors, and sleeps, without the poller of the Go runtime: a process that has too few
// descriptors left for that poller would end with a stack trace.
package poll

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// The first two places of a Waiter; the descriptors follow.
const (
	placeStop = iota
	placeOut
	placeFirst
)

// A Waiter waits with poll(2) for descriptors, for the end of a context and for the reader of a pipe to go away.
type Waiter struct {
	fds  []unix.PollFd
	calm bool // the last Expect took a while
}

// New returns a Waiter for descriptors to read from, each of which may be -1. Out may be nil. Stop frees the resources
// of the Waiter. The error is that of pipe(2).
func New(ctx context.Context, out *os.File, descriptors ...int) (w *Waiter, stop func(), err error) {
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
	w = &Waiter{fds: make([]unix.PollFd, placeFirst, placeFirst+len(descriptors))}
	w.fds[placeStop] = unix.PollFd{Fd: int32(pipe[0])}
	w.fds[placeOut] = unix.PollFd{Fd: -1}
	if out != nil {
		w.fds[placeOut].Fd = int32(out.Fd())
	}
	for _, fd := range descriptors {
		w.fds = append(w.fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	return w, stop, nil
}

// Wait blocks until there is something to react to, or until the deadline, if it is not zero. The error is that of
// poll(2).
func (w *Waiter) Wait(deadline time.Time) error {
	for {
		milliseconds := -1
		if !deadline.IsZero() {
			milliseconds = untilDeadline(deadline)
		}
		_, err := unix.Poll(w.fds, milliseconds)
		if !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("poll", err)
		}
	}
}

// untilDeadline returns the time that is left, in milliseconds, rounded up.
func untilDeadline(deadline time.Time) int {
	return int(max(0, time.Until(deadline)+time.Millisecond-1) / time.Millisecond)
}

// Stopped reports whether the last Wait found that the context has ended.
func (w *Waiter) Stopped() bool { return w.fds[placeStop].Revents != 0 }

// Unread reports whether the last Wait found that the pipe has no reader any more.
func (w *Waiter) Unread() bool { return w.fds[placeOut].Revents != 0 }

// Ready reports whether the last Wait found something at the n-th descriptor, counted from 0.
func (w *Waiter) Ready(n int) bool { return w.fds[placeFirst+n].Revents != 0 }

// Failed reports whether the last Wait found an error at the n-th descriptor, counted from 0.
func (w *Waiter) Failed(n int) bool {
	return w.fds[placeFirst+n].Revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0
}

// Input waits until there is something to read from a descriptor, and reports whether there was before end. The
// descriptor -1 never has anything to read.
func Input(fd int, end time.Time) bool { return await(fd, unix.POLLIN, end) }

// Output waits until a descriptor can be written to, and reports whether it could before end. Up to 4096 bytes are then
// written to a pipe without waiting.
func Output(fd int, end time.Time) bool { return await(fd, unix.POLLOUT, end) }

func await(fd int, events int16, end time.Time) bool {
	for {
		fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
		n, err := unix.Poll(fds, untilDeadline(end))
		if err != unix.EINTR {
			return err == nil && n > 0
		}
	}
}

// ReadUntil reads from a descriptor until its end of file, an error or end, and returns what it read.
func ReadUntil(fd int, end time.Time) []byte {
	var all []byte
	buffer := make([]byte, 4096)
	for Input(fd, end) {
		n, err := unix.Read(fd, buffer)
		if n <= 0 && err != unix.EINTR {
			break
		}
		all = append(all, buffer[:max(0, n)]...)
	}
	return all
}

// Sleep sleeps as time.Sleep does, but never starts the runtime's poller.
func Sleep(d time.Duration) {
	left := unix.NsecToTimespec(int64(d))
	for unix.Nanosleep(&left, &left) == unix.EINTR {
	}
}
