package packet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tunadm/tunadm/internal/attach"
	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/netcfg"
)

var patience = nstest.Patience(10 * time.Second)

// device makes a tun that is up, and attaches to it.
func device(t *testing.T, name string) *os.File {
	t.Helper()
	return attachedDevice(t, name, false)
}

// attachedDevice is a device with or without virtio headers and offload.
func attachedDevice(t *testing.T, name string, offload bool) *os.File {
	t.Helper()
	nstest.Run(t, "ip", "link", "set", "lo", "up")
	nstest.NeedDriver(t)
	nstest.Run(t, "ip", "tuntap", "add", name, "mode", "tun")
	t.Cleanup(func() { _ = exec.Command("ip", "link", "del", name).Run() })
	nstest.Run(t, "ip", "link", "set", name, "mtu", "65535", "up")
	ns, err := netcfg.Open("")
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	attached, err := attach.Prepare(ns, attach.Request{Device: name, VnetHdr: offload, Offload: offload})
	if err == nil {
		err = attach.Attach(ns, attached, nil)
	}
	if err == nil {
		err = attach.Start(attached)
	}
	if err != nil {
		t.Fatal(err)
	}
	return attached[0].Queues[0]
}

// A running is a tunnel beside a test, and what it says.
type running struct {
	stop  context.CancelFunc
	ended chan error
	mu    sync.Mutex
	said  []string
}

func start(t *testing.T, tunnel *Tunnel) *running {
	t.Helper()
	return startWith(t, tunnel, unlimitedLog())
}

// unlimitedLog returns the usual limits, but without one for the log.
func unlimitedLog() limits {
	l := usual()
	l.burst = 1 << 20
	return l
}

func startWith(t *testing.T, tunnel *Tunnel, l limits) *running {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r := &running{stop: stop, ended: make(chan error, 1)}
	tunnel.Log = func(text string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.said = append(r.said, text)
	}
	if err := tunnel.Open(ctx); err != nil {
		t.Fatal(err)
	}
	go func() { r.ended <- tunnel.run(ctx, l) }()
	return r
}

// until waits until the tunnel has logged this n times.
func (r *running) until(t *testing.T, n int, text string) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if r.count(text) >= n {
			return
		}
	}
	t.Fatalf("%q is not said %d times: ... %q", text, n, r.said[max(0, len(r.said)-10):])
}

// count is how many lines have that text.
func (r *running) count(text string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.said {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// end stops the tunnel, or waits until it ends by itself.
func (r *running) end(t *testing.T, stop bool) error {
	t.Helper()
	if stop {
		r.stop()
	}
	select {
	case err := <-r.ended:
		return err
	case <-time.After(patience):
		t.Fatal("the tunnel does not end")
		return nil
	}
}

func dial(t *testing.T, network, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// closed waits until the other side closes the connection.
func closed(t *testing.T, conn net.Conn) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the connection goes on")
	}
	conn.Close()
}

// packet4 is an IPv4 packet without a payload, from and to nobody, with an experimental protocol.
var packet4 = []byte{0x45, 0, 0, 20, 0, 0, 0, 0, 64, 253, 0xe3, 0xd4, 10, 9, 0, 2, 10, 9, 0, 1}

// counted is how many packets the device has had from its program.
func counted(t *testing.T, name string) string {
	return strings.TrimSpace(nstest.Run(t, "ip", "-s", "-o", "link", "show", name))
}

// TestRubbish sends a listener what no tunnel sends. It costs the connection, and the next one works.
func TestRubbish(t *testing.T) {
	queue := device(t, "tun1")
	const address = "127.0.0.1:5001"
	r := start(t, &Tunnel{Device: "tun1", Queue: queue, Address: address, Listen: true})
	r.until(t, 1, "listening on "+address)
	for _, c := range []struct{ send, why string }{
		{"\x00\x00", "length 0"},
		{"GET / HTTP/1.1\r\n\r\n", "within a packet"},
		{"\xff\xffabc", "within a packet"},
		{"\x00", "within a packet"},
		{"", "closed by the peer"},
	} {
		conn := dial(t, "tcp", address)
		name := conn.LocalAddr().String() + ": "
		r.until(t, 1, name+"connected")
		if _, err := io.WriteString(conn, c.send); err != nil {
			t.Error(err)
		}
		_ = conn.(*net.TCPConn).CloseWrite()
		closed(t, conn)
		r.until(t, 2, name)
		r.until(t, 1, c.why)
	}
	first := dial(t, "tcp", address)
	r.until(t, 6, "connected")
	closed(t, dial(t, "tcp", address))
	r.until(t, 1, "refused, since another peer is connected")
	before := counted(t, "tun1")
	for _, b := range framed(packet4) { // in as many pieces as can be
		if _, err := first.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(patience); counted(t, "tun1") == before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the packet is not on the device")
		}
	}
	_, _ = first.Write(framed([]byte{1})) // no packet, but a frame
	r.until(t, 1, "does not accept")
	if err := r.end(t, true); err != nil {
		t.Error(err)
	}
	closed(t, first)
}

// TestSlowPeers has one that does not send the rest of a packet, byte after byte, and one that takes nothing.
func TestSlowPeers(t *testing.T) {
	queue := device(t, "tun6")
	nstest.Run(t, "ip", "address", "add", "10.9.0.1/24", "dev", "tun6")
	const address = "127.0.0.1:5006"
	hurry := limits{frame: 300 * time.Millisecond, write: 300 * time.Millisecond, burst: 1 << 20}
	r := startWith(t, &Tunnel{Device: "tun6", Queue: queue, Address: address, Listen: true}, hurry)
	r.until(t, 1, "listening")
	idle := dial(t, "tcp", address)
	time.Sleep(400 * time.Millisecond) // a peer that has begun no packet has no deadline
	_, _ = idle.Write(framed(packet4))
	for range 1000 {
		if _, err := idle.Write([]byte{1}); err != nil {
			break
		}
		// Slow is what this peer is: the time is the input, not a wait for a condition.
		time.Sleep(20 * time.Millisecond)
	}
	r.until(t, 1, "did not send the rest of a packet")
	idle.Close()
	deaf := dial(t, "tcp", address)
	r.until(t, 2, "connected")
	out := dial(t, "udp", "10.9.0.2:9")
	defer out.Close()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		_, _ = out.Write(make([]byte, 60000))
		if r.count("accepts no packets any more") > 0 {
			break
		}
	}
	r.until(t, 1, "accepts no packets any more")
	deaf.Close()
	dial(t, "tcp", address).Close()
	r.until(t, 3, "connected")
	if err := r.end(t, true); err != nil {
		t.Error(err)
	}
}

// TestNothingLeaks lets a hundred peers come and go, and looks for what they left.
func TestNothingLeaks(t *testing.T) {
	count := func() (goroutines, files int) {
		entries, err := filepath.Glob("/proc/self/fd/*")
		if err != nil {
			t.Fatal(err)
		}
		return runtime.NumGoroutine(), len(entries)
	}
	settle := func(goroutines, files int) {
		t.Helper()
		var g, f int
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			if g, f = count(); g <= goroutines && f <= files {
				return
			}
		}
		t.Errorf("%d goroutines and %d descriptors, after %d and %d", g, f, goroutines, files)
	}
	queue := device(t, "tun2")
	goroutines, files := count()
	const address = "[::1]:5002"
	r := start(t, &Tunnel{Device: "tun2", Queue: queue, Address: address, Listen: true})
	r.until(t, 1, "listening on "+address)
	warm := dial(t, "tcp", address)
	warm.Close()
	r.until(t, 1, "closed by the peer")
	g, f := count()
	for i := range 100 {
		conn := dial(t, "tcp", address)
		name := conn.LocalAddr().String() + ": "
		r.until(t, 1, name+"connected")
		switch {
		case i%10 == 0:
			closed(t, dial(t, "tcp", address))
		case i%2 == 0:
			_, _ = conn.Write(framed(packet4))
		default:
			_, _ = conn.Write([]byte{0, 0})
			closed(t, conn)
		}
		conn.Close()
		r.until(t, 2, name)
	}
	settle(g, f)
	if err := r.end(t, true); err != nil {
		t.Error(err)
	}
	settle(goroutines, files-1) // and the device's own
}

// TestPeers has two tunnels, over each transport: packets cross, the one that calls finds the other again, and a device
// that is deleted ends both directions at once.
func TestPeers(t *testing.T) {
	for i, c := range []struct {
		address      string
		udp, offload bool
	}{
		{"127.0.0.1:5003", false, false}, {"[::1]:5003", false, false}, {"127.0.0.1:5003", false, true},
		{"127.0.0.1:5004", true, false}, {"[::1]:5004", true, false}, {"[::1]:5004", true, true},
	} {
		name := "tun3" + string(rune('a'+i))
		queue := attachedDevice(t, name, c.offload)
		address := netip.MustParseAddrPort(c.address).Addr()
		listener := start(t, &Tunnel{Device: name, Queue: queue, Address: c.address, Listen: true, UDP: c.udp,
			Peer: netip.AddrPortFrom(address, 0), Offload: c.offload})
		listener.until(t, 1, "listening")
		network := "tcp"
		if c.udp {
			network = "udp"
		}
		conn := dial(t, network, c.address)
		if c.udp {
			_, _ = conn.Write(nil)               // which is ignored
			other := dial(t, network, c.address) // which sends no packet and is not taken as the peer
			defer other.Close()
			_, _ = other.Write([]byte{1, 2})
			listener.until(t, 1, "does not accept")
			_, _ = conn.Write(packet4)
			listener.until(t, 1, "the peer is there now")
		} else {
			listener.until(t, 1, "connected")
		}
		nstest.Run(t, "ip", "address", "add", "10.9.0.1/24", "dev", name)
		out := dial(t, "udp", "10.9.0.2:9")
		size := map[bool]int{false: 65507 - 8, true: 60000}[c.udp]
		payload := bytes.Repeat([]byte("abcdefg"), size/7)
		for _, n := range []int{1, 1400, len(payload)} {
			_, _ = out.Write(payload[:n])
			expect(t, conn, c.udp, payload[:n])
		}
		out.Close()
		nstest.Run(t, "ip", "link", "del", name)
		e := new(cause.Error)
		if err := listener.end(t, false); !errors.As(err, &e) || e.Cause != cause.NoDevice {
			t.Errorf("%s: after its device was deleted: %v", c.address, err)
		}
		conn.Close()
	}
}

// expect reads packets until there is one with that payload at its end.
func expect(t *testing.T, conn net.Conn, udp bool, payload []byte) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	packet := make([]byte, frameMax)
	for {
		n, err := 0, error(nil)
		if udp {
			n, err = conn.Read(packet)
		} else if _, err = io.ReadFull(conn, packet[:2]); err == nil {
			n = int(packet[0])<<8 | int(packet[1])
			_, err = io.ReadFull(conn, packet[:n])
		}
		if err != nil {
			t.Fatal(err)
		}
		if n == 28+len(payload) && slices.Equal(packet[28:n], payload) {
			return
		}
	}
}

// TestReconnecting has a peer that comes late, goes, and comes back.
func TestReconnecting(t *testing.T) {
	const address = "127.0.0.1:5005"
	r := start(t, &Tunnel{Device: "tun5", Queue: device(t, "tun5"), Address: address})
	r.until(t, 1, "connection refused; trying again")
	for i := range 2 {
		l, err := net.Listen("tcp4", address)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		r.until(t, i+1, "connected")
		l.Close()
		conn.Close()
		r.until(t, i+1, "closed by the peer; trying again")
	}
	if err := r.end(t, true); err != nil {
		t.Error(err)
	}
}

// TestASocketWithoutAnAddress gives a listener a socket whose address the kernel does not report.
func TestASocketWithoutAnAddress(t *testing.T) {
	queue, other, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	ctx, cancel := context.WithCancel(t.Context())
	said := ""
	tunnel := &Tunnel{Listen: true, UDP: true, Address: "127.0.0.1:5000", Queue: queue, bound: &net.UDPConn{}}
	tunnel.Log = func(line string) {
		said += line
		cancel()
	}
	if err := tunnel.Run(ctx); err != nil || said != "listening on 127.0.0.1:5000" {
		t.Errorf("got %v, %q", err, said)
	}
}
