// Package packet is what happens with the packets of attached queues.
package packet

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/tunadm/tunadm/netcfg"
)

// A Tunnel carries the packets of a device to another host, and those of the other host to the device, in the format of simpletun and
// in clear text. Open comes first, then Run.
type Tunnel struct {
	Device  string
	Queue   *os.File       // of the device, without any header, attached with Poll; the tunnel closes it
	Address string         // "host:port": where to connect, or where to listen
	Listen  bool           // wait for the other host, instead of calling it
	UDP     bool           // a packet a datagram, instead of a stream
	Peer    netip.AddrPort // of a listener over UDP: the one host that is heard; port 0: from any of its ports; invalid: see [peerSilence]
	Log     func(string)   // what happens to the peers; nil: nobody listens
	Trouble func(string)   // what the user should know even if he does not listen; nil: as Log

	hurry time.Duration // instead of the patience with a peer that is slow or silent; 0: as below
	burst int           // lines that are logged at once; 0: logBurst
	bound io.Closer     // the socket of a listener, from Open on
	stop  context.CancelCauseFunc
	once  [troubles]sync.Once
}

// The kinds of trouble that are told once.
const (
	refusedByDevice = iota
	tooLongForUDP
	moreThanCame
	troubles
)

// The times of a tunnel.
const (
	dialPatience  = 10 * time.Second
	peerPatience  = 15 * time.Second       // for an acknowledgement
	probeInterval = 5 * time.Second        // of an idle peer, whether it is there
	framePatience = 30 * time.Second       // for the rest of a packet
	writePatience = time.Minute            // for room to write
	lastMoment    = 100 * time.Millisecond // for a peer that comes to be told from one that is second
	waitFirst     = 250 * time.Millisecond
	waitMost      = 30 * time.Second
	steady        = 10 * time.Second // who was connected for so long is called again at once
	peerSilence   = time.Minute      // after which another host may take the place of the peer of a listener over UDP
)

// Open binds the socket of a listener. The error is an [*netcfg.Error].
func (t *Tunnel) Open(ctx context.Context) (err error) {
	switch {
	case !t.Listen:
		return nil
	case t.UDP:
		t.bound, err = (&net.ListenConfig{}).ListenPacket(ctx, network("udp", t.Address), t.Address)
	default:
		config := net.ListenConfig{KeepAliveConfig: keepAlive(), Control: giveUp(peerPatience)}
		config.SetMultipathTCP(false)
		t.bound, err = config.Listen(ctx, network("tcp", t.Address), t.Address)
	}
	if err != nil {
		return &netcfg.Error{Device: t.Device, What: "listen on " + t.Address, Err: root(err)}
	}
	return nil
}

// Run carries packets until ctx is done, which is no error, or until the device is gone. All that it opened is closed then.
func (t *Tunnel) Run(ctx context.Context) error {
	inner, stop := context.WithCancelCause(ctx)
	t.stop = stop
	defer stop(nil)
	defer t.Queue.Close()
	defer context.AfterFunc(inner, func() { t.Queue.Close() })()
	if t.Log == nil {
		t.Log = func(string) {}
	}
	if t.Trouble == nil {
		t.Trouble = t.Log
	}
	limit := newLogLimit(cmp.Or(t.burst, logBurst))
	t.Log, t.Trouble = limit.of(t.Log), limit.of(t.Trouble)
	run := t.runStream
	if t.UDP {
		run = t.runDatagrams
	}
	err := run(inner)
	switch cause := context.Cause(inner); {
	case ctx.Err() != nil:
		return nil
	case cause != nil:
		return cause
	}
	return err
}

// patience is how long a slow peer is waited for.
func (t *Tunnel) patience(usual time.Duration) time.Duration {
	if t.hurry > 0 {
		return t.hurry
	}
	return usual
}

// fail ends the tunnel, unless it ends already, when the queue is closed.
func (t *Tunnel) fail(err error) { t.stop(err) }

// deliver writes a packet to the device. One that it does not take is dropped; only a device that is gone ends the tunnel.
func (t *Tunnel) deliver(packet []byte) (taken bool) {
	_, err := t.Queue.Write(packet)
	switch {
	case err == nil:
		return true
	case netcfg.Gone(err), errors.Is(err, os.ErrClosed):
		t.fail(netcfg.QueueError(t.Device, root(err)))
	default:
		t.once[refusedByDevice].Do(func() {
			t.Trouble("the device does not take a packet, which is dropped: " + root(err).Error() + ": is it down, or a tun at one end and a tap at the other?")
		})
	}
	return false
}

// root is an error without what is known anyway: which operation, on which addresses.
func root(err error) error {
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		err = op.Err
	}
	if path := (*os.PathError)(nil); errors.As(err, &path) {
		err = path.Err
	}
	if call := (*os.SyscallError)(nil); errors.As(err, &call) {
		err = call.Err
	}
	return err
}

// again calls try until ctx is done, with longer and longer pauses. A connection that was good for a while makes the pauses short
// again. The first failure in a row is told to all, the others to who listens.
func (t *Tunnel) again(ctx context.Context, try func() (lasted time.Duration, err error)) {
	wait, tell := waitFirst, t.Trouble
	for {
		lasted, err := try()
		if ctx.Err() != nil {
			return
		}
		if lasted >= steady {
			wait, tell = waitFirst, t.Trouble
		}
		tell(t.Address + ": " + root(err).Error() + "; trying again")
		tell = t.Log
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, waitMost)
	}
}
