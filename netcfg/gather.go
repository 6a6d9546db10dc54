package netcfg

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Gatherer reads the packets of a queue that wait there, in one go.
type Gatherer struct {
	raw  syscall.RawConn
	into Gathered
	err  error
	take func(fd uintptr) bool
}

// Gathered is where packets go: Room is room for the next one, nil for no more, and Took says how many bytes it got.
type Gathered interface {
	Room() []byte
	Took(n int)
}

// NewGatherer is of a queue that Attach gave.
func NewGatherer(queue *os.File, into Gathered) (*Gatherer, error) {
	raw, err := queue.SyscallConn()
	if err != nil {
		return nil, err
	}
	g := &Gatherer{raw: raw, into: into}
	g.take = g.takeAll // once: a closure a call would be garbage
	return g, nil
}

// Gather waits for a packet, and takes those that are there by then, as long as there is room. It never waits for more.
func (g *Gatherer) Gather() error {
	g.err = nil
	if err := g.raw.Read(g.take); err != nil {
		return err
	}
	return g.err
}

// takeAll says whether there was a packet, or an error; if not, it is called again when there may be one.
func (g *Gatherer) takeAll(fd uintptr) (some bool) {
	for room := g.into.Room(); room != nil; room = g.into.Room() {
		n, err := unix.Read(int(fd), room)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return some
		case err != nil:
			g.err = err
			return true
		case n > 0:
			g.into.Took(n)
			some = true
		}
	}
	return true
}

// Gone says whether an error of a queue means that its device is no more: the driver says EFAULT to who waits when it goes, and
// EBADFD from then on.
func Gone(err error) bool { return errors.Is(err, unix.EBADFD) || errors.Is(err, unix.EFAULT) }

// QueueError is an error of an attached queue, as the commands print it.
func QueueError(device string, err error) error {
	if Gone(err) {
		return &Error{Device: device, Cause: NoDevice, Detail: "it was deleted while it was in use", Err: err}
	}
	return &Error{Device: device, What: "queue", Err: err}
}

// GiveUp makes a TCP socket, as the Control of a net.Dialer or of a net.ListenConfig, end when what it sent is not acknowledged in that
// time. A listener hands it on to its connections.
func GiveUp(after time.Duration) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(after.Milliseconds()))
		}); e != nil {
			return e
		}
		return os.NewSyscallError("setsockopt", err)
	}
}
