package doctor

import (
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/trace"
)

// A reach is what the answers of hosts behind the device prove.
type reach struct {
	echoed    []netip.Addr // these answer the pings of this host
	transport bool         // a host answered a TCP or UDP packet of this host, or refused it: checksums are right
}

// isTransport reports whether a checksum over the content is a part of a packet's protocol.
func isTransport(protocol uint8) bool {
	return protocol == unix.IPPROTO_TCP || protocol == unix.IPPROTO_UDP
}

// noteRefused notes the conversation that an ICMP error is about. A host refuses only packets whose checksum is right.
func noteRefused(all []*conversation, e trace.Event) {
	if e.ToProgram || !e.Cause.To.IsValid() {
		return
	}
	for _, c := range all {
		c.refused = c.refused || c.has(e.Cause)
	}
}

// noteReach notes what the answers to packets of this host prove.
func (v *view) noteReach(all []*conversation) {
	v.reach = reach{}
	for _, c := range all {
		switch {
		case !v.isOwn(c.From) || !c.answered && !c.refused:
		case isTransport(c.Protocol):
			v.reach.transport = true
		case c.answered:
			v.reach.echoed = append(v.reach.echoed, c.To)
		}
	}
}

// unfinished finds TCP and UDP packets of this host whose checksum the attached program is to finish, and likely does
// not: hosts answer pings, and none of these packets.
func (v *view) unfinished(c *conversation) []Finding {
	thinks := c.Protocol == unix.IPPROTO_UDP && !c.repeated() // the kernel answers TCP at once
	if !isTransport(c.Protocol) || !c.unfinished || thinks || c.answered || c.refused || c.stray || !v.isOwn(c.From) ||
		v.reach.transport || !v.host.LeavesChecksums(v.device.Name) {
		return nil
	}
	echoed := slices.Contains(v.reach.echoed, c.To)
	if !echoed && v.device.VnetHdr { // the program may finish it, and the host be off
		return nil
	}
	d := v.device
	why := "the program attached without IFF_VNET_HDR, so nothing tells it to finish them"
	if d.VnetHdr {
		why = "the program likely ignores the virtio header, which tells it to finish them"
	}
	level, seen := Warning, ""
	if echoed {
		seen = fmt.Sprintf("; %s answers pings, and no host behind the device answers TCP or UDP", c.To)
	}
	if echoed && !d.VnetHdr {
		level = Error
	}
	option := fix.Sentence("or make the program finish the checksums, or attach without checksum offload (TUN_F_CSUM)")
	return one(level, fmt.Sprintf("TCP and UDP packets of this host reach the program with unfinished checksums "+
		"(tx-checksumming on): %s", why), "the receiver drops packets with a wrong checksum"+seen,
		fix.Run(fix.InNamespace("ethtool", "-K", d.Name, "tx", "off")), option)
}
