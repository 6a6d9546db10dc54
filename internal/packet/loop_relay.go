package packet

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/attach"
	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/poll"
)

// relayBuffer is the size in bytes of a buffer that holds the largest packet of any device, with its header.
const relayBuffer = 128 << 10

// relayTurn is how many packets of one device are carried before the other device has its turn.
const relayTurn = 16

// A Relay carries packets between two devices, both directions on one goroutine: the answer to a packet is often there
// as soon as the packet is written, and then no thread has to wake. Packets are written as they were read, with their
// headers.
type Relay struct {
	Names  [2]string
	Queues [2]*os.File

	// Each is called before a packet is written; its error ends the relay. It may be nil.
	Each func(from, bytes int) error

	fds    [2]int
	buffer []byte
}

// Run carries packets until ctx ends, which is not an error, or until a device is deleted; the error is then a
// [*cause.Error]. A packet that a device does not take, for example because it is down, is lost. Run closes the files.
func (r *Relay) Run(ctx context.Context) error {
	defer r.Queues[0].Close()
	defer r.Queues[1].Close()
	for i, queue := range r.Queues {
		r.fds[i] = int(queue.Fd())
		if err := unix.SetNonblock(r.fds[i], true); err != nil {
			return noWait(r.Names[i], err)
		}
	}
	w, stop, err := poll.New(ctx, nil, r.fds[:]...)
	if err != nil {
		return noWait("", err)
	}
	defer stop()
	r.buffer = aligned(relayBuffer, offloadRoom)
	for {
		if err := w.Expect(time.Time{}); err != nil {
			return noWait("", err)
		}
		for from := range r.fds {
			if w.Failed(from) {
				return attach.QueueError(r.Names[from], unix.EBADFD)
			}
			if w.Ready(from) {
				if err := r.carry(from); err != nil {
					return err
				}
			}
		}
		if w.Stopped() {
			return nil
		}
	}
}

// carry carries the packets that wait at a device, until the other device has its turn.
func (r *Relay) carry(from int) error {
	to := 1 - from
	for range relayTurn {
		n, err := readNow(r.fds[from], r.buffer)
		switch {
		case err == unix.EAGAIN:
			return nil
		case err != nil:
			return attach.QueueError(r.Names[from], err)
		case n == 0:
			continue
		}
		if r.Each != nil {
			if err := r.Each(from, n); err != nil {
				return err
			}
		}
		// Any other error costs a packet.
		if _, err := writeNow(r.fds[to], r.buffer[:n]); err != nil && cause.Gone(err) {
			return attach.QueueError(r.Names[to], err)
		}
	}
	return nil
}
