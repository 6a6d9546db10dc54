package firewall

import (
	"iter"
	"net/netip"
	"slices"

	"github.com/tunadm/tunadm/internal/flow"
)

// Marked returns the mark that chains of the type route give a packet of this host: the kernel then routes it again.
// changed is false if none does, or if the mark is not known.
func (rs *Ruleset) Marked(p flow.Packet) (mark uint32, changed bool) {
	routes := func(c *chain) bool { return c.kind == "route" }
	if !slices.ContainsFunc(rs.at(Output, p), routes) {
		return 0, false
	}
	w := rs.Walk(p)
	w.Drops(Output)
	mark, known := w.MarkNow()
	return mark, known && mark != p.Mark
}

// Untracks returns the rule that takes a packet which is forwarded out of connection tracking, if the source of the
// packet would otherwise be translated; nil: there is none.
func (rs *Ruleset) Untracks(p flow.Packet) *Verdict {
	w, tracked := rs.Walk(p), rs.Walk(p)
	tracked.always = true
	for _, h := range []Hook{Prerouting, Forward, Postrouting} {
		w.Hook(h)
		tracked.Hook(h)
	}
	if is, known := tracked.Translated(); !is || !known {
		return nil
	}
	return w.Changed(Tracking)
}

// MasqueradesFor reports whether a chain translates the source of a packet that is forwarded: yes, no, or not known.
func (rs *Ruleset) MasqueradesFor(p flow.Packet) (is, known bool) {
	w := rs.Walk(p)
	for _, h := range []Hook{Prerouting, Forward, Postrouting} { // the first two may set a mark
		w.Hook(h)
	}
	return w.Translated()
}

// A Narrow is a rule that would translate the source of a packet, if the packet were another one.
type Narrow struct {
	Rule Verdict    // its place
	Out  string     // the device through which the packet would have to leave; "": any
	From netip.Addr // an address of the network from which it would have to come; invalid: any
}

// TooNarrow returns a rule that translates the source only of packets that leave through another device than this
// packet, or only of those from another network; nil: there is none.
func (rs *Ruleset) TooNarrow(p flow.Packet) *Narrow {
	for base, r := range rs.natRules(Postrouting, p) {
		if n := rs.tooNarrow(base, r, p); n != nil {
			return n
		}
	}
	return nil
}

// natRules returns the rules of the tables that translate addresses at a hook, each with the base chain there.
func (rs *Ruleset) natRules(h Hook, p flow.Packet) iter.Seq2[*chain, *rule] {
	return func(yield func(*chain, *rule) bool) {
		for _, base := range rs.at(h, p) {
			for _, c := range rs.chains {
				if base.kind != "nat" || c.family != base.family || c.table != base.table {
					continue
				}
				for _, r := range c.rules {
					if !yield(base, r) {
						return
					}
				}
			}
		}
	}
}

func (rs *Ruleset) tooNarrow(base *chain, r *rule, p flow.Packet) *Narrow {
	if !r.translates("MASQUERADE", "SNAT") {
		return nil
	}
	run, place := rs.asks(Postrouting, base, r, p)
	other := p
	for _, c := range *run.conditions {
		c.apply(rs, &other)
	}
	out, from := p, p
	out.Out, out.OutIndex, from.From = other.Out, 0, other.From
	if is, known := rs.MasqueradesFor(out); is && known && other.Out != p.Out {
		return &Narrow{Rule: place, Out: other.Out}
	}
	if is, known := rs.MasqueradesFor(from); is && known {
		return &Narrow{Rule: place, From: other.From}
	}
	return nil
}
