package netcfg

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// relayBuffer holds the largest packet that a device can have, with its header, and more, in bytes.
const relayBuffer = 128 << 10

// A Relay carries packets between two devices, each direction on a thread of its own. What is read is written on as it is, header and all.
type Relay struct {
	Names  [2]string
	Queues [2]*os.File
	Each   func(from, bytes int) error // told of each packet, by both threads, before it is written; its error ends the relay; nil: nobody is
}

// Run carries packets until ctx ends, which is no error, or a device goes, which is an [*Error]. A packet that a device does not take, since it is
// down, say, is lost, as on any wire. The files are closed.
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
			return &Error{Device: r.Names[from], Err: err}
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

// A direction is one of the two ways through a relay.
type direction struct {
	*Relay
	from  int // the place of the device that is read
	in    *Reader
	out   int
	ended *atomic.Bool
}

func (d *direction) carry() error {
	buffer := make([]byte, relayBuffer)
	for !d.ended.Load() {
		n, err := d.in.Read(buffer)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case isGone(err), errors.Is(err, unix.EAGAIN):
			return d.gone(d.from, err)
		case err != nil:
			return &Error{Device: d.Names[d.from], Err: err}
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
		if isGone(err) {
			return d.gone(1-d.from, err)
		}
	}
	return nil
}

// isGone says that the device itself is no more: EFAULT while it goes, and EBADFD from then on. All else costs a packet.
func isGone(err error) bool {
	return errors.Is(err, unix.EFAULT) || errors.Is(err, unix.EBADFD) || errors.Is(err, unix.EBADF)
}

func (d *direction) gone(which int, err error) error {
	return &Error{Device: d.Names[which], Cause: NoDevice, Detail: "was deleted while its packets were carried", Err: err}
}
