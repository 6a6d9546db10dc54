package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/words"
)

// listener finds packets for this host that no program accepts: with a port, because no socket has it or none accepts
// it there, or because the program that has the socket does not read it.
func listener(j *journey) []Finding {
	p := j.packet
	if p.Protocol != unix.IPPROTO_TCP && p.Protocol != unix.IPPROTO_UDP || p.ToPort == 0 {
		return j.refusedPorts()
	}
	if j.layer3().MasterKind == "vrf" || j.misled() {
		return nil // a VRF has sockets of its own, and the packet may have another port
	}
	all, err := j.host.Listeners(p.Protocol, p.ToPort)
	if err != nil {
		return one(Unknown, "whether a program listens: the kernel does not list sockets: "+err.Error(), "")
	}
	to, from := netip.AddrPortFrom(p.To, p.ToPort), netip.AddrPortFrom(p.From, p.FromPort)
	takes := func(l evidence.Listener) bool { return l.Takes(to, from, j.layer3().Index) }
	if i := slices.IndexFunc(all, takes); i >= 0 {
		return j.overflowing(all[i])
	}
	port := fmt.Sprintf("%s port %d", protocolName(p.Protocol), p.ToPort)
	refused := j.view.heard != nil && j.view.heard.answered // as its sender knows: perhaps it is meant to be closed
	if j.shut || j.meaningless() || refused && len(all) == 0 {
		return ok("no program listens on the " + port)
	}
	answer := "the kernel answers that the port is unreachable"
	if p.Protocol == unix.IPPROTO_TCP {
		answer = "the kernel refuses the connection"
	}
	if len(all) == 0 {
		level := Error
		if j.view.heard != nil {
			level = Warning // perhaps it is meant to be closed
		}
		return one(level, fmt.Sprintf("no program listens on the %s", port), answer,
			fix.Sentence(fmt.Sprintf("start the program that is to listen on %s", to)))
	}
	var others []string
	for _, l := range all {
		if text := j.instead(l); !slices.Contains(others, text) {
			others = append(others, text)
		}
	}
	return one(Error, fmt.Sprintf("no program listens on the %s of %s: the socket with this port %s", port, p.To,
		strings.Join(others, ", and another one ")), answer,
		fix.Sentence(fmt.Sprintf("configure the program to listen on %s too, or on all addresses", p.To)))
}

// instead says which packets a socket accepts that does not accept the packet.
func (j *journey) instead(l evidence.Listener) string {
	p := j.packet
	switch bound := l.Local.Unmap(); {
	case l.Remote.IsValid():
		return "is connected to " + l.Remote.String()
	case l.Index != 0 && l.Index != j.layer3().Index:
		device := j.byIndex(l.Index)
		if device == nil {
			return "is bound to a device that does not exist any more"
		}
		text := "is bound to the device " + words.Escape(device.Name)
		if device.Index == j.device.Index {
			text += ", a bridge port; packets arrive through its bridge"
		}
		return text
	case !bound.IsUnspecified():
		text := "accepts packets to " + bound.String() + " only"
		if !bound.IsLoopback() && !bound.IsMulticast() && !j.isOwn(bound) {
			text += ", an address that this host does not have"
		}
		return text
	case p.IPv6():
		return "is one for IPv4 only (0.0.0.0)"
	}
	return "is one for IPv6 only (IPV6_V6ONLY)"
}

// overflowing finds a socket whose program does not accept connections, or does not read packets, fast enough.
func (j *journey) overflowing(l evidence.Listener) []Finding {
	port := fmt.Sprintf("%s port %d", protocolName(j.packet.Protocol), j.packet.ToPort)
	restart := fix.Sentence("restart the program that listens there")
	switch {
	case l.Full(j.packet.Protocol) && j.packet.Protocol == unix.IPPROTO_TCP:
		overflows := j.host.Counter("netstat", "TcpExt", "ListenOverflows")
		return one(Error, fmt.Sprintf("the program that listens on the %s accepts no connections: %d wait, and its "+
			"backlog is %d", port, l.Waiting, l.Most), fmt.Sprintf("the kernel drops new connections while the "+
			"backlog is full (TcpExt.ListenOverflows %d)", overflows), restart)
	case l.Full(j.packet.Protocol):
		found := one(Error, fmt.Sprintf("the program that listens on the %s does not read: %d bytes wait in its "+
			"receive buffer of %d bytes", port, l.Waiting, l.Most),
			"the kernel dropped "+packets(l.Dropped)+" to it, because the buffer was full", restart)
		found[0].counted = l.Dropped
		return found
	}
	return ok("a program listens on the " + port)
}

// refusedPorts finds packets of the program for ports of this host at which no program listens, as the counters show.
func (j *journey) refusedPorts() []Finding {
	n, full := j.host.Counter("snmp", "Udp", "NoPorts"), j.host.Counter("snmp", "Udp", "RcvbufErrors")
	if j.packet.IPv6() {
		n, full = j.host.Counter("snmp6", "", "Udp6NoPorts"), j.host.Counter("snmp6", "", "Udp6RcvbufErrors")
	}
	// Packets of this host to itself count too.
	if lo := j.link("lo"); lo != nil {
		n, full = n-min(n, lo.Stats.RxPackets), full-min(full, lo.Stats.RxPackets)
	}
	t := j.traffic()
	b := j.blame(n)
	if b.level != OK && n*2 >= t.sent {
		b.level = Warning
		found := b.finding("no program listens on the UDP ports of "+packets(b.part(n))+
			" of the program to this host (Udp.NoPorts)", "the kernel answers that the port is unreachable")
		found[0].vague = true
		return found
	}
	b = j.blame(full)
	if b.level != OK && full*10 >= t.sent {
		b.level = Warning
		return b.finding("the receive buffer of a program was full for "+packets(b.part(full))+
			" of UDP (Udp.RcvbufErrors)", "a program of this host reads its socket too slowly, or not at all")
	}
	return nil
}

// protocolName returns the name of TCP or UDP.
func protocolName(number uint8) string {
	if number == unix.IPPROTO_TCP {
		return "TCP"
	}
	return "UDP"
}
