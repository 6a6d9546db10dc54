package doctor

import (
	"slices"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/surroundings"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// attach checks whether the person may attach to the device.
func attach(v *view) []Finding {
	d, who := v.device, words.Escape(v.person.ID.String())
	switch {
	case v.Device == "" && v.User == "":
		return nil
	case !d.Access.Admits(v.person):
		return v.refused()
	case v.Device != "" && d.InUse() && !d.MultiQueue && !v.holds(d) && (v.User != "" || !v.person.Admin):
		level := Warning
		if v.User != "" {
			level = Error
		}
		return one(level, d.UsedBy(),
			"a single-queue device admits one program: the next one gets \"device or resource busy\"",
			fix.Sentence("stop that program first"))
	}
	what := who + " may attach: the device admits " + d.Access.Words()
	if plain := v.person; plain.Admin {
		if plain.Admin = false; !d.Access.Admits(plain) {
			what = who + " may attach: CAP_NET_ADMIN overrides the owner and the group"
		}
	}
	if v.User != "" && d.InUse() && !d.MultiQueue { // of a named device: by a program of the same user
		what += "; " + d.UsedBy() + ": another program gets \"device or resource busy\""
	}
	return ok(what)
}

// refused explains why the person may not attach to the device. Only a question about that user takes the device from
// its owner.
func (v *view) refused() []Finding {
	d, who, owner := v.device, words.Escape(v.person.ID.String()), v.device.Access.User
	what, rule := who+" may not attach to it", "only "+d.Access.Words()+" may"
	if v.Device == "" { // the question is whether there is any device to attach to: see create
		return nil
	}
	if later, err := v.find(v.person.ID.String()); err == nil && v.person.Self && d.Access.Admits(later) {
		return one(Error, who+" may not attach to it yet", rule+"; "+who+" joined the group after this session began",
			fix.Sentence("log in again, or restart the service"))
	}
	taken := owner != nil && owner.Number != v.person.ID.Number
	how, joins := v.admit()
	switch {
	case v.User == "" && d.InUse():
		return ok(what + ", " + rule + ": " + d.UsedBy())
	case v.person.ID.Number == 0: // without a capability
		return one(Error, what, rule+", and root only with CAP_NET_ADMIN over this network namespace, which it lacks",
			surroundings.AsRoot())
	case v.User == "" && taken:
		return one(Warning, what, rule, fix.Sentence("run the program as user "+words.Escape(owner.String())))
	}
	if taken && owner.Number != 0 {
		rule += "; the fix takes access away from " + words.Escape(owner.String())
	}
	if joins {
		rule += "; a new group membership takes effect at the next login"
	}
	return one(Error, what, rule, how)
}

// holds reports whether a program of the person is attached to the device.
func (v *view) holds(d *netcfg.Device) bool {
	return slices.ContainsFunc(d.Holders, func(h netcfg.Holder) bool { return h.User.Number == v.person.ID.Number })
}

// programs reports attached programs that this user may not examine.
func programs(v *view) []Finding {
	if d := v.device; d.InUse() && !d.HoldersComplete() {
		return one(Unknown, "the attached programs: it is "+d.UsedBy(), "")
	}
	return nil
}
