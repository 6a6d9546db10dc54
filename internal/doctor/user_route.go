package doctor

import (
	"fmt"
	"slices"

	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/words"
)

// userRoute finds a policy rule with a range of users by which the kernel refuses packets of the user of the question
// to the networks of the device, although it accepts those of root. The stages examine a packet of the question.
func userRoute(v *view) (found []Finding) {
	who := v.person.ID
	if v.Device == "" || v.User == "" || who.Number == 0 || !v.layer3().Up || v.fromHere() ||
		!slices.ContainsFunc(v.policies, func(r rtnl.Rule) bool { return r.ByUID }) {
		return nil
	}
	for _, e := range v.endpoints(v.layer3()) {
		p := flow.Packet{From: e.own, To: e.other, Mark: e.keys.Mark, OutIndex: e.keys.OutIndex}
		if way, err := v.host.Find(p); err != nil || way.Refusal != 0 {
			continue // the same for every user
		}
		p = v.sentBy(p)
		way, err := v.host.Find(p)
		steps := v.host.Explain(v.policies, p)
		if err != nil || way.Refusal == 0 || len(steps) == 0 || !steps[len(steps)-1].Rule.ByUID {
			continue
		}
		j := &journey{view: v, packet: p, course: toProgram, part: e.part}
		for _, f := range j.astray(way) {
			f.What = fmt.Sprintf("for the user %s (UID %d) %s", words.Escape(who.String()), who.Number, f.What)
			found = append(found, f)
		}
		return found
	}
	return nil
}
