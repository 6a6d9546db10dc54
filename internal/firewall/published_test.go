package firewall

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/flow"
)

// TestPublishes compares what is read of rules that lead packets elsewhere with what the rules ask for.
func TestPublishes(t *testing.T) {
	l := newLab(t)
	any4, to := netip.IPv4Unspecified(), netip.MustParseAddr("10.1.0.9")
	for _, c := range []struct {
		rule string
		want flow.Packet
		port uint16
	}{
		{"dnat to 10.1.0.9", flow.Packet{To: any4}, 0},
		{"tcp dport 80 dnat to 10.1.0.9:8080", flow.Packet{To: any4, Protocol: unix.IPPROTO_TCP, ToPort: 80}, 8080},
		{"iifname eth7 ip daddr 10.0.0.1 udp dport { 80, 81 } dnat to 10.1.0.9", flow.Packet{In: "eth7",
			To: netip.MustParseAddr("10.0.0.1"), Protocol: unix.IPPROTO_UDP, ToPort: 80}, 0},
		{`iifname != "eth7" ip saddr 10.0.0.7 tcp dport 80-90 dnat to 10.1.0.9`, flow.Packet{To: any4,
			From: netip.MustParseAddr("10.0.0.7"), Protocol: unix.IPPROTO_TCP, ToPort: 80}, 0},
		{`iifname "eth*" ip daddr 10.0.0.0/20 tcp dport 80 dnat to 10.1.0.9`, flow.Packet{To: any4,
			Protocol: unix.IPPROTO_TCP, ToPort: 80}, 0},
		{"iifname { eth7, eth8 } ip daddr { 10.0.0.1, 10.0.0.2 } dnat to 10.1.0.9", flow.Packet{To: any4}, 0},
		{"iifname { eth7 } ip daddr { 10.0.0.0/24 } dnat to 10.1.0.9", flow.Packet{In: "eth7", To: any4}, 0},
		{"ip daddr 10.0.0.1-10.0.0.9 dnat to 10.1.0.9", flow.Packet{To: any4}, 0},
		{"ip daddr @nets dnat to 10.1.0.9", flow.Packet{To: any4}, 0},
		{"fib daddr type local jump more", flow.Packet{To: any4, Protocol: unix.IPPROTO_UDP, ToPort: 53}, 0},
	} {
		base := "table ip n { set nets { type ipv4_addr; flags interval; elements = { 10.0.0.0/20 }; }; " +
			"chain more { udp dport 53 dnat to 10.1.0.9; }; " +
			"chain p { type nat hook prerouting priority -100; " + c.rule + "; }; }"
		if err := l.load("table ip n { }; delete table ip n; " + base); err != nil {
			t.Fatal(err)
		}
		rs := l.rules()
		got := rs.Publishes(false)
		rs.Close()
		if len(got) == 0 {
			t.Errorf("%q: nothing was found", c.rule)
			continue
		}
		p := got[len(got)-1] // the chain "more" comes first
		if p.To.Addr() != to || p.To.Port() != c.port || p.Packet != c.want {
			t.Errorf("%q: %v %+v, want port %d %+v", c.rule, p.To, p.Packet, c.port, c.want)
		}
	}
}
