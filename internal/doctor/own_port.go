package doctor

import (
	"fmt"
	"strings"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/firewall"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
)

// ownPort finds a rule that leads packets to the socket of the program elsewhere.
func ownPort(j *journey) []Finding {
	if j.walk == nil || j.walk.steps == nil {
		return nil
	}
	to, rule := j.walk.steps.Goal(), j.walk.steps.Changed(firewall.Destination)
	if rule == nil || !to.Addr().IsValid() || j.isOwn(to.Addr()) && (to.Port() == 0 || to.Port() == j.packet.ToPort) {
		return nil
	}
	what := fmt.Sprintf("the firewall leads packets to the %s of the attached program elsewhere, to %s: %s",
		j.ownPortWords(), to.Addr(), place(*rule))
	switch c := j.taken; {
	case c != nil && j.entersBeside():
		return ok(what)
	case c != nil:
		return one(Error, what, fmt.Sprintf("the program does not receive the packets of %s, which get no answer: the "+
			"conntrack entry leads those to %s on to %s", c.From, c.To, c.Answerer), j.pastRule(*rule), removal(*rule),
			forget(*c))
	case unused(*rule) || j.traffic().sent > 0:
		return ok(what)
	}
	return one(Error, what, "the program does not receive what other hosts send to it, and has sent nothing through "+
		"the device", j.pastRule(*rule), removal(*rule))
}

// entersBeside reports whether other hosts reach the socket at another address, for which no rule leads packets
// elsewhere: the one that they use may be meant for another host.
func (j *journey) entersBeside() bool {
	for _, in := range j.entrances(j.packet.IPv6()) {
		if in.link.Index != j.at.Index && !j.hasDefault(in.link, j.packet.IPv6()) {
			continue
		}
		for _, a := range own(in.link) {
			p := j.packet
			p.To, p.In, p.InIndex = a.Local, in.link.Name, in.link.Index
			if local := j.socket.Local.Addr(); a.Local.Is6() != p.From.Is6() || !usable(a) ||
				!local.IsUnspecified() && local != a.Local {
				continue
			}
			steps := j.wall().rules.Walk(p)
			if steps.Hook(firewall.Prerouting); steps.Changed(firewall.Destination) == nil {
				return true
			}
		}
	}
	return false
}

// pastRule returns the rule that accepts packets to the socket before another rule leads them elsewhere, and forgets
// the connections that it has led there.
func (j *journey) pastRule(v firewall.Verdict) (f fix.Fix) {
	m := match{in: j.at.Name, protocol: strings.ToLower(protocolName(j.socket.Protocol)), port: j.socket.Local.Port()}
	if tool, lasts := iptables(v, false); tool != "" {
		f = fix.Fix{Commands: []fix.Command{fix.InNamespace(m.iptables(tool, v.Table, v.Base)...)},
			After: "  # " + lasts}
	} else {
		f = fix.Run(fix.InNamespace(append(append([]string{"nft", "insert", "rule", v.Family, v.Table, v.Base},
			m.nft()...), "accept")...))
	}
	if j.taken != nil && installed("conntrack", "") {
		f.Commands = append(f.Commands, forget(*j.taken).Commands...)
	}
	return f
}

// taken returns tracked connections to the socket that rules lead elsewhere and that have no answer. answered reports
// that another one has: the port is meant for another host.
func (v *view) taken(s *evidence.Socket) (all []evidence.Connection, answered bool) {
	const few = 3
	for _, c := range v.connectionsOf(s) {
		switch {
		case c.To.Port() != s.Local.Port() || !v.isOwn(c.To.Addr()) || c.Answerer == c.To || v.isOwn(c.From.Addr()):
		case c.Replied:
			return nil, true
		case len(all) < few:
			all = append(all, c)
		}
	}
	return all, false
}

// takings returns the journeys of the connections of a socket that rules lead elsewhere.
func (v *view) takings(s *evidence.Socket, all []evidence.Connection) (found []*journey) {
	for _, c := range all {
		local, holder := s.Local.Addr(), v.holderOf(c.To.Addr())
		way, err := v.host.Find(flow.Packet{To: c.From.Addr()})
		if holder == nil || holder.Kind == "loopback" || !local.IsUnspecified() && local != c.To.Addr() ||
			err != nil || way.Refusal != 0 || way.Local() {
			continue
		}
		at := v.byIndex(way.Index)
		if at == nil || at.Index == v.device.Index || s.Index != 0 && s.Index != at.Index {
			continue
		}
		found = append(found, &journey{view: v, course: carriedIn, at: at, socket: s, taken: &c, packet: flow.Packet{
			From: c.From.Addr(), To: c.To.Addr(), Protocol: c.Protocol, FromPort: c.From.Port(), ToPort: c.To.Port(),
			In: at.Name, InIndex: at.Index}})
	}
	return found
}
