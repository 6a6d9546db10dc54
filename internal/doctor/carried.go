package doctor

import (
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/firewall"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// A VPN daemon carries the packets of the device in packets of its own. If the firewall drops these, or their answers
// leave through a link of another network, nothing arrives.

// carriedInStages are the places that a packet passes on its way from another host to a socket of the program.
func carriedInStages() []stage {
	return slices.Concat(outsideStages()[:1], []stage{{"own-port", ownPort}, {"rp-filter", outerPath},
		{"firewall", hooks(firewall.Input)},
		{"firewall", answers(firewall.Output, firewall.Postrouting, firewall.Egress)}})
}

// carriedOutStages are the places that a packet passes on its way from a socket of the program to another host.
func carriedOutStages() []stage {
	return []stage{
		{"ipsec", encryptedOwn}, {"firewall", hooks(firewall.Output, firewall.Postrouting, firewall.Egress)},
		{"firewall", answers(firewall.Ingress, firewall.Prerouting, firewall.Input)}, {"rp-filter", outerPath},
		{"own-return", ownReturn}, {"uplink", ownUplink}, {"far-neighbour", farNeighbour},
		{"own-peer", ownPeer},
	}
}

// carriers returns the packets of the sockets of the attached programs.
func (v *view) carriers() (all []*journey) {
	const most = 16
	for _, h := range v.device.Holders {
		for _, s := range v.host.SocketsOf(h.PID) {
			if len(all) < most && !s.Local.Addr().IsLoopback() && !s.Remote.Addr().IsLoopback() {
				all = append(all, v.carrier(&s)...)
			}
		}
	}
	return all
}

// onlyCarries reports whether a link leads to the other end of the attached program, and to no unknown network.
func (v *view) onlyCarries(l *netcfg.Device, ipv6 bool) bool {
	const most = 64
	leadsTo := func(s evidence.Socket) func(netip.Addr) bool {
		return func(to netip.Addr) bool {
			way, err := v.host.Find(flow.Packet{To: to, Mark: s.Mark, UID: s.UID, OutIndex: s.Index})
			return err == nil && way.Refusal == 0 && way.Index == l.Index
		}
	}
	return slices.ContainsFunc(v.device.Holders, func(h netcfg.Holder) bool {
		all := v.host.SocketsOf(h.PID)
		return slices.ContainsFunc(all[:min(most, len(all))], func(s evidence.Socket) bool {
			return slices.ContainsFunc(v.otherEnds(&s), leadsTo(s))
		})
	}) && !v.hasDefault(l, ipv6)
}

// otherEnds returns the hosts to which a socket sends: the one that it is connected to, or those of its tracked
// connections.
func (v *view) otherEnds(s *evidence.Socket) (all []netip.Addr) {
	if s.Connected() {
		return []netip.Addr{s.Remote.Addr()}
	}
	if s.Protocol == unix.IPPROTO_UDP && s.Listens() {
		started, answered := v.conversations(s)
		for _, c := range started {
			all = append(all, c.To.Addr())
		}
		for _, c := range answered {
			all = append(all, c.From.Addr())
		}
	}
	return all
}

// carrier returns the packets of a socket.
func (v *view) carrier(s *evidence.Socket) (all []*journey) {
	out := func(from, to netip.AddrPort) {
		p := flow.Packet{From: from.Addr(), To: to.Addr(), Protocol: s.Protocol, FromPort: from.Port(),
			ToPort: to.Port(), Mark: s.Mark, UID: s.UID, OutIndex: s.Index}
		way, err := v.host.Find(p)
		if err != nil || way.Refusal != 0 || way.Local() || way.Index == v.device.Index {
			return // the check own-tunnel reports the last
		}
		if l := v.byIndex(way.Index); l != nil {
			p.Out, p.OutIndex = l.Name, l.Index
			all = append(all, &journey{view: v, packet: p, course: carriedOut, at: l, socket: s})
		}
	}
	if s.Connected() {
		if s.Protocol == unix.IPPROTO_UDP || s.State == unix.BPF_TCP_SYN_SENT {
			out(s.Local, s.Remote)
		}
		return all
	}
	if !s.Listens() {
		return nil
	}
	started, answered := v.conversations(s)
	taken, elsewhere := v.taken(s)
	for _, c := range started {
		out(c.From, c.To)
	}
	for _, c := range answered {
		out(c.To, c.From)
	}
	if len(started)+len(answered) > 0 || elsewhere {
		return all // its port is open, or the program speaks first, or the port is not meant for it
	}
	if led := v.takings(s, taken); len(led) > 0 {
		return append(all, led...)
	}
	local := s.Local.Addr()
	entrances := v.entrances(local.Is6() && !local.IsUnspecified())
	for i, in := range entrances {
		if in.link.Index != s.Index && s.Index != 0 || !local.IsUnspecified() && local != in.own ||
			i > 0 && !v.hasDefault(in.link, in.own.Is6()) && v.hasDefault(entrances[0].link, in.own.Is6()) {
			continue
		}
		all = append(all, &journey{view: v, course: carriedIn, at: in.link, socket: s, packet: flow.Packet{
			From: in.far, To: in.own, Protocol: s.Protocol, ToPort: s.Local.Port(), In: in.link.Name,
			InIndex: in.link.Index}})
	}
	return all
}

// conversations returns tracked connections of a socket that the program has started, and others.
func (v *view) conversations(s *evidence.Socket) (started, others []evidence.Connection) {
	const few = 3
	for _, c := range v.connectionsOf(s) {
		switch port := s.Local.Port(); {
		case c.From.Port() == port && v.isOwn(c.From.Addr()) && len(started) < few:
			started = append(started, c)
		case c.To.Port() == port && v.isOwn(c.To.Addr()) && c.Answerer == c.To && len(others) < few:
			others = append(others, c)
		}
	}
	return started, others
}

// connectionsOf returns the tracked connections of the protocol and the family of a socket.
func (v *view) connectionsOf(s *evidence.Socket) []evidence.Connection {
	const most = 20000
	if now, _ := v.host.Tracked(); now > most {
		return nil
	}
	every := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if local := s.Local.Addr(); local.Is6() && !local.IsUnspecified() {
		every = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return slices.DeleteFunc(v.host.Connections(every), func(c evidence.Connection) bool {
		return c.Protocol != s.Protocol
	})
}

// ownPortWords names the port of the socket.
func (j *journey) ownPortWords() string {
	return fmt.Sprintf("%s port %d", protocolName(j.socket.Protocol), j.socket.Local.Port())
}

// ownReturn finds answers of the program that leave through another link than the one of the address that the other
// end knows.
func ownReturn(j *journey) []Finding {
	holder := j.holderOf(j.packet.From)
	if holder == nil || j.socket.Connected() || holder.Index == j.at.Index || holder.Index == j.device.Index ||
		j.at.Index == j.view.layer3().Index || holder.Kind == "loopback" {
		return nil
	}
	what := fmt.Sprintf("packets of the attached program from its %s to %s leave through %s, although %s is an "+
		"address of %s", j.ownPortWords(), j.packet.To, words.Escape(j.at.Name), j.packet.From,
		words.Escape(holder.Name))
	if j.traffic().sent > 0 {
		return ok(what)
	}
	return one(Warning, what, "another network drops packets with that source, and the program has sent nothing "+
		"through the device", j.outThrough(holder, j.packet))
}

// carriedWords names the packets of a socket of the program.
func (j *journey) carriedWords(answer bool) string {
	if (j.course == carriedIn) != answer {
		return fmt.Sprintf("packets to the %s of the attached program that arrive through %s", j.ownPortWords(),
			words.Escape(j.at.Name))
	}
	return fmt.Sprintf("packets of the attached program from its %s that leave through %s", j.ownPortWords(),
		words.Escape(j.at.Name))
}
