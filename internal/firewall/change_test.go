package firewall

import (
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/nstest"
)

// TestTheKernelAgreesOnChanges compares the packets that the kernel forwards with those that are evaluated: addresses,
// ports and TTL.
func TestTheKernelAgreesOnChanges(t *testing.T) {
	l := newLab(t)
	const header = "table ip n { chain p { type nat hook prerouting priority -100; %; }; " +
		"chain m { type filter hook prerouting priority -150; %; }; " +
		"chain f { type filter hook forward priority 0; %; }; " +
		"chain s { type nat hook postrouting priority 100; %; }; }"
	for _, chains := range [][4]string{
		{"dnat to 10.1.0.9"}, {"udp dport 5000 dnat to 10.1.0.7:6000"}, {"udp dport 5001 dnat to 10.1.0.7"},
		{"", "ip ttl set 9"}, {"", "ip ttl set 9; ip ttl 9 ip ttl set 5"}, {"", "", "ip ttl 63 ip ttl set 2"},
		{"", "ip dscp set cs1; ip dscp cs1 ip ttl set 3"}, {"", "ip ttl 9 ip ttl set 2"},
		{"", "meta mark set 0x12; meta mark set mark << 4", "meta mark 0x120 ip ttl set 4"},
		{"", "ct mark set 0x3e00; meta mark set ct mark", "meta mark & 0x3f00 == 0x3e00 ip ttl set 4"},
		{"", "meta mark set 0x12; ct mark set mark; meta mark set 0; meta mark set ct mark and 0x2",
			"meta mark 2 ip ttl set 4"},
		{"", "", "", "snat to 10.1.0.8"}, {"", "", "", "meta l4proto udp snat to 10.1.0.8:7000"},
		{"ip saddr 10.7.0.0/16 dnat to 10.1.0.9", "", "ip daddr 10.1.0.9 ip ttl set 3"},
		{"dnat to 10.1.0.9", "", "ip daddr 10.1.0.9 ip ttl set 3"},
		{"dnat to 10.1.0.9", "", "ip daddr 10.1.0.2 ip ttl set 3"},
		{"", "@th,0,16 set 77 ip ttl set 8"},
		{"", "notrack", "ct state untracked ip ttl set 3", "snat to 10.1.0.8"}, // too late
		{"", "socket transparent 1 drop"}, {"", "", "meta skuid 0 drop"}, {"", "meta ipsec exists drop"},
	} {
		rules := header
		for _, c := range chains {
			rules = strings.Replace(rules, "%;", strings.TrimPrefix(c+";", ";"), 1)
		}
		if err := l.load(rules); err != nil {
			t.Fatal(err)
		}
		rs := l.rules()
		trip := l.arriving(0, true, false, unix.IPPROTO_UDP, 5000)
		w := rs.Walk(trip.Packet)
		for _, h := range trip.hooks {
			if v := w.Hook(h); v.Action != Pass {
				t.Errorf("%q: %+v", chains, v)
			}
		}
		l.drain(1)
		if _, err := unix.Write(l.queue[0], build(trip.Packet)); err != nil {
			t.Fatal(err)
		}
		seen := false
		for _, p := range l.drain(1) {
			if p[0]>>4 != 4 || p[9] != unix.IPPROTO_UDP {
				continue
			}
			seen = true
			same(t, chains, w, p)
		}
		if !seen {
			t.Errorf("%q: the packet is lost", chains)
		}
		rs.Close()
		nstest.Run(t, "nft", "delete", "table", "ip", "n")
	}
}

// same compares the bytes of a packet with those that were evaluated, and the goals of translations.
func same(t *testing.T, chains [4]string, w *Walk, p []byte) {
	t.Helper()
	for base, got := range map[uint32][]byte{unix.NFT_PAYLOAD_NETWORK_HEADER: p[:20],
		unix.NFT_PAYLOAD_TRANSPORT_HEADER: p[20:28]} {
		if v := w.headers[base].part(0, len(got)); v.equals(got) == no {
			t.Errorf("%q: the kernel sent\n%x, evaluated as\n%x, known\n%x", chains, got, v.bits, v.known)
		}
	}
	hops, known := w.Hops()
	if !known || hops != p[8] {
		t.Errorf("%q: the kernel sent TTL %d; evaluated as %d, known %v", chains, p[8], hops, known)
	}
	if to := netip.AddrFrom4([4]byte(p[16:20])); w.Goal().IsValid() && w.Goal().Addr() != to {
		t.Errorf("%q: the kernel sent it to %s; evaluated as %s", chains, to, w.Goal())
	}
	from := netip.AddrFrom4([4]byte(p[12:16]))
	if w.Origin().IsValid() != (from != w.From) || w.Origin().IsValid() && w.Origin() != from {
		t.Errorf("%q: the kernel sent it from %s; evaluated as %v", chains, from, w.Origin())
	}
}
