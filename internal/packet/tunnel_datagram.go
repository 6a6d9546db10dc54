package packet

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/attach"
	"github.com/tunadm/tunadm/internal/poll"
)

// datagramBuffer is how many bytes of datagrams may wait for the tunnel, if the kernel allows so many.
const datagramBuffer = 4 << 20

// receiveTurn is how often the socket is read before the device has its turn.
const receiveTurn = 8

// datagrams is a tunnel over UDP. One goroutine carries the packets of both directions.
type datagrams struct {
	*Tunnel
	socket int
	ipv6   bool          // the family of the socket
	peer   *datagramPeer // of a listener; nil: none yet
}

// A datagramPeer is the host with which a listener exchanges packets.
type datagramPeer struct {
	address netip.AddrPort
	raw     []byte    // the address as the socket has it
	heard   time.Time // when its last packet came
	named   bool      // by the administrator; any other address may be forged, and packets to it then go to a victim
	room    int64     // bytes that it may be sent, if it is not named
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
		return t.carryDatagrams(ctx, conn)
	}
	t.again(ctx, func() (time.Duration, error) {
		dialer := net.Dialer{Timeout: dialPatience}
		conn, err := dialer.DialContext(ctx, "udp", t.Address)
		if err != nil {
			return 0, err
		}
		t.Log("sending to " + conn.RemoteAddr().String())
		return 0, t.carryDatagrams(ctx, conn.(*net.UDPConn))
	})
	return nil
}

// carryDatagrams carries packets until ctx is done.
func (t *Tunnel) carryDatagrams(ctx context.Context, conn *net.UDPConn) error {
	_ = conn.SetReadBuffer(datagramBuffer)
	receiveTogether(conn)
	d := &datagrams{Tunnel: t}
	if local, ok := conn.LocalAddr().(*net.UDPAddr); ok {
		d.ipv6 = local.IP.To4() == nil
	}
	var err error
	if d.socket, err = takeOver(conn); err != nil {
		return noWait(t.Device, err)
	}
	defer unix.Close(d.socket)
	if t.Peer.Port() != 0 {
		d.peer = &datagramPeer{address: t.Peer, raw: rawAddress(t.Peer, d.ipv6), named: true}
	}
	w, stop, err := poll.New(ctx, nil, t.queue, d.socket)
	if err != nil {
		return noWait(t.Device, err)
	}
	defer stop()
	d.carry(w)
	return nil
}

// carry carries packets until the tunnel ends. Packets that cannot be sent are dropped.
func (d *datagrams) carry(w *poll.Waiter) {
	out, in := newDatagramWriter(d), newDatagramReader(d)
	into := newSplitter(out, d.Offload, d.Tap)
	for !w.Stopped() {
		waits := !out.flush()
		w.Watch(placeQueue, d.queue, !waits, false)
		w.Watch(placeSocket, d.socket, true, waits)
		if err := w.Expect(time.Time{}); err != nil {
			d.fail(noWait(d.Device, err))
			return
		}
		if w.Failed(placeQueue) {
			d.fail(attach.QueueError(d.Device, unix.EBADFD))
			return
		}
		if w.Ready(placeQueue) {
			if err := gather(d.queue, into); err != nil {
				d.fail(attach.QueueError(d.Device, err))
				return
			}
			out.flush()
		}
		if w.Ready(placeSocket) {
			in.receive()
		}
	}
}

// mayHave reports whether a packet may be sent to a peer. A peer that is not named gets no more bytes than it sent.
func (d *datagrams) mayHave(p *datagramPeer, n int) bool {
	size := int64(n) + ipUDP(p.address.Addr())
	if p.named {
		return true
	}
	if p.room >= size {
		p.room -= size
		return true
	}
	d.once[moreThanCame].Do(func() {
		d.Trouble("packets are dropped: a peer that --peer does not name gets no more bytes than it sent")
	})
	return false
}

// accept delivers the datagrams of one size that a sender sent, and takes note of the sender.
func (d *datagrams) accept(m *merger, buffer []byte, n, size int, raw []byte) {
	if !d.Listen {
		m.addEach(buffer, n, size)
		return
	}
	now := time.Now()
	p := d.peer
	if p == nil || !bytes.Equal(raw, p.raw) {
		var why string
		if p, why = d.hear(raw, now); p == nil {
			d.Log(addressOf(raw).String() + ": ignored, since " + why)
			return
		}
	}
	if !m.addEach(buffer, n, size) {
		return
	}
	p.heard = now
	p.room += int64(n) + int64((n+size-1)/size)*ipUDP(p.address.Addr())
	if d.peer != p {
		d.peer = p
		d.Log(p.address.String() + ": the peer is there now")
	}
}

// hear returns the peer that a sender is or becomes, or nil and why the sender is ignored.
func (d *datagrams) hear(raw []byte, now time.Time) (*datagramPeer, string) {
	from, named := addressOf(raw), d.Peer.IsValid()
	if address := from.Addr().Unmap(); named && address != d.Peer.Addr() && address.WithZone("") != d.Peer.Addr() {
		return nil, "it is not the peer"
	}
	switch p := d.peer; {
	case p != nil && p.address.Port() == from.Port() && p.address.Addr().Unmap() == from.Addr().Unmap():
		return p, ""
	case d.Peer.Port() != 0 && d.Peer.Port() != from.Port():
		return nil, "it is another port of the peer"
	case d.Peer.Port() == 0 && p != nil && now.Sub(p.heard) < d.limits.silence:
		return nil, "another peer is there"
	}
	return &datagramPeer{address: from, raw: bytes.Clone(raw), named: named}, ""
}
