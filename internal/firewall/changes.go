package firewall

import (
	"encoding/binary"
	"net/netip"
)

// A Property is what a rule changes of a packet.
type Property uint8

// The properties.
const (
	Mark Property = iota
	Hops
	Destination
	Source
	Tracking // the packet is taken out of connection tracking
)

// A change is a property that a rule has changed for certain.
type change struct {
	what Property
	rule Verdict
}

// Changed returns the last rule that has changed a property of the packet, or nil. The action of the verdict says
// nothing.
func (w *Walk) Changed(what Property) *Verdict {
	for i := len(w.changes) - 1; i >= 0; i-- {
		if w.changes[i].what == what {
			return &w.changes[i].rule
		}
	}
	return nil
}

// changes notes that the rule changes a property, if it applies for certain.
func (r *run) changes(what Property) {
	if r.sure() {
		r.changed = append(r.changed, what)
	}
}

// noteChanges remembers what a rule has changed.
func (w *Walk) noteChanges(r *run) {
	for _, what := range r.changed {
		o := outcome{rule: r.rule, words: r.sentence(""), named: r.named || r.path.named}
		if len(r.verdicts) == 1 {
			o.words = r.sentence(r.verdicts[0].words())
		}
		w.changes = append(w.changes, change{what, w.verdict(w.chain, o)})
	}
}

// setMark changes the mark of the packet.
func (r *run) setMark(to value) {
	before := r.mark
	r.mark = r.written(before, to)
	if to.certain() && before.equals(to.bits) != yes {
		r.changes(Mark)
	}
}

// MarkNow returns the mark of the packet, if it is known.
func (w *Walk) MarkNow() (mark uint32, known bool) {
	if len(w.mark.bits) != 4 || !w.mark.certain() {
		return 0, false
	}
	return binary.NativeEndian.Uint32(w.mark.bits), true
}

// Goal returns the destination to which a rule has translated the packet; invalid: none, or it is not known. A port of
// 0 has not changed.
func (w *Walk) Goal() netip.AddrPort { return w.goal }

// Origin returns the source to which a rule has translated the packet; invalid: none, or it is not known.
func (w *Walk) Origin() netip.Addr { return w.origin }

// Translated reports whether the source was translated: yes, no, or not known.
func (w *Walk) Translated() (is, known bool) {
	return w.source == yes, w.source != maybe && (w.source == no || !w.mayUntrack)
}
