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
)

// A stream is a tunnel over TCP. One goroutine reads the device as long as the tunnel runs; one for each peer reads
// from the peer. Without a peer the packets are dropped.
type stream struct {
	*Tunnel
	peer  atomic.Pointer[peer] // nil: none
	waits atomic.Bool          // a connection waits for the end of the one before
	all   sync.WaitGroup
}

// A peer is one connection.
type peer struct {
	conn  *net.TCPConn
	since time.Time   // of the connection
	heard atomic.Bool // it has sent a packet
	until time.Time   // the deadline of writing
	why   atomic.Value
}

// end closes the connection, and keeps the first reason.
func (p *peer) end(why error) {
	p.why.CompareAndSwap(nil, ended{why})
	p.conn.Close()
}

// ended holds an error of any type: an atomic.Value holds one type only.
type ended struct{ why error }

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
	t.Log("listening on " + t.boundTo(l.Addr()))
	s.all.Go(s.send)
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
		p := &peer{conn: conn.(*net.TCPConn), since: time.Now()}
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
		old.end(errors.New("it has sent nothing, and another peer connects"))
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
	began := time.Now()
	p := &peer{conn: conn.(*net.TCPConn)}
	s.peer.Store(p)
	err = s.converse(ctx, p)
	return time.Since(began), err
}

// converse carries packets until the connection ends, and returns why it ended.
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

// send carries the device's packets to the peer of the moment, until the queue is closed.
func (s *stream) send() {
	frames := newFrameWriter()
	var into gathered = frames
	if s.Offload {
		into = newSplitter(frames, true, s.Tap)
	}
	g, err := newGatherer(s.Queue, into)
	for err == nil {
		if err = g.gather(); err != nil {
			break
		}
		p := s.peer.Load()
		if p == nil {
			_ = frames.Flush(nil)
			continue
		}
		if now, patience := time.Now(), s.limits.write; p.until.Sub(now) < patience/2 { // not with each packet
			p.until = now.Add(patience)
			_ = p.conn.SetWriteDeadline(p.until)
		}
		if err := frames.Flush(p.conn); err != nil {
			p.end(slow(err, "the peer accepts no packets any more"))
		}
	}
	s.fail(s.queueError(err))
}

// receive carries the peer's packets to the device. The time for a packet runs from its first byte to its last.
func (s *stream) receive(ctx context.Context, p *peer) error {
	frames, limited := newFrameReader(p.conn), false
	m := s.merger()
	for {
		packet, err := frames.Next()
		if packet != nil {
			p.heard.Store(true)
			if limited {
				limited = false
				_ = p.conn.SetReadDeadline(time.Time{})
			}
			m.add(frames.buffer, frames.start-len(packet), frames.start)
			continue
		}
		m.flush()
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return os.ErrClosed
		case frames.begun() && !limited:
			limited = true
			_ = p.conn.SetReadDeadline(time.Now().Add(s.limits.frame))
		}
		if err := frames.fill(); err != nil {
			return slow(err, "the peer did not send the rest of a packet")
		}
	}
}

// slow replaces the error of a deadline by what it means.
func slow(err error, meant string) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New(meant)
	}
	return err
}
