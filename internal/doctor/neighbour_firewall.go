package doctor

import (
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/firewall"
)

// resolution lets the packets pass the firewall with which this host asks for the MAC address of the program, or the
// program for that of this host: ARP, or IPv6 neighbour discovery.
func resolution(j *journey) []Finding {
	p, known := j.located(j.packet)
	if !known || !j.frames() || j.wall().err != nil {
		return nil
	}
	p.Resolves, p.Protocol, p.Size = true, 0, 0
	out := []firewall.Hook{firewall.ARPOutput, firewall.BridgeOutput, firewall.BridgePostrouting, firewall.Egress}
	in := []firewall.Hook{firewall.Ingress, firewall.BridgePrerouting, firewall.BridgeInput, firewall.ARPInput}
	if p.IPv6() {
		p.Protocol = unix.IPPROTO_ICMPV6
		out = append([]firewall.Hook{firewall.Output, firewall.Postrouting}, out[1:]...)
		in = append(in[:3:3], firewall.Prerouting, firewall.Input)
	}
	if j.course == fromProgram {
		out, in = in, out
	}
	if found := j.pass(&walk{packet: p}, out); len(found) > 0 && found[0].Level != OK {
		return found
	}
	p.From, p.To, p.In, p.Out, p.InIndex, p.OutIndex = p.To, p.From, p.Out, p.In, p.OutIndex, p.InIndex
	p.Established = true
	p.FromMAC, p.ToMAC = p.ToMAC, p.FromMAC
	return j.pass(&walk{packet: p, answer: true}, in)
}

// frameResolution lets the ARP packets between the program and other ports of its bridge pass the firewall.
func frameResolution(j *journey) []Finding {
	p, known := j.located(j.packet)
	if !known || j.wall().err != nil || p.IPv6() {
		return nil
	}
	if p.From = j.seenAt(p.FromMAC); !p.From.IsValid() {
		p.From = netip.IPv4Unspecified()
	}
	p.Resolves, p.Protocol, p.Size = true, 0, 0
	at := []firewall.Hook{firewall.Ingress, firewall.BridgePrerouting, firewall.BridgeForward,
		firewall.BridgePostrouting, firewall.Egress}
	if found := j.pass(&walk{packet: p}, at); len(found) > 0 && found[0].Level != OK {
		return found
	}
	p.Established = true
	return j.pass(&walk{packet: p, answer: true}, at)
}

// seenAt returns the IPv4 address of the neighbour with a MAC address, if there is one.
func (j *journey) seenAt(mac [6]byte) netip.Addr {
	for _, n := range j.host.Neighbours(j.layer3().Index) {
		if n.To.Is4() && n.Confirmed() && slices.Equal(n.MAC, mac[:]) {
			return n.To
		}
	}
	return netip.Addr{}
}

// weighNeighbours judges a drop of these packets by the neighbours whose MAC address this host did not find.
func (j *journey) weighNeighbours(w *walk) (level Level, means string, counted uint64) {
	if j.frame() {
		return OK, "", 0 // this host does not see these ARP packets
	}
	if j.view.heard != nil && j.view.heard.Resolves {
		return Error, "the program does not find the MAC address of this host", 0
	}
	for _, n := range j.host.Neighbours(j.layer3().Index) {
		if n.To.IsValid() && n.To.Is6() == w.packet.IPv6() && unresolved(n) {
			return Error, fmt.Sprintf("this host found no MAC address of %s", n.To), 0
		}
	}
	if t := j.traffic(); j.course == fromProgram && t.sent > 0 && t.received == 0 {
		return Error, fmt.Sprintf("the program has sent %s, and received none", packets(t.sent)), 0
	}
	return OK, "", 0
}

func unresolved(n evidence.Neighbour) bool { return n.State&(unix.NUD_INCOMPLETE|unix.NUD_FAILED) != 0 }
