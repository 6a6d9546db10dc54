package doctor

import (
	"fmt"

	"github.com/tunadm/tunadm/internal/firewall"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/words"
)

// userFirewall finds rules by which the firewall drops packets of the user of the question to the networks of the
// device, because of the user or the group. The stages examine a packet of the question.
func userFirewall(v *view) []Finding {
	if v.Device == "" || v.User == "" || !v.layer3().Up || v.fromHere() || v.wall().err != nil ||
		v.wall().rules.Empty() {
		return nil
	}
	for _, e := range v.endpoints(v.layer3()) {
		p := flow.Packet{From: e.own, To: e.other, Mark: e.keys.Mark, Protocol: echo(e.own), Size: 84}
		j := &journey{view: v, packet: p, course: toProgram, part: e.part}
		p, _ = j.located(p)
		unknown := j.wall().rules.Walk(p)
		p = v.sentBy(p)
		w := &walk{packet: p, steps: j.wall().rules.Walk(p)}
		for _, h := range []firewall.Hook{firewall.Output, firewall.Postrouting} {
			j.place(w, h)
			drops, others := w.steps.Drops(h), unknown.Hook(h)
			if len(drops) == 0 || drops[0].Action <= firewall.MayDrop || others.Action != firewall.MayDrop {
				continue // the same for every user
			}
			f := Finding{Level: Error, Means: "the rule asks for the user or the group of the sending program",
				What: fmt.Sprintf("the firewall drops packets of the user %s (UID %d) that leave through %s: %s",
					words.Escape(v.person.ID.String()), v.person.ID.Number, words.Escape(j.layer3().Name),
					place(drops[0]))}
			if c := drops[0].Count; c != nil {
				f.counted = c.Packets
			}
			f.Fixes = fixes(j.opening(w, h, drops))
			return []Finding{f}
		}
	}
	return nil
}
