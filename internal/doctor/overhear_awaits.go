package doctor

import (
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/trace"
)

// awaits reports whether the sender of a packet misses an answer if none comes. Nobody answers broadcasts and ICMP
// errors, the last segment of a TCP connection has no answer, most routers ignore the probes of many programs, and
// reports are sent in one direction.
func (v *view) awaits(e trace.Event) bool {
	const group = 1 // the bit of an Ethernet address for several hosts
	if !e.Expects || e.ToMAC[0]&group != 0 || e.Protocol == unix.IPPROTO_UDP && isOneWay(e.ToPort) {
		return false
	}
	way, err := v.host.Find(flow.Packet{To: e.To})
	return err != nil || way.Refusal != 0 || way.Type != unix.RTN_BROADCAST
}

// isOneWay reports whether no answer to packets to a UDP port is due: programs send probes to each router or host to
// find out what it is, and nobody answers logs, metrics and flows.
func isOneWay(port uint16) bool {
	const netBIOS, ssdp, portMapping = 137, 1900, 5351
	const trap, syslog, netFlow, ipfix, sFlow, statsD, netFlow9, gelf, collectd = 162, 514, 2055, 4739, 6343, 8125,
		9995, 12201, 25826
	switch port {
	case netBIOS, ssdp, portMapping, trap, syslog, netFlow, ipfix, sFlow, statsD, netFlow9, gelf, collectd:
		return true
	}
	return false
}

// asks reports whether a packet is a request and not an answer: each end may ping the other.
func asks(e trace.Event) bool {
	echoes := e.Protocol == unix.IPPROTO_ICMP || e.Protocol == unix.IPPROTO_ICMPV6
	return e.Expects && (echoes || e.Protocol == unix.IPPROTO_TCP)
}

// triedOnce reports whether the sender may repeat a packet that has no answer.
func (c *conversation) triedOnce() bool {
	return c.packets == 1 && !c.answered && !c.stray && c.Protocol != unix.IPPROTO_UDP
}
