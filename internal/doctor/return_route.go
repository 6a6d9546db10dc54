package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// returnRoute finds answers to the program that this host does not forward to it: the reverse path filter of the link
// drops them, or a rule or a route leads them elsewhere. It also names the rule that selects this link.
func returnRoute(j *journey) []Finding {
	out, t := j.outlet(), j.traffic()
	if out == nil || out.Index == j.layer3().Index {
		return nil
	}
	p := flow.Packet{From: j.packet.To, To: j.packet.From, Protocol: j.packet.Protocol, FromPort: j.packet.ToPort,
		ToPort: j.packet.FromPort, In: out.Name, InIndex: out.Index}
	way, err := j.host.Find(p)
	lost := t.sent > 0 && t.unanswered()
	switch {
	case err != nil || !lost && !j.explicit():
		return nil
	case way.Refusal == unix.EXDEV && !p.IPv6() && j.largest("rp_filter", out.Name) > 0:
		return one(Error, fmt.Sprintf("the reverse path filter of %s drops answers from %s (rp_filter %d)",
			words.Escape(out.Name), p.From, j.largest("rp_filter", out.Name)),
			"the route to that address leaves through another device, so the kernel treats them as spoofed",
			fix.Run(fix.Sysctl("ipv4", out.Name, "rp_filter", "2")))
	case way.Refusal == 0 && way.Index == j.layer3().Index:
		return j.detour(out, lost)
	case way.Local():
		return nil
	}
	where := "are not forwarded"
	if other := j.byIndex(way.Index); other != nil && way.Refusal == 0 {
		where = "leave through " + words.Escape(other.Name)
	}
	what := fmt.Sprintf("answers to %s that arrive through %s %s", p.To, words.Escape(out.Name), where)
	last := decisive(j.host.Explain(j.policies, p))
	if last == nil || ordinary(last.Rule.Table) && last.Rule.Action == "" {
		return nil // the way of packets of this host to the program has the same route
	}
	return j.ruled(what, p, last.Rule)
}

// ruled reports that a policy rule keeps an answer away from the device.
func (j *journey) ruled(what string, p flow.Packet, rule rtnl.Rule) []Finding {
	return one(Error, what+", because of a policy rule: "+rule.Words(),
		"the kernel evaluates the rule before the device's own routes", append(j.exempt(p, rule), rule.Delete())...)
}

// answerRoute finds answers of this host to the program that leave through another link.
func answerRoute(j *journey) []Finding {
	p := flow.Packet{From: j.packet.To, To: j.packet.From, Protocol: j.packet.Protocol, FromPort: j.packet.ToPort,
		ToPort: j.packet.FromPort}
	way, err := j.host.Find(p)
	if heard := j.view.heard; heard != nil && (!heard.forThisHost(j.view) || !j.routed()) {
		return nil // this host does not accept the frames of the packet, or they are for its address elsewhere
	}
	if !j.explicit() || err != nil || way.Refusal == 0 && (way.Index == j.layer3().Index || way.Local()) {
		return nil
	}
	what := fmt.Sprintf("answers of this host to %s have no route", p.To)
	if other := j.byIndex(way.Index); other != nil && way.Refusal == 0 {
		what = fmt.Sprintf("answers of this host to %s leave through %s", p.To, words.Escape(other.Name))
	}
	if last := decisive(j.host.Explain(j.policies, p)); last != nil && (!ordinary(last.Rule.Table) ||
		last.Rule.Action != "") {
		return j.ruled(what, p, last.Rule)
	}
	back := ip(append(family(p.To), "route", "add", netip.PrefixFrom(p.To, p.To.BitLen()).String(), "dev",
		j.layer3().Name)...)
	return one(Error, what, "no route leads to that address through "+words.Escape(j.layer3().Name), fix.Run(back))
}

// routed reports whether this host has an address in the networks of the device, or routes through it.
func (j *journey) routed() bool {
	layer3 := j.layer3()
	return !j.frames() || len(own(layer3)) > 0 || slices.ContainsFunc(j.host.UnicastThrough(layer3.Index),
		func(r rtnl.Route) bool { return r.To.Addr().IsGlobalUnicast() })
}

// detour names the policy rule that selects the link for packets of the program, if nothing comes back.
func (j *journey) detour(out *netcfg.Device, lost bool) []Finding {
	last := decisive(j.host.Explain(j.policies, j.packet))
	if last == nil || ordinary(last.Rule.Table) || last.Rule.Table == 0 {
		return nil
	}
	what := fmt.Sprintf("packets of the program to %s leave through %s, because of a policy rule: %s", j.packet.To,
		words.Escape(out.Name), last.Rule.Words())
	const few = 3
	t := j.traffic()
	if _, answered := j.forwarded(out); !lost || t.sent-t.received < few || answered {
		return ok(what)
	}
	return one(Warning, what, fmt.Sprintf("the program has sent %s, and received %s", packets(t.sent),
		packets(t.received)), fix.Sentence("inspect the routes of its table: ip route show table "+
		strconv.FormatUint(uint64(last.Rule.Table), 10)))
}

// decisive returns the step that ends the look-up of a route, or nil.
func decisive(steps []evidence.Step) *evidence.Step {
	if len(steps) == 0 || !steps[len(steps)-1].Decisive {
		return nil
	}
	return &steps[len(steps)-1]
}

// exempt returns the rule that leads a packet to the device's own route before another rule leads it elsewhere.
func (j *journey) exempt(p flow.Packet, before rtnl.Rule) []fix.Fix {
	const first = 2 // priorities that rules of administrators have
	mine := j.host.UnicastThrough(j.layer3().Index)
	i := slices.IndexFunc(mine, func(r rtnl.Route) bool {
		return r.To.Contains(p.To) && r.To.Bits() > 0
	})
	if i < 0 || before.Priority < first {
		return nil
	}
	r := mine[i]
	table := tableWord(r.Table)
	if r.Table == tableMain {
		table = "main"
	}
	pref := strconv.FormatUint(uint64(before.Priority)-1, 10)
	return fixes(fix.Run(ip(append(family(p.To), "rule", "add", "pref", pref, "to", r.To.String(), "lookup",
		table)...)))
}
