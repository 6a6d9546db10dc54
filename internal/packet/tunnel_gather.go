package packet

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// A gatherer reads all waiting packets of a queue at once.
type gatherer struct {
	raw  syscall.RawConn
	into gathered
	err  error
	take func(fd uintptr) bool
}

// gathered is where packets go. room returns the room for the next packet, or nil for no more; took gets the length of
// the packet in bytes.
type gathered interface {
	room() []byte
	took(n int)
}

// newGatherer returns a gatherer of an attached queue.
func newGatherer(queue *os.File, into gathered) (*gatherer, error) {
	raw, err := queue.SyscallConn()
	if err != nil {
		return nil, err
	}
	g := &gatherer{raw: raw, into: into}
	g.take = g.takeAll // once: a closure a call would be garbage
	return g, nil
}

// gather waits for a packet, and takes the packets that wait by then, as long as there is room. It never waits for a
// second packet.
func (g *gatherer) gather() error {
	g.err = nil
	if err := g.raw.Read(g.take); err != nil {
		return err
	}
	return g.err
}

// takeAll reports whether there was a packet or an error. If not, the runtime calls it again as soon as the queue is
// readable.
func (g *gatherer) takeAll(fd uintptr) (some bool) {
	for room := g.into.room(); room != nil; room = g.into.room() {
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
			g.into.took(n)
			some = true
		}
	}
	return true
}
