package doctor

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
)

// delivery finds packets to other hosts that a route of the type local delivers to this host, as for a transparent
// proxy, although no program takes them.
func delivery(j *journey) []Finding {
	way, err := j.host.Find(j.packet)
	if err != nil || !way.Local() || j.isOwn(j.packet.To) {
		return nil
	}
	what, remove := j.deliverer()
	if what == "" || j.proxies() {
		return nil
	}
	b := j.blame(j.host.Counter("snmp", "Udp", "NoPorts"))
	if j.packet.IPv6() {
		b = j.blame(j.host.Counter("snmp6", "", "Udp6NoPorts"))
	}
	switch {
	case j.explicit():
		b.level, b.evidence = Error, ""
	case b.level == OK || !j.traffic().unanswered():
		return ok(what)
	default:
		b.level = Warning
	}
	means := "they are not forwarded, and no program of this host takes them as a transparent proxy"
	return one(b.level, what, means+prefixed("; ", b.evidence), remove,
		fix.Sentence("or start the transparent proxy that is to take them"))
}

// deliverer names the rule and the route that deliver the packet to this host, and how to remove one of them.
func (j *journey) deliverer() (what string, remove fix.Fix) {
	steps := j.host.Explain(j.policies, j.packet)
	if len(steps) == 0 {
		return "", remove
	}
	last := steps[len(steps)-1]
	if last.Route == nil || last.Route.Type != unix.RTN_LOCAL {
		return "", remove
	}
	to := last.Route.To.String()
	if last.Route.To.Bits() == 0 {
		to = "default"
	}
	table := tableWord(last.Rule.Table)
	what = fmt.Sprintf("the kernel delivers packets to %s to this host itself: the route local %s of table %s",
		j.packet.To, to, table)
	if !ordinary(last.Rule.Table) {
		return what + ", because of a policy rule: " + last.Rule.Words(), last.Rule.Delete()
	}
	return what, fix.Run(ip(append(family(j.packet.To), "route", "del", "local", to, "table", table)...))
}

// proxies reports whether a program of this host may take packets to other hosts, or has the destination or the port of
// the packet: a route of the type local gives a host each address of a network (AnyIP).
func (j *journey) proxies() bool {
	p := j.packet
	return slices.ContainsFunc(j.host.Sockets(), func(s evidence.Socket) bool {
		switch {
		case !s.Listens() || p.Protocol != 0 && s.Protocol != p.Protocol && p.Protocol != echo(p.To):
			return false
		case s.Index != 0 && s.Index != j.layer3().Index:
			return false
		}
		local := s.Local.Addr()
		return s.Transparent || local == p.To || local.IsUnspecified() && p.ToPort != 0 && s.Local.Port() == p.ToPort
	})
}
