package packet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tunadm/tunadm/netcfg"
)

// datagramBuffer is how many bytes of datagrams may wait for the tunnel, if the kernel allows so many.
const datagramBuffer = 4 << 20

// datagrams is a tunnel over UDP.
type datagrams struct {
	*Tunnel
	conn *net.UDPConn
	peer atomic.Pointer[netip.AddrPort] // of a listener: who sent the last packet; nil: nobody yet
}

func (t *Tunnel) runDatagrams(ctx context.Context) error {
	if t.Listen {
		config := net.ListenConfig{}
		conn, err := config.ListenPacket(ctx, network("udp", t.Address), t.Address)
		if err != nil {
			return &netcfg.Error{Device: t.Device, What: "listen on " + t.Address, Err: root(err)}
		}
		t.Log("listening on " + conn.LocalAddr().String())
		t.carryDatagrams(ctx, conn.(*net.UDPConn))
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
	_ = conn.SetReadBuffer(datagramBuffer)
	var all sync.WaitGroup
	all.Go(d.send)
	defer all.Wait()
	defer t.Queue.Close()
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	d.receive(ctx)
}

// send carries the device's packets to the peer. What cannot be sent is dropped, as on any way of packets.
func (d *datagrams) send() {
	packet := make([]byte, frameMax)
	for {
		n, err := d.Queue.Read(packet)
		if err != nil {
			d.fail(netcfg.QueueError(d.Device, root(err)))
			return
		}
		if d.Listen {
			if to := d.peer.Load(); to != nil {
				_, err = d.conn.WriteToUDPAddrPort(packet[:n], *to)
			}
		} else {
			_, err = d.conn.Write(packet[:n])
		}
		if errors.Is(err, syscall.EMSGSIZE) {
			d.once[tooLongForUDP].Do(func() {
				d.Trouble("a packet is too long for a datagram, and dropped: take a smaller MTU, or TCP")
			})
		}
	}
}

// receive carries the peer's packets to the device. A listener answers to who sent the last packet that the device took.
func (d *datagrams) receive(ctx context.Context) {
	packet := make([]byte, frameMax+1)
	for ctx.Err() == nil {
		n, from, err := d.conn.ReadFromUDPAddrPort(packet)
		switch {
		case errors.Is(err, syscall.ECONNREFUSED): // nobody is there yet, or any more
			continue
		case err != nil:
			time.Sleep(time.Millisecond)
			continue
		case n == 0 || !d.deliver(packet[:n]) || !d.Listen:
			continue
		}
		if last := d.peer.Load(); last == nil || *last != from {
			known := from
			d.peer.Store(&known)
			d.Log(from.String() + ": the peer is there now")
		}
	}
}
