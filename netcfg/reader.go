package netcfg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A Reader reads the packets of a queue that was attached without Poll. It waits with poll(2), so that no packet wakes the runtime's poller.
type Reader struct {
	fd     int
	waiter *waiter
}

// NewReader reads until ctx ends, or until out is a pipe that nobody reads any more; out may be nil. Stop frees what it needs, but not the queue.
func NewReader(ctx context.Context, queue, out *os.File) (r *Reader, stop func(), err error) {
	fd := int(queue.Fd())
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, nil, fmt.Errorf("wait for packets: %w", err)
	}
	w, stop, err := newWaiter(ctx, out, fd, -1)
	if err != nil {
		return nil, nil, fmt.Errorf("wait for packets: %w", err)
	}
	return &Reader{fd, w}, stop, nil
}

// Read reads one packet. The error at the end is io.EOF.
func (r *Reader) Read(packet []byte) (int, error) {
	dead := false
	for {
		n, err := unix.Read(r.fd, packet)
		switch {
		case err == nil && n > 0:
			return n, nil
		case errors.Is(err, unix.EINTR):
			continue
		case !errors.Is(err, unix.EAGAIN), dead:
			return 0, err
		}
		if err := r.waiter.wait(time.Time{}); err != nil {
			return 0, fmt.Errorf("wait for packets: %w", err)
		}
		if r.waiter.has(waitStop) || r.waiter.has(waitOut) {
			return 0, io.EOF
		}
		dead = r.waiter.fds[waitAnnouncements].Revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0
	}
}
