package firewall

import (
	"encoding/binary"
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
	if !w.mark.certain() || len(w.mark.bits) != 4 {
		return 0, false
	}
	mark = binary.NativeEndian.Uint32(w.mark.bits)
	return mark, mark != p.Mark
}

// Goal returns the destination to which a rule has translated the packet; invalid: none, or it is not known.
func (w *Walk) Goal() netip.Addr { return w.goal }

// MasqueradesFor reports whether a chain translates the source of a packet that is forwarded: yes, no, or not known.
func (rs *Ruleset) MasqueradesFor(p flow.Packet) (is, known bool) {
	w := rs.Walk(p)
	for _, h := range []Hook{Prerouting, Forward, Postrouting} { // the first two may set a mark
		w.Hook(h)
	}
	return w.source == yes, w.source != maybe
}
