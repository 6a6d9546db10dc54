package firewall

import (
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
