package doctor

import (
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/trace"
)

// awaits reports whether the sender of a packet misses an answer if none comes. Nobody answers broadcasts and ICMP
// errors, the last segment of a TCP connection has no answer, and most routers ignore the probes of many programs.
func (v *view) awaits(e trace.Event) bool {
	const group = 1 // the bit of an Ethernet address for several hosts
	if !e.Expects || e.ToMAC[0]&group != 0 || e.Protocol == unix.IPPROTO_UDP && isProbe(e.ToPort) {
		return false
	}
	way, err := v.host.Find(flow.Packet{To: e.To})
	return err != nil || way.Refusal != 0 || way.Type != unix.RTN_BROADCAST
}

// isProbe reports whether programs send to a UDP port of each router or host to find out what it is.
func isProbe(port uint16) bool {
	const netBIOS, ssdp, portMapping = 137, 1900, 5351
	switch port {
	case netBIOS, ssdp, portMapping:
		return true
	}
	return false
}
