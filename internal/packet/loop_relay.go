package packet

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/attach"
	"github.com/tunadm/tunadm/internal/cause"
)

// relayBuffer is the size in bytes of a buffer that holds the largest packet of any device, with its header.
const relayBuffer = 128 << 10

// A Relay carries packets between two devices, each direction on its own thread. Packets are written as they were read,
// with their headers.
type Relay struct {
	Names  [2]string
	Queues [2]*os.File

	// Each is called by both threads before they write a packet; its error ends the relay. It may be nil.
	Each func(from, bytes int) error
}

// Run carries packets until ctx ends, which is not an error, or until a device is deleted; the error is then a
// [*cause.Error]. A packet that a device does not take, for example because it is down, is lost. Run closes the files.
func (r *Relay) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var ended atomic.Bool
	defer context.AfterFunc(ctx, func() { ended.Store(true) })()
	errs := make(chan error, len(r.Queues))
	defer r.Queues[0].Close()
	defer r.Queues[1].Close()
	for from, queue := range r.Queues {
		reader, stop, err := NewReader(ctx, queue, nil)
		if err != nil {
			cancel()
			for range from {
				<-errs
			}
			return &cause.Error{Device: r.Names[from], Err: err}
		}
		d := &direction{Relay: r, from: from, in: reader, out: int(r.Queues[1-from].Fd()), ended: &ended}
		go func() {
			defer stop()
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			errs <- d.carry()
		}()
	}
	err := <-errs
	cancel()
	if other := <-errs; err == nil {
		err = other
	}
	return err
}

// A direction is one of the two directions of a relay.
type direction struct {
	*Relay
	from  int // the place of the device that is read
	in    *Reader
	out   int
	ended *atomic.Bool
}

func (d *direction) carry() error {
	buffer := make([]byte, relayBuffer)
	for {
		n, err := d.in.Read(buffer)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return attach.QueueError(d.Names[d.from], err)
		}
		if d.Each != nil {
			if err := d.Each(d.from, n); err != nil {
				return err
			}
		}
		_, err = unix.Write(d.out, buffer[:n])
		for errors.Is(err, unix.EINTR) {
			_, err = unix.Write(d.out, buffer[:n])
		}
		if cause.Gone(err) { // any other error costs a packet
			return attach.QueueError(d.Names[1-d.from], err)
		}
		if d.ended.Load() { // under load, the reader does not wait
			return nil
		}
	}
}
