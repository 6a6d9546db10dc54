package packet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/poll"
)

// A Reader reads the packets of an attached queue. It waits with poll(2), so that no packet wakes the runtime's poller.
type Reader struct {
	fd     int
	waiter *poll.Waiter
}

// NewReader returns a Reader that ends with ctx, or when the pipe out has no reader any more; out may be nil. Stop
// frees the resources of the Reader, not the queue.
func NewReader(ctx context.Context, queue, out *os.File) (r *Reader, stop func(), err error) {
	fd := int(queue.Fd())
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, nil, fmt.Errorf("wait for packets: %w", err)
	}
	w, stop, err := poll.New(ctx, out, fd)
	if err != nil {
		return nil, nil, fmt.Errorf("wait for packets: %w", err)
	}
	return &Reader{fd, w}, stop, nil
}

// Read reads one packet and returns its length in bytes. At the end the error is io.EOF, and EBADFD if the device is
// deleted, also if both happened at the same time.
func (r *Reader) Read(packet []byte) (int, error) {
	dead := false
	for {
		n, err := unix.Read(r.fd, packet)
		switch {
		case err == nil && n > 0:
			return n, nil
		case errors.Is(err, unix.EINTR):
			continue
		case !errors.Is(err, unix.EAGAIN):
			return 0, err
		case dead:
			return 0, unix.EBADFD
		}
		if err := r.waiter.Wait(time.Time{}); err != nil {
			return 0, fmt.Errorf("wait for packets: %w", err)
		}
		dead = r.waiter.Failed(0) // the next read returns why
		if !dead && (r.waiter.Stopped() || r.waiter.Unread()) {
			return 0, io.EOF
		}
	}
}
