package firewall

import (
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/nstest"
)

// TestTheKernelAgreesOnMasquerading compares the source of packets that the kernel forwards with MasqueradesFor.
func TestTheKernelAgreesOnMasquerading(t *testing.T) {
	l := newLab(t)
	for _, rule := range []string{
		"masquerade", "oifname vpn1 masquerade", "oifname != vpn1 masquerade",
		"ip saddr 10.0.0.0/24 snat to 10.1.0.9",
		"ip saddr 10.7.0.0/24 masquerade", "ip daddr != 10.1.0.0/16 masquerade", "iifname tun0 accept; masquerade",
		"meta l4proto udp masquerade", "meta l4proto tcp masquerade",
		"udp dport 5000 masquerade", "meta mark 7 masquerade",
		"ct status dnat masquerade", "fib saddr type unicast masquerade", "",
		"masquerade; }; chain r { type filter hook prerouting priority -300; udp dport 5000 notrack",
		"masquerade; }; chain r { type filter hook prerouting priority -300; udp dport 5001 notrack",
		"masquerade; }; chain r { type filter hook prerouting priority -150; notrack", // too late
	} {
		base := "table ip n { chain p { type nat hook postrouting priority 100; "
		if err := l.load(base + rule + "; }; }"); err != nil {
			t.Fatal(err)
		}
		rs := l.rules()
		if untracks := rs.Untracks(l.arriving(0, true, false, unix.IPPROTO_UDP, 5000).Packet) != nil; untracks !=
			strings.Contains(rule, "5000 notrack") {
			t.Errorf("%q: takes the packet out of connection tracking: %v", rule, untracks)
		}
		trip := l.arriving(0, true, false, unix.IPPROTO_UDP, 5000)
		is, known := rs.MasqueradesFor(trip.Packet)
		l.drain(1)
		if _, err := unix.Write(l.queue[0], build(trip.Packet)); err != nil {
			t.Fatal(err)
		}
		for _, p := range l.drain(1) {
			if destination(p) != trip.To {
				continue
			}
			source := netip.AddrFrom4([4]byte(p[12:16]))
			if !known || is != (source != trip.From) {
				t.Errorf("%q: the kernel sent %s as %s; evaluated as %v, known %v", rule, trip.From, source, is, known)
			}
			trip.To = netip.Addr{} // seen
		}
		if trip.To.IsValid() {
			t.Errorf("%q: the packet is lost", rule)
		}
		rs.Close()
		nstest.Run(t, "nft", "delete", "table", "ip", "n")
	}
}
