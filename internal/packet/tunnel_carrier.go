package packet

import (
	"errors"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/attach"
	"github.com/tunadm/tunadm/internal/poll"
)

// A carrier carries the packets of a stream in both directions on one goroutine. It never waits for one direction
// only: while the peer accepts no bytes, its packets are delivered.
type carrier struct {
	*stream
	w       *poll.Waiter
	peer    *peer         // nil: none
	conn    io.ReadWriter // its socket
	in      *frameReader
	out     *frameWriter
	into    gathered // out, or a splitter before it
	to      *merger
	readBy  time.Time // when the rest of a packet must have come; zero: none has begun
	writeBy time.Time // when the peer must have accepted the packets; zero: none wait
}

// The places of the carrier's descriptors in its Waiter.
const (
	placeQueue = iota
	placeSocket
	placeBell
)

func newCarrier(s *stream, w *poll.Waiter) *carrier {
	c := &carrier{stream: s, w: w, in: newFrameReader(nil), out: newFrameWriter(), to: s.merger()}
	c.into = c.out
	if s.Offload {
		c.into = newSplitter(c.out, true, s.Tap)
	}
	w.Watch(placeBell, s.bell, true, false)
	c.watch()
	return c
}

// watch waits for what can be carried: no packet is read while others wait for the peer.
func (c *carrier) watch() {
	c.w.Watch(placeQueue, c.queue, !c.out.waits(), false)
	if c.peer == nil {
		c.w.Watch(placeSocket, -1, false, false)
	} else {
		c.w.Watch(placeSocket, c.peer.socket, true, c.out.waits())
	}
}

// deadline returns the earlier deadline.
func (c *carrier) deadline() time.Time {
	if c.readBy.IsZero() || !c.writeBy.IsZero() && c.writeBy.Before(c.readBy) {
		return c.writeBy
	}
	return c.readBy
}

// carry carries packets until the tunnel ends.
func (c *carrier) carry() {
	defer close(c.carried)
	for !c.w.Stopped() {
		if err := c.w.Expect(c.deadline()); err != nil {
			c.fail(noWait(c.Device, err))
			return
		}
		if c.w.Ready(placeBell) {
			c.meet()
		}
		if c.peer != nil && c.w.Ready(placeSocket) {
			c.receive()
		}
		if c.peer != nil && c.out.waits() {
			c.flush()
		}
		if c.w.Failed(placeQueue) {
			c.fail(attach.QueueError(c.Device, unix.EBADFD))
			return
		}
		if c.w.Ready(placeQueue) {
			if err := c.send(); err != nil {
				c.fail(attach.QueueError(c.Device, err))
				return
			}
		}
		c.hurry()
		c.watch()
	}
}

// meet leaves a peer that is unwanted, and looks for a new one.
func (c *carrier) meet() {
	_, _ = readNow(c.bell, make([]byte, 8))
	if c.peer != nil {
		if why := c.peer.unwanted.Load(); why != nil {
			c.leave(*why)
		}
	}
	if p := c.stream.peer.Load(); c.peer == nil && p != nil {
		c.peer, c.conn = p, socket(p.socket)
		c.in.reset(c.conn)
		c.w.Watch(placeSocket, p.socket, true, false)
	}
}

// leave ends the connection.
func (c *carrier) leave(why error) {
	p := c.peer
	c.peer, c.readBy, c.writeBy = nil, time.Time{}, time.Time{}
	_ = c.out.Flush(nil)
	c.stream.peer.CompareAndSwap(p, nil)
	p.why = why
	close(p.ended)
}

// send carries the packets that wait at the device.
func (c *carrier) send() error {
	if err := gather(c.queue, c.into); err != nil {
		return err
	}
	if c.peer == nil {
		return c.out.Flush(nil)
	}
	c.flush()
	return nil
}

// flush writes what the peer accepts at once.
func (c *carrier) flush() {
	switch err := c.out.Flush(c.conn); {
	case err == nil:
		c.writeBy = time.Time{}
	case !errors.Is(err, unix.EAGAIN):
		c.leave(err)
	case c.writeBy.IsZero():
		c.writeBy = time.Now().Add(c.limits.write)
	}
}

// receive carries the packets of the peer that have been received.
func (c *carrier) receive() {
	if err := c.in.fill(); err != nil {
		if !errors.Is(err, unix.EAGAIN) {
			c.leave(err)
		}
		return
	}
	packet, err := c.in.Next()
	for ; packet != nil; packet, err = c.in.Next() {
		c.readBy = time.Time{}
		if !c.peer.heard.Load() {
			c.peer.heard.Store(true)
		}
		c.to.add(c.in.buffer, c.in.start-len(packet), c.in.start)
	}
	c.to.flush()
	switch {
	case err != nil:
		c.leave(err)
	case c.in.begun() && c.readBy.IsZero(): // from the first byte of a packet to its last
		c.readBy = time.Now().Add(c.limits.frame)
	}
}

// hurry ends the connection with a peer that is too slow.
func (c *carrier) hurry() {
	if by := c.deadline(); by.IsZero() || time.Now().Before(by) {
		return
	}
	if c.deadline() == c.readBy {
		c.leave(errors.New("the peer did not send the rest of a packet"))
	} else {
		c.leave(errors.New("the peer accepts no packets any more"))
	}
}
