package doctor

import (
	"net/netip"
	"testing"

	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/netcfg"
)

// TestManyClients watches a server with more clients than doctor remembers, of which the first one is answered from
// another address than the one that it asked.
func TestManyClients(t *testing.T) {
	server, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.1")
	c := &carriage{in: map[flow.Packet]int{}, out: map[flow.Packet]int{}, at: map[flow.Packet]*netcfg.Device{}}
	for i := range uint16(10000) {
		client := netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)})
		p := flow.Packet{From: client, To: server, Protocol: 17, FromPort: 4000, ToPort: 1194}
		c.note(c.in, p, nil)
		if p = mirror(p); i == 0 {
			p.From = other
		}
		c.note(c.out, p, nil)
	}
	right, asked, answer := c.answers()
	if !right || asked.To != server || answer.From != other || asked.From != answer.To {
		t.Errorf("got %v, %v, %v", right, asked, answer)
	}
	if n := len(c.in) + len(c.out) + len(c.at); n > 2048 {
		t.Errorf("%d packets are remembered", n)
	}
}
