package doctor

import (
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/trace"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// A refusal is the ICMP errors about a packet of the program's own sockets.
type refusal struct {
	packet  flow.Packet
	by      netip.Addr // the host that sent them
	icmp    [2]byte    // the type and the code
	packets int
}

// noteRefusal counts an ICMP error about a packet of the sockets.
func (c *carriage) noteRefusal(e trace.Event) {
	if c.refusal == nil {
		c.refusal = &refusal{packet: e.Cause, by: e.From, icmp: e.ICMP}
	}
	if r := c.refusal; r.packet.To == e.Cause.To && r.packet.ToPort == e.Cause.ToPort {
		r.packets++
	}
}

// unreachables has the meanings of the codes of the ICMP errors "destination unreachable", by whether it is IPv6.
var unreachables = map[bool]map[byte]string{
	false: {0: "network unreachable", 1: "host unreachable", 2: "protocol unreachable",
		portUnreachable4: "port unreachable",
		9:                "network prohibited", 10: "host prohibited", 13: "prohibited by a firewall"},
	true: {0: "no route", 1: "prohibited by a firewall", 3: "address unreachable",
		portUnreachable6: "port unreachable",
		5:                "source address refused", 6: "route rejected"},
}

const portUnreachable4, portUnreachable6 = 3, 4

// refusedByPeer reports that the other end, or a router, refuses what the program sends.
func (c *carriage) refusedByPeer() []Finding {
	r := c.refusal
	p, code := r.packet, r.icmp[1]
	word := unreachables[p.IPv6()][code]
	if word == "" || len(c.in) > 0 {
		return nil // such as a packet that is too long; or the tunnel works, and one of its peers is gone
	}
	to := netip.AddrPortFrom(p.To, p.ToPort)
	what := fmt.Sprintf("%s refuses what the attached program sends to %s: ICMP %s", r.by, to, word)
	seen := fmt.Sprintf("seen just now: %d of these ICMP messages to UDP port %d", r.packets, p.FromPort)
	port := map[bool]byte{false: portUnreachable4, true: portUnreachable6}[p.IPv6()]
	if code == port && r.by == p.To {
		what = fmt.Sprintf("%s refuses what the attached program sends to its UDP port %d: ICMP port unreachable", p.To,
			p.ToPort)
		return one(Error, what, "no program listens there, or a firewall there rejects the packets; "+seen,
			fix.Sentence(fmt.Sprintf("start the program at the other end that is to listen on %s, or correct the "+
				"address and the port in the configuration of the attached program", to)))
	}
	return one(Error, what, seen, fix.Sentence(fmt.Sprintf("ask the administrator of %s why it does not pass packets "+
		"to %s", r.by, to)))
}

// stuck reports whether the kernel dropped a packet of the sockets, and none to the same other end left.
func (c *carriage) stuck() bool {
	if c.unsent == nil {
		return false
	}
	for p := range c.out {
		if p.To == c.unsent.To && p.ToPort == c.unsent.ToPort {
			return false
		}
	}
	return true
}

// resolving reports whether the kernel asks for the MAC address of a next hop, and the sockets have sent nothing: it
// drops the packets that wait for it after three seconds.
func (c *carriage) resolving() bool {
	return len(c.out) == 0 && slices.ContainsFunc(c.links, func(l *netcfg.Device) bool {
		return slices.ContainsFunc(c.host.Neighbours(l.Index), evidence.Neighbour.Unanswered)
	})
}

// unsendable follows a packet of the sockets that the kernel dropped.
func (c *carriage) unsendable() (found, trail []Finding) {
	e := c.unsent
	p := flow.Packet{From: e.From, To: e.To, Protocol: e.Protocol, FromPort: e.FromPort, ToPort: e.ToPort}
	j := &journey{view: c.view, packet: p, course: carriedOut, at: c.at[p], socket: c.socketAt(p.FromPort)}
	j.packet.Mark, j.packet.Out, j.packet.OutIndex = j.socket.Mark, j.at.Name, j.at.Index
	c.view.heard = &conversation{Packet: p, packets: 1, lost: e.Reason}
	if found, trail = c.travel([]*journey{j}); slices.ContainsFunc(found, func(f Finding) bool {
		return f.Level <= Warning
	}) {
		return found, trail
	}
	what := fmt.Sprintf("the kernel drops what the attached program sends to %s: %s",
		netip.AddrPortFrom(p.To, p.ToPort), e.Reason)
	if e.Function != "" {
		what += " in " + e.Function
	}
	return append(found, c.complete("own-peer", one(Error, what, c.view.heard.String(),
		fix.Sentence("see the packets that the kernel drops: tunadm trace "+j.at.Name)))...), trail
}

// socketAt returns the socket of the program with a port.
func (c *carriage) socketAt(port uint16) *evidence.Socket {
	i := slices.IndexFunc(c.sockets, func(s evidence.Socket) bool { return s.Local.Port() == port })
	return &c.sockets[i]
}

// ownPeer finds another end that does not answer the attempts of the program to connect.
func ownPeer(j *journey) []Finding {
	const few = 2
	if j.socket == nil || j.socket.State != unix.BPF_TCP_SYN_SENT || j.socket.Retransmits < few {
		return nil
	}
	to := j.socket.Remote
	return j.weighOwn(one(Warning, fmt.Sprintf("%s does not answer the attached program, which tries to connect to "+
		"its TCP port %d", to.Addr(), to.Port()), fmt.Sprintf("the kernel has repeated the request %d times",
		j.socket.Retransmits), fix.Sentence(fmt.Sprintf("start the program at the other end that is to listen on %s, "+
		"and let the firewalls on the way pass its packets", to))))
}

// ownUplink finds a link without a carrier on the way to the other end.
func ownUplink(j *journey) []Finding {
	if j.at.Carrier || !j.at.Up {
		return nil
	}
	return j.weighOwn(one(Error, fmt.Sprintf("packets of the attached program to %s leave through %s, which has no "+
		"carrier", j.packet.To, words.Escape(j.at.Name)), "",
		fix.Sentence("connect "+words.Escape(j.at.Name)+", or bring up its other end")))
}

// ownNeighbour reports that the next hop of the program's own packets does not answer. A gateway of another route may
// be the right one.
func (j *journey) ownNeighbour(hop netip.Addr, what string) []Finding {
	list := fixes(fix.Sentence("start the host " + hop.String() + ", or correct its address"))
	match, err := j.host.Match(flow.Packet{To: j.packet.To, Mark: j.packet.Mark})
	for _, r := range j.host.UnicastThrough(j.at.Index) {
		if err == nil && hop != j.packet.To && match.To.Bits() > 0 && r.Via.IsValid() && r.Via != hop &&
			r.To.Contains(j.packet.To) {
			list = fixes(fix.Run(ip(inTable(append(family(hop), "route", "replace", match.To.String(), "via",
				r.Via.String(), "dev", j.at.Name), match.Table)...)))
		}
	}
	return j.weighOwn(one(Error, "the packets of the attached program are lost: "+what,
		"this host has no MAC address for it", list...))
}

// weighOwn judges what keeps the program's own packets: it is an error if they were seen, or if the program has sent
// nothing through the device.
func (j *journey) weighOwn(found []Finding) []Finding {
	switch {
	case j.view.heard != nil:
		found[0].Means = also(found[0].Means, j.view.heard.String())
	case j.traffic().sent > 0 || j.traffic().received == 0:
		return ok(found[0].What)
	}
	return found
}
