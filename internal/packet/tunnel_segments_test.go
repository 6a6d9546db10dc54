package packet

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/nstest"
)

// TestDatagramsTravelTogether sends packets of many sizes, in batches: each comes as a datagram, in order. A receiver
// that accepts several at once gets those of one size together.
func TestDatagramsTravelTogether(t *testing.T) {
	nstest.Run(t, "ip", "link", "set", "lo", "up")
	var sizes []int
	for _, run := range [][]int{{1400, 150}, {700, 1}, {1400, 3}, {1401, 2}, {1, 70}, {32000, 5}, {65507, 1}, {9, 1}} {
		sizes = append(sizes, slices.Repeat(run[:1], run[1])...)
	}
	for _, together := range []bool{false, true} {
		to, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		defer to.Close()
		_ = to.SetReadBuffer(datagramBuffer)
		if together {
			receiveTogether(to)
		}
		w := newDatagramWriter(&datagrams{Tunnel: &Tunnel{}, socket: taken(t, dial(t, "udp", to.LocalAddr().String()))})
		for i, n := range sizes {
			fill := w.next(n)
			copy(fill, bytes.Repeat([]byte{byte(i)}, n))
		}
		if !w.flush() {
			t.Fatal("the socket has no room")
		}
		calls := 0
		buffer, control := make([]byte, frameMax), make([]byte, controlRoom)
		_ = to.SetReadDeadline(time.Now().Add(patience))
		for i := 0; i < len(sizes); calls++ {
			n, c, _, _, err := to.ReadMsgUDPAddrPort(buffer, control)
			if err != nil {
				t.Fatal(i, err)
			}
			size := n
			if each := sizeOfEach(control[:c]); each > 0 {
				size = each
			}
			for at := 0; at < n; at += size {
				got := buffer[at:min(at+size, n)]
				if len(got) != sizes[i] || got[0] != byte(i) || got[len(got)-1] != byte(i) {
					t.Fatalf("datagram %d has %d bytes from packet %d, want %d", i, len(got), got[0], sizes[i])
				}
				i++
			}
		}
		if together && calls > len(sizes)/4 || !together && calls != len(sizes) {
			t.Errorf("together %t: %d calls for %d packets", together, calls, len(sizes))
		}
	}
}

// taken takes over a socket for the time of a test.
func taken(t *testing.T, conn net.Conn) int {
	t.Helper()
	fd, err := takeOver(conn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// TestLimitedPeersGetSomeOfABatch has a peer that may have two of three packets.
func TestLimitedPeersGetSomeOfABatch(t *testing.T) {
	nstest.Run(t, "ip", "link", "set", "lo", "up")
	to, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	from, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	d := &datagrams{Tunnel: &Tunnel{Listen: true, Trouble: func(string) {}}, socket: taken(t, from)}
	w := newDatagramWriter(d)
	copy(w.next(5), "early") // no peer is connected yet
	address := netip.MustParseAddrPort(to.LocalAddr().String())
	d.peer = &datagramPeer{address: address, raw: rawAddress(address, false), room: 2*(1000+28) + 3 + 28}
	for i := range 3 {
		copy(w.next(1000), bytes.Repeat([]byte{byte(i)}, 1000))
	}
	copy(w.next(3), "end")
	w.flush()
	_ = to.SetReadDeadline(time.Now().Add(patience))
	var got []int
	for buffer := make([]byte, 2000); len(got) == 0 || got[len(got)-1] != 3; {
		n, err := to.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, n)
	}
	if !slices.Equal(got, []int{1000, 1000, 3}) {
		t.Errorf("the peer gets %d", got)
	}
}

// TestDatagramsWaitForRoom sends through a socket that has room for a few datagrams at a time.
func TestDatagramsWaitForRoom(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	w := newDatagramWriter(&datagrams{Tunnel: &Tunnel{}, socket: pair[0]})
	const all = 1000
	for i := range all {
		copy(w.next(1+i), bytes.Repeat([]byte{byte(i)}, 1+i)) // longer and longer: each travels alone
	}
	got, rounds, buffer := 0, 0, make([]byte, frameMax)
	for done := false; got < all; rounds++ {
		if done = done || w.flush(); done && got == all {
			break
		}
		for {
			n, err := unix.Read(pair[1], buffer)
			if err != nil {
				break
			}
			if n != 1+got || buffer[0] != byte(got) || buffer[n-1] != byte(got) {
				t.Fatalf("datagram %d has %d bytes of packet %d", got, n, buffer[0])
			}
			got++
		}
		if rounds > all {
			t.Fatalf("%d datagrams came", got)
		}
	}
	if rounds < 2 || !w.flush() || w.full() {
		t.Errorf("after %d rounds, %d bytes are left", rounds, w.n)
	}
}

// TestAddressesOfSockets converts addresses of each kind.
func TestAddressesOfSockets(t *testing.T) {
	nstest.Run(t, "ip", "link", "set", "lo", "up")
	for _, c := range []struct {
		address string
		ipv6    bool
		want    string
	}{
		{"192.0.2.7:5000", false, "192.0.2.7:5000"},
		{"192.0.2.7:5000", true, "[::ffff:192.0.2.7]:5000"},
		{"[2001:db8::7]:65535", true, "[2001:db8::7]:65535"},
		{"[fe80::7%lo]:1", true, "[fe80::7%lo]:1"},
		{"[fe80::7%1]:1", true, "[fe80::7%lo]:1"},
		{"[fe80::7%4000]:1", true, "[fe80::7%4000]:1"},
	} {
		if got := addressOf(rawAddress(netip.MustParseAddrPort(c.address), c.ipv6)).String(); got != c.want {
			t.Errorf("%s: %s, want %s", c.address, got, c.want)
		}
	}
	if got := addressOf([]byte{unix.AF_UNIX, 0}); got.IsValid() {
		t.Errorf("no address: %v", got)
	}
}
