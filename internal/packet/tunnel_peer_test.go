package packet

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tunadm/tunadm/internal/nstest"
)

// A lodge is a listener over UDP with a device that sends packets to who is its peer.
type lodge struct {
	*running
	address string
	out     net.Conn
}

func newLodge(t *testing.T, name, address string, tunnel *Tunnel, within limits) *lodge {
	t.Helper()
	tunnel.Device, tunnel.Queue, tunnel.Address, tunnel.Listen, tunnel.UDP = name, device(t, name), address, true, true
	nstest.Run(t, "ip", "address", "add", "10.9.0.1/24", "dev", name)
	l := &lodge{running: startWith(t, tunnel, within), address: address, out: dial(t, "udp", "10.9.0.2:9")}
	t.Cleanup(func() {
		l.out.Close()
		if err := l.end(t, true); err != nil {
			t.Error(err)
		}
	})
	l.until(t, 1, "listening")
	return l
}

// hears sends a packet to the listener until its device has it.
func (l *lodge) hears(t *testing.T, name string, conn net.Conn) {
	t.Helper()
	before := counted(t, name)
	if _, err := conn.Write(packet4); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); counted(t, name) == before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the packet is not on the device")
		}
	}
}

// bytes is how much comes to a peer, with the headers, after the device has sent packets. It waits for the least that
// should come, and then until nothing more comes.
func (l *lodge) bytes(t *testing.T, conn net.Conn, packets, least int) (sum int) {
	t.Helper()
	for range packets {
		if _, err := l.out.Write(make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
	}
	packet := make([]byte, frameMax)
	for {
		wait := nstest.Patience(300 * time.Millisecond) // only waiting shows that nothing comes
		if sum < least {
			wait = patience
		}
		_ = conn.SetReadDeadline(time.Now().Add(wait))
		n, err := conn.Read(packet)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return sum
		}
		if err != nil {
			t.Fatal(err)
		}
		sum += n + 28
	}
}

// TestAForgedDatagramRedirectsNothing has strangers beside the first peer, and one that takes its place when it was
// silent.
func TestAForgedDatagramRedirectsNothing(t *testing.T) {
	hurry := unlimitedLog()
	hurry.silence = nstest.Patience(2 * time.Second)
	l := newLodge(t, "tun40", "127.0.0.1:5040", &Tunnel{}, hurry)
	first, stranger := dial(t, "udp", l.address), dial(t, "udp", l.address)
	defer first.Close()
	defer stranger.Close()
	for range 20 {
		l.hears(t, "tun40", first)
	}
	_, _ = stranger.Write(packet4)
	l.until(t, 1, stranger.LocalAddr().String()+": ignored, since another peer is there")
	if n := l.bytes(t, stranger, 3, 0); n != 0 {
		t.Errorf("a stranger got %d bytes", n)
	}
	if n := l.bytes(t, first, 0, 1); n == 0 {
		t.Error("the peer got nothing")
	}
	there := stranger.LocalAddr().String() + ": the peer is there now"
	for deadline := time.Now().Add(patience); l.count(there) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody takes the place of a peer that is silent")
		}
		_, _ = stranger.Write(packet4)
	}
}

// TestNoPeerGetsMoreThanItSent floods a peer that --peer does not name, whose address may be forged.
func TestNoPeerGetsMoreThanItSent(t *testing.T) {
	l := newLodge(t, "tun41", "[::]:5041", &Tunnel{}, unlimitedLog())
	peer := dial(t, "udp", "127.0.0.1:5041")
	defer peer.Close()
	sent := 0
	for range 10 {
		l.hears(t, "tun41", peer)
		sent += len(packet4) + 28
	}
	if got := l.bytes(t, peer, 100, 1); got == 0 || got > sent {
		t.Errorf("%d bytes came for %d", got, sent)
	}
	l.until(t, 1, "gets no more bytes than it sent")
}

// TestTheNamedPeer checks that packets are exchanged with the named peer only, from the start.
func TestTheNamedPeer(t *testing.T) {
	peer, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	named := &Tunnel{Peer: netip.MustParseAddrPort(peer.LocalAddr().String())}
	l := newLodge(t, "tun42", "[::]:5042", named, unlimitedLog())
	const all = 100 * (128 + 28)
	if n := l.bytes(t, peer, 100, all); n < all {
		t.Errorf("%d bytes came before the first packet", n)
	}
	port := dial(t, "udp", "127.0.0.1:5042")
	defer port.Close()
	_, _ = port.Write(packet4)
	l.until(t, 1, "it is another port of the peer")
	host := dial(t, "udp", "[::1]:5042")
	defer host.Close()
	_, _ = host.Write(packet4)
	l.until(t, 1, "it is not the peer")
	if n := l.bytes(t, port, 3, 0) + l.bytes(t, host, 3, 0); n != 0 {
		t.Errorf("strangers got %d bytes", n)
	}
}

// TestAFloodIsNotLogged counts the lines for datagrams of a stranger.
func TestAFloodIsNotLogged(t *testing.T) {
	l := newLodge(t, "tun43", "127.0.0.1:5043", &Tunnel{Peer: netip.MustParseAddrPort("127.0.0.2:1")}, usual())
	stranger := dial(t, "udp", l.address)
	defer stranger.Close()
	began := time.Now()
	for range 5000 {
		_, _ = stranger.Write(packet4)
	}
	l.until(t, 10, "ignored")
	for deadline := time.Now().Add(patience); l.count("lines were left out") == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody says that lines were left out")
		}
		_, _ = stranger.Write(packet4)
	}
	lines, most := l.count(""), logBurst+2*int(time.Since(began)/logInterval+1)
	if lines > most {
		t.Errorf("%d lines, %d at most: ... %s", lines, most, strings.Join(l.said[max(0, len(l.said)-3):], "; "))
	}
}

// TestAPeerThatSendsNothingIsReplaced has a first peer over TCP that sends nothing, and a second one that sends a
// packet and then nothing.
func TestAPeerThatSendsNothingIsReplaced(t *testing.T) {
	const address = "127.0.0.1:5044"
	hurry := unlimitedLog()
	hurry.silence = nstest.Patience(300 * time.Millisecond)
	r := startWith(t, &Tunnel{Device: "tun44", Queue: device(t, "tun44"), Address: address, Listen: true}, hurry)
	r.until(t, 1, "listening on "+address)
	idle := dial(t, "tcp", address)
	defer idle.Close()
	r.until(t, 1, idle.LocalAddr().String()+": connected")
	var second net.Conn
	for deadline := time.Now().Add(patience); ; {
		second = dial(t, "tcp", address)
		defer second.Close()
		if _, err := second.Write(framed(packet4)); err != nil {
			t.Fatal(err)
		}
		if !refused(t, r, second) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody takes the place of a peer that sends nothing")
		}
	}
	r.until(t, 1, idle.LocalAddr().String()+": it has sent nothing, and another peer connects")
	before := counted(t, "tun44")
	for deadline := time.Now().Add(patience); counted(t, "tun44") == before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the packet is not on the device")
		}
		if _, err := second.Write(framed(packet4)); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(hurry.silence) // only waiting shows that the peer stays
	closed(t, dial(t, "tcp", address))
	r.until(t, 1, "refused, since another peer is connected")
	if err := r.end(t, true); err != nil {
		t.Error(err)
	}
}

// refused waits until a listener has accepted or refused a peer.
func refused(t *testing.T, r *running, conn net.Conn) bool {
	t.Helper()
	name := conn.LocalAddr().String() + ": "
	r.until(t, 1, name)
	return r.count(name+"refused") > 0
}

// TestADeafPeerIsHeard has a peer that reads nothing: its packets are delivered nevertheless, and what it has not read
// is intact and in order as soon as it reads.
func TestADeafPeerIsHeard(t *testing.T) {
	queue := device(t, "tun44")
	nstest.Run(t, "ip", "address", "add", "10.44.0.1/24", "dev", "tun44")
	const address = "127.0.0.1:5044"
	r := start(t, &Tunnel{Device: "tun44", Queue: queue, Address: address, Listen: true})
	r.until(t, 1, "listening")
	conn := dial(t, "tcp", address)
	defer conn.Close()
	r.until(t, 1, "connected")
	out := dial(t, "udp", "10.44.0.2:9")
	defer out.Close()
	payload, sent := make([]byte, 60000), uint32(0)
	before, full := statistics(t, "tun44")
	for deadline := time.Now().Add(patience); full == 0; _, full = statistics(t, "tun44") {
		if time.Now().After(deadline) {
			t.Fatal("the peer reads nothing, and the device's queue does not fill")
		}
		for range 100 {
			binary.BigEndian.PutUint32(payload, sent)
			_, _ = out.Write(payload)
			sent++
		}
	}
	if _, err := conn.Write(framed(packet4)); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if now, _ := statistics(t, "tun44"); now > before {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the packet of the deaf peer is not delivered")
		}
	}
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	head, packet, some := make([]byte, frameHead), make([]byte, frameMax), 0
	for next := uint32(0); some < 20; {
		if _, err := io.ReadFull(conn, head); err != nil {
			t.Fatal(err)
		}
		n := int(binary.BigEndian.Uint16(head))
		if _, err := io.ReadFull(conn, packet[:n]); err != nil {
			t.Fatal(err)
		}
		if n < len(payload) { // of the kernel
			continue
		}
		if number := binary.BigEndian.Uint32(packet[n-len(payload):]); n != 28+len(payload) || number < next {
			t.Fatalf("%d bytes, number %d after %d", n, number, next)
		} else {
			next = number + 1
		}
		some++
	}
	if err := r.end(t, true); err != nil {
		t.Error(err)
	}
}

// statistics are how many packets the host has received from the program of a device, and dropped before it.
func statistics(t *testing.T, name string) (received, dropped int) {
	t.Helper()
	var links []struct {
		Stats struct {
			RX struct{ Packets int }
			TX struct{ Dropped int }
		} `json:"stats64"`
	}
	if err := json.Unmarshal([]byte(nstest.Run(t, "ip", "-s", "-j", "link", "show", name)), &links); err != nil {
		t.Fatal(err)
	}
	return links[0].Stats.RX.Packets, links[0].Stats.TX.Dropped
}
