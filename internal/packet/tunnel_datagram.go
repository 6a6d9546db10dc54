package packet

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// datagramBuffer is how many bytes of datagrams may wait for the tunnel, if the kernel allows so many.
const datagramBuffer = 4 << 20

// datagrams is a tunnel over UDP.
type datagrams struct {
	*Tunnel
	conn *net.UDPConn
	peer atomic.Pointer[datagramPeer] // of a listener; nil: none yet
}

// A datagramPeer is the host with which a listener exchanges packets.
type datagramPeer struct {
	address netip.AddrPort
	heard   time.Time // when its last packet came; only receive uses it
	named   bool      // by the administrator; any other address may be forged, and packets to it then go to a victim
	room    atomic.Int64
}

// ipUDP returns the length in bytes of the headers of a datagram, so that many short datagrams count as much as they
// cost.
func ipUDP(a netip.Addr) int64 {
	if a.Unmap().Is4() {
		return 20 + 8
	}
	return 40 + 8
}

func (t *Tunnel) runDatagrams(ctx context.Context) error {
	if t.Listen {
		conn := t.bound.(*net.UDPConn)
		t.Log("listening on " + t.boundTo(conn.LocalAddr()))
		t.carryDatagrams(ctx, conn)
		return nil
	}
	t.again(ctx, func() (time.Duration, error) {
		dialer := net.Dialer{Timeout: dialPatience}
		conn, err := dialer.DialContext(ctx, "udp", t.Address)
		if err != nil {
			return 0, err
		}
		t.Log("sending to " + conn.RemoteAddr().String())
		t.carryDatagrams(ctx, conn.(*net.UDPConn))
		return 0, nil
	})
	return nil
}

// carryDatagrams carries packets until ctx is done.
func (t *Tunnel) carryDatagrams(ctx context.Context, conn *net.UDPConn) {
	d := &datagrams{Tunnel: t, conn: conn}
	if t.Peer.Port() != 0 {
		d.peer.Store(&datagramPeer{address: t.Peer, named: true})
	}
	_ = conn.SetReadBuffer(datagramBuffer)
	receiveTogether(conn)
	var all sync.WaitGroup
	all.Go(d.send)
	defer all.Wait()
	defer t.Queue.Close()
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	d.receive(ctx)
}

// send carries the device's packets to the peer. Packets that cannot be sent are dropped.
func (d *datagrams) send() {
	w := newDatagramWriter(d)
	g, err := newGatherer(d.Queue, newSplitter(w, d.Offload, d.Tap))
	for err == nil {
		if err = g.gather(); err == nil {
			w.flush()
		}
	}
	d.fail(d.queueError(err))
}

// mayHave reports whether a packet may be sent to a peer. A peer that is not named gets no more bytes than it sent.
func (d *datagrams) mayHave(p *datagramPeer, n int) bool {
	size := int64(n) + ipUDP(p.address.Addr())
	if p.named || p.room.Add(-size) >= 0 {
		return true
	}
	p.room.Add(size)
	d.once[moreThanCame].Do(func() {
		d.Trouble("packets are dropped: a peer that --peer does not name gets no more bytes than it sent")
	})
	return false
}

// receive carries the peer's packets to the device.
func (d *datagrams) receive(ctx context.Context) {
	buffer, control, m := make([]byte, offloadRoom+frameMax+1), make([]byte, controlRoom), d.merger()
	for ctx.Err() == nil {
		n, c, _, from, err := d.conn.ReadMsgUDPAddrPort(buffer[offloadRoom:], control)
		switch {
		case errors.Is(err, syscall.ECONNREFUSED): // no program listens there
			continue
		case err != nil:
			time.Sleep(time.Millisecond)
			continue
		case n == 0:
			continue
		}
		size := cmp.Or(sizeOfEach(control[:c]), n)
		if !d.Listen {
			m.addEach(buffer, n, size)
			continue
		}
		now := time.Now()
		p, why := d.hear(from, now)
		if p == nil {
			d.Log(from.String() + ": ignored, since " + why)
			continue
		}
		if !m.addEach(buffer, n, size) {
			continue
		}
		p.heard = now
		p.room.Add(int64(n) + int64((n+size-1)/size)*ipUDP(from.Addr()))
		if d.peer.Swap(p) != p {
			d.Log(from.String() + ": the peer is there now")
		}
	}
}

// hear returns the peer that a sender is or becomes, or nil and why the sender is ignored.
func (d *datagrams) hear(from netip.AddrPort, now time.Time) (*datagramPeer, string) {
	named := d.Peer.IsValid()
	if address := from.Addr().Unmap(); named && address != d.Peer.Addr() && address.WithZone("") != d.Peer.Addr() {
		return nil, "it is not the peer"
	}
	switch p := d.peer.Load(); {
	case p != nil && p.address.Port() == from.Port() && p.address.Addr().Unmap() == from.Addr().Unmap():
		return p, ""
	case d.Peer.Port() != 0 && d.Peer.Port() != from.Port():
		return nil, "it is another port of the peer"
	case d.Peer.Port() == 0 && p != nil && now.Sub(p.heard) < d.limits.silence:
		return nil, "another peer is there"
	}
	return &datagramPeer{address: from, named: named}, ""
}
