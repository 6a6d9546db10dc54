package netcfg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/vishvananda/netlink/nl"
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
	var fds [2]int
	for i, f := range r.Queues {
		fd, err := takeOver(f)
		if err != nil {
			return &Error{Device: r.Names[i], Err: err}
		}
		defer unix.Close(fd)
		fds[i] = fd
	}
	var ended atomic.Bool
	defer context.AfterFunc(ctx, func() { ended.Store(true) })()
	errs := make(chan error, len(fds))
	for from := range fds {
		w, stop, err := newWaiter(ctx, nil, fds[from], -1)
		if err != nil {
			cancel()
			for range from {
				<-errs
			}
			return err
		}
		d := &direction{Relay: r, from: from, in: fds[from], out: fds[1-from], ended: &ended, waiter: w}
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

// takeOver is the descriptor of a file without the file, so that the runtime's poller does not wake for each packet of it.
func takeOver(f *os.File) (fd int, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	failed := raw.Control(func(own uintptr) { fd, err = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) })
	if err = errors.Join(failed, err); err != nil {
		return -1, err
	}
	if err := f.Close(); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, unix.SetNonblock(fd, true)
}

// A direction is one of the two ways through a relay.
type direction struct {
	*Relay
	from    int // the place of the device that is read
	in, out int
	ended   *atomic.Bool
	waiter  *waiter
}

func (d *direction) carry() error {
	buffer := make([]byte, relayBuffer)
	for !d.ended.Load() {
		n, err := d.read(buffer)
		if err != nil || n == 0 {
			return err
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

// read waits for a packet, and gives its length, or 0 at the end.
func (d *direction) read(buffer []byte) (int, error) {
	dead := false
	for {
		n, err := unix.Read(d.in, buffer)
		switch {
		case err == nil && n > 0:
			return n, nil
		case errors.Is(err, unix.EINTR):
			continue
		case !errors.Is(err, unix.EAGAIN), dead:
			return 0, d.gone(d.from, err)
		}
		if err := d.waiter.wait(time.Time{}); err != nil {
			return 0, fmt.Errorf("wait for packets: %w", err)
		}
		if d.waiter.has(waitStop) {
			return 0, nil
		}
		dead = d.waiter.fds[waitAnnouncements].Revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0
	}
}

// isGone says that the device itself is no more: EFAULT while it goes, and EBADFD from then on. All else costs a packet.
func isGone(err error) bool {
	return errors.Is(err, unix.EFAULT) || errors.Is(err, unix.EBADFD) || errors.Is(err, unix.EBADF)
}

func (d *direction) gone(which int, err error) error {
	return &Error{Device: d.Names[which], Cause: NoDevice, Detail: "was deleted while its packets were carried", Err: err}
}

// AwaitRunning waits until the kernel has noticed that a program is attached to an up device, which it does a moment later (linkwatch). What is
// sent before that it throws away. After a second it waits no longer.
func (k *Kernel) AwaitRunning(ctx context.Context, index int) error {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	running := false
	for deadline := time.Now().Add(time.Second); !running && ctx.Err() == nil && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		ask := request(unix.RTM_GETLINK, unix.NLM_F_ACK, msg)
		err := k.socket.exchange([]*nl.NetlinkRequest{ask}, 1, func(_ int, body []byte) {
			running = len(body) >= unix.SizeofIfInfomsg && u32(body[8:])&unix.IFF_RUNNING != 0
		})[0]
		if err != nil {
			return &Error{What: "look at the device", Err: err}
		}
	}
	return nil
}
