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
	copy(w.next(5), "early") // there is no peer yet
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
