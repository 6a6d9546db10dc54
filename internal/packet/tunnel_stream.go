package packet

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/netcfg"
)

// A stream is a tunnel over TCP. One goroutine reads the device, as long as the tunnel lives; each peer has one that reads from it.
// Without a peer the packets are thrown away, as on a cable that is not plugged in.
type stream struct {
	*Tunnel
	peer  atomic.Pointer[peer] // nil: none
	waits atomic.Bool          // one that may take the place of a peer that is about to be gone
	all   sync.WaitGroup
}

// A peer is one connection.
type peer struct {
	conn  *net.TCPConn
	until time.Time // the deadline of writing
	why   atomic.Value
}

// end closes the connection for a reason, of which the first one counts.
func (p *peer) end(why error) {
	p.why.CompareAndSwap(nil, ended{why})
	p.conn.Close()
}

// ended holds an error of any type, as an atomic.Value wants it.
type ended struct{ why error }

// The kernel asks an idle peer whether it is there.
func keepAlive() net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: true, Idle: probeInterval, Interval: probeInterval, Count: int(peerPatience / probeInterval)}
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
	s := &stream{Tunnel: t}
	defer s.all.Wait()
	defer t.Queue.Close() // which ends send
	if !t.Listen {
		s.all.Go(s.send)
		t.again(ctx, func() (time.Duration, error) { return s.call(ctx) })
		return nil
	}
	l := t.bound.(net.Listener)
	defer l.Close()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	t.Log("listening on " + l.Addr().String())
	s.all.Go(s.send)
	s.accept(ctx, l)
	return nil
}

// network is that of an address to listen on. 0.0.0.0 are the addresses of IPv4 alone, which Go would take for all there are.
func network(name, address string) string {
	if host, _, _ := net.SplitHostPort(address); net.ParseIP(host).To4() != nil {
		return name + "4"
	}
	return name
}

// accept takes one peer at a time. Another one is sent away: who is there cannot be driven out by who comes.
func (s *stream) accept(ctx context.Context, l net.Listener) {
	for ctx.Err() == nil {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() == nil { // out of descriptors, or a peer that was gone at once
				s.Log("accept: " + root(err).Error())
				time.Sleep(waitFirst / 10)
			}
			continue
		}
		p := &peer{conn: conn.(*net.TCPConn)}
		s.all.Go(func() {
			if !s.admit(p) {
				s.Log(conn.RemoteAddr().String() + ": refused, since another peer is connected")
				conn.Close()
				return
			}
			if why := s.converse(ctx, p); ctx.Err() == nil {
				s.Log(conn.RemoteAddr().String() + ": " + root(why).Error())
			}
		})
	}
}

// admit makes p the peer if there is none. The one before may have gone this moment, and that not be seen yet.
func (s *stream) admit(p *peer) bool {
	if s.peer.CompareAndSwap(nil, p) {
		return true
	}
	if !s.waits.CompareAndSwap(false, true) {
		return false
	}
	defer s.waits.Store(false)
	time.Sleep(lastMoment)
	return s.peer.CompareAndSwap(nil, p)
}

// call connects to the other host, and comes back when the connection is over, with how long it lasted.
func (s *stream) call(ctx context.Context) (time.Duration, error) {
	dialer := net.Dialer{Timeout: dialPatience, KeepAliveConfig: keepAlive(), Control: giveUp(peerPatience)}
	conn, err := dialer.DialContext(ctx, "tcp", s.Address)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	p := &peer{conn: conn.(*net.TCPConn)}
	s.peer.Store(p)
	err = s.converse(ctx, p)
	return time.Since(began), err
}

// converse carries packets until the connection is over, and gives back why it is.
func (s *stream) converse(ctx context.Context, p *peer) error {
	s.Log(p.conn.RemoteAddr().String() + ": connected")
	defer context.AfterFunc(ctx, func() { p.conn.Close() })()
	_ = p.conn.SetNoDelay(true)
	why := s.receive(ctx, p)
	s.peer.CompareAndSwap(p, nil)
	p.end(why)
	why = p.why.Load().(ended).why
	if why == io.EOF {
		why = errors.New("closed by the peer")
	}
	return why
}

// send carries the device's packets to whoever is the peer, until the queue is closed.
func (s *stream) send() {
	frames := newFrameWriter()
	g, err := newGatherer(s.Queue, frames)
	for err == nil {
		if err = g.gather(); err != nil {
			break
		}
		p := s.peer.Load()
		if p == nil {
			_ = frames.Flush(nil)
			continue
		}
		if now, patience := time.Now(), s.patience(writePatience); p.until.Sub(now) < patience/2 { // not with each packet
			p.until = now.Add(patience)
			_ = p.conn.SetWriteDeadline(p.until)
		}
		if err := frames.Flush(p.conn); err != nil {
			p.end(slow(err, "the peer takes no packets any more"))
		}
	}
	s.fail(netcfg.QueueError(s.Device, err))
}

// receive carries the peer's packets to the device. A packet must come as a whole in its time, however its bytes come.
func (s *stream) receive(ctx context.Context, p *peer) error {
	frames, limited := newFrameReader(p.conn), false
	for {
		packet, err := frames.Next()
		switch {
		case err != nil:
			return err
		case packet != nil:
			if limited {
				limited = false
				_ = p.conn.SetReadDeadline(time.Time{})
			}
			if !s.deliver(packet) && ctx.Err() != nil {
				return os.ErrClosed
			}
			continue
		case frames.begun() && !limited:
			limited = true
			_ = p.conn.SetReadDeadline(time.Now().Add(s.patience(framePatience)))
		}
		if err := frames.fill(); err != nil {
			return slow(err, "the peer did not send the rest of a packet")
		}
	}
}

// slow puts what a deadline meant for its error.
func slow(err error, meant string) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New(meant)
	}
	return err
}
