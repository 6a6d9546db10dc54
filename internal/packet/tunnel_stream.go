package packet

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/poll"
)

// A stream is a tunnel over TCP. A carrier carries the packets as long as the tunnel runs, for one peer after another.
// Without a peer the device's packets are dropped.
type stream struct {
	*Tunnel
	peer    atomic.Pointer[peer] // nil: none
	bell    int                  // an eventfd, which rings for the carrier
	waits   atomic.Bool          // a connection waits for the end of the one before
	all     sync.WaitGroup
	carried chan struct{} // closed when the carrier has ended
}

// A peer is one connection.
type peer struct {
	name     string // its address
	socket   int
	since    time.Time             // of the connection
	heard    atomic.Bool           // it has sent a packet
	unwanted atomic.Pointer[error] // why the carrier should end the connection; nil: it should not
	ended    chan struct{}         // closed when the carrier has left it
	why      error                 // then: why
}

// newPeer takes over a connection.
func newPeer(conn net.Conn) (*peer, error) {
	p := &peer{name: conn.RemoteAddr().String(), since: time.Now(), ended: make(chan struct{})}
	_ = conn.(*net.TCPConn).SetNoDelay(true)
	var err error
	p.socket, err = takeOver(conn)
	return p, err
}

// ring has the carrier look for a peer.
func (s *stream) ring() { _, _ = writeNow(s.bell, binary.NativeEndian.AppendUint64(nil, 1)) }

// keepAlive returns how the kernel probes an idle peer.
func keepAlive() net.KeepAliveConfig {
	return net.KeepAliveConfig{
		Enable: true, Idle: probeInterval, Interval: probeInterval, Count: int(peerPatience / probeInterval),
	}
}

// giveUp returns the Control of a net.Dialer or of a net.ListenConfig that ends a TCP connection if the peer does not
// acknowledge data within a time. A listener passes the time on to its connections.
func giveUp(after time.Duration) func(network, address string, c syscall.RawConn) error {
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

func (t *Tunnel) runStream(ctx context.Context) error {
	bell, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return noWait(t.Device, err)
	}
	defer unix.Close(bell)
	s := &stream{Tunnel: t, bell: bell, carried: make(chan struct{})}
	w, stop, err := poll.New(ctx, nil, t.queue, -1, bell)
	if err != nil {
		return noWait(t.Device, err)
	}
	defer stop()
	defer s.all.Wait()
	carrier := newCarrier(s, w)
	if !t.Listen {
		s.all.Go(carrier.carry)
		t.again(ctx, func() (time.Duration, error) { return s.call(ctx) })
		return nil
	}
	l := t.bound.(net.Listener)
	defer l.Close()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	t.Log("listening on " + t.boundTo(l.Addr()))
	s.all.Go(carrier.carry)
	s.accept(ctx, l)
	return nil
}

// network returns the network of an address to listen on. For Go 0.0.0.0 includes IPv6; here it does not.
func network(name, address string) string {
	if host, _, _ := net.SplitHostPort(address); net.ParseIP(host).To4() != nil {
		return name + "4"
	}
	return name
}

// accept accepts one peer at a time, and refuses others: a newcomer cannot drive out a peer that sends packets.
func (s *stream) accept(ctx context.Context, l net.Listener) {
	for ctx.Err() == nil {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() == nil { // out of descriptors, or the peer has closed the connection already
				s.Log("accept: " + root(err).Error())
				time.Sleep(waitFirst / 10)
			}
			continue
		}
		s.all.Go(func() {
			p, err := newPeer(conn)
			if err != nil {
				s.Log(p.name + ": " + err.Error())
				return
			}
			if !s.admit(p) {
				s.Log(p.name + ": refused, since another peer is connected")
				unix.Close(p.socket)
				return
			}
			if why := s.converse(p); ctx.Err() == nil {
				s.Log(p.name + ": " + why.Error())
			}
		})
	}
}

// admit makes p the peer if there is none. It ends the connection of a peer that has sent nothing for a time, and waits
// a moment for the end of a connection that has just been closed.
func (s *stream) admit(p *peer) bool {
	if s.peer.CompareAndSwap(nil, p) {
		return true
	}
	if !s.waits.CompareAndSwap(false, true) {
		return false
	}
	defer s.waits.Store(false)
	if old := s.peer.Load(); old != nil && !old.heard.Load() && time.Since(old.since) >= s.limits.silence {
		why := errors.New("it has sent nothing, and another peer connects")
		old.unwanted.Store(&why)
		s.ring()
	}
	time.Sleep(lastMoment)
	return s.peer.CompareAndSwap(nil, p)
}

// call connects to the other host, and returns at the end of the connection, with its duration.
func (s *stream) call(ctx context.Context) (time.Duration, error) {
	dialer := net.Dialer{Timeout: dialPatience, KeepAliveConfig: keepAlive(), Control: giveUp(peerPatience)}
	conn, err := dialer.DialContext(ctx, "tcp", s.Address)
	if err != nil {
		return 0, err
	}
	p, err := newPeer(conn)
	if err != nil {
		return 0, err
	}
	s.peer.Store(p)
	err = s.converse(p)
	return time.Since(p.since), err
}

// converse has the carrier carry packets until the connection ends, and returns why it ended.
func (s *stream) converse(p *peer) error {
	defer unix.Close(p.socket)
	s.Log(p.name + ": connected")
	s.ring()
	select {
	case <-p.ended:
	case <-s.carried:
		return os.ErrClosed
	}
	if p.why == io.EOF {
		return errors.New("closed by the peer")
	}
	return p.why
}
