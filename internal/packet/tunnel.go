package packet

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/attach"
	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/fix"
)

// A Tunnel carries packets between a device and another host, in the format of simpletun and in clear text. Call Open
// first, then Run.
type Tunnel struct {
	Device  string
	Queue   *os.File     // of the device; the tunnel closes it
	Offload bool         // the queue was attached with VnetHdr and Offload; false: it has no header
	Tap     bool         // the packets are Ethernet frames
	Address string       // "host:port": where to connect, or where to listen
	Listen  bool         // wait for the other host, instead of calling it
	UDP     bool         // a packet a datagram, instead of a stream
	Log     func(string) // gets the events of peers; nil: not called
	Trouble func(string) // gets what the user must know in any case; nil: Log gets it

	// Peer is the only host from which a listener over UDP takes packets. Port 0 means any of its ports. If it is
	// invalid, the first host becomes the peer, until it has been silent for a time.
	Peer netip.AddrPort

	bound  io.Closer // the socket of a listener, from Open on
	queue  int       // the descriptor of Queue, from Run on
	stop   context.CancelCauseFunc
	once   [troubles]sync.Once
	limits limits // from Run on
}

// limits are the times that a tunnel waits for a peer, and how many lines it logs at once.
type limits struct {
	frame   time.Duration // for the rest of a packet
	write   time.Duration // for room to write
	silence time.Duration // after which another peer may replace that of a listener; over TCP, one that sent nothing
	burst   int           // lines
}

// usual returns the limits of every tunnel.
func usual() limits {
	return limits{frame: 30 * time.Second, write: time.Minute, silence: time.Minute, burst: logBurst}
}

// The kinds of trouble that are reported once.
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
	probeInterval = 5 * time.Second        // between probes of an idle peer
	lastMoment    = 100 * time.Millisecond // for the end of the connection before, when a new one comes
	waitFirst     = 250 * time.Millisecond
	waitMost      = 30 * time.Second
	steady        = 10 * time.Second // after a connection that lasted so long, the tunnel reconnects at once
)

// Open binds the socket of a listener. The error is a [*cause.Error].
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
		return t.unbound(root(err))
	}
	return nil
}

// unbound explains why the socket of a listener cannot be bound.
func (t *Tunnel) unbound(err error) error {
	e := &cause.Error{Device: t.Device, What: "listen on " + t.Address, Err: err}
	_, port, _ := net.SplitHostPort(t.Address)
	switch {
	case errors.Is(err, unix.EADDRNOTAVAIL):
		e.Detail, e.Err = "this host does not have the address", nil
		e.Fix = fix.Run(fix.Command{Words: []string{"ip", "addr"}})
	case errors.Is(err, unix.EACCES):
		e.Cause, e.Fix = cause.NotPermitted, fix.Sentence("choose a port from 1024 on, or add CAP_NET_BIND_SERVICE")
	case errors.Is(err, unix.EADDRINUSE):
		sockets := map[bool]string{false: "-lntp", true: "-lnup"}[t.UDP]
		e.Fix = fix.Run(fix.Command{Words: []string{"ss", sockets, "sport = :" + port}})
	}
	return e
}

// boundTo returns the address of the listener's socket, or the one that was asked for if the kernel did not report it.
func (t *Tunnel) boundTo(a net.Addr) string {
	if a == nil {
		return t.Address
	}
	return a.String()
}

// Run carries packets until ctx is done, which is not an error, or until the device is gone. It closes everything that
// the tunnel opened.
func (t *Tunnel) Run(ctx context.Context) error { return t.run(ctx, usual()) }

func (t *Tunnel) run(ctx context.Context, l limits) error {
	t.limits = l
	inner, stop := context.WithCancelCause(ctx)
	t.stop = stop
	defer stop(nil)
	defer t.Queue.Close()
	t.queue = int(t.Queue.Fd())
	if err := unix.SetNonblock(t.queue, true); err != nil {
		return noWait(t.Device, err)
	}
	if t.Log == nil {
		t.Log = func(string) {}
	}
	if t.Trouble == nil {
		t.Trouble = t.Log
	}
	limit := newLogLimit(l.burst)
	t.Log, t.Trouble = limit.of(t.Log), limit.of(t.Trouble)
	carry := t.runStream
	if t.UDP {
		carry = t.runDatagrams
	}
	err := carry(inner)
	switch cause := context.Cause(inner); {
	case ctx.Err() != nil:
		return nil
	case cause != nil:
		return cause
	}
	return err
}

// fail ends the tunnel with an error, unless it is already ending.
func (t *Tunnel) fail(err error) { t.stop(err) }

// deliver writes a packet to the device. A packet that the device does not accept is dropped; only a deleted device
// ends the tunnel.
func (t *Tunnel) deliver(packet []byte) (taken bool) {
	_, err := writeNow(t.queue, packet)
	switch {
	case err == nil:
		return true
	case cause.Gone(err):
		t.fail(attach.QueueError(t.Device, err))
	default:
		t.once[refusedByDevice].Do(func() {
			t.Trouble("packets are dropped, since the device does not accept them: " + root(err).Error() +
				": is it down, or a tun at one end and a tap at the other?")
		})
	}
	return false
}

// merger returns a merger for the packets of a peer.
func (t *Tunnel) merger() *merger { return &merger{write: t.deliver, plain: !t.Offload, tap: t.Tap} }

// root returns an error without the operation and the addresses, which the caller knows.
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

// again calls try until ctx is done, with longer and longer pauses. After a connection that lasted for a while the
// pauses are short again. The first failure in a row is reported in any case, the others to Log only.
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
