package netcfg

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/surroundings"
	"github.com/tunadm/tunadm/internal/words"
)

// nameOwners looks up the names of users and groups for plans and errors that mention access.
func (ns *Namespace) nameOwners(jobs []*job) {
	var devices []*Device
	for _, j := range jobs {
		if j.now != nil && j.Want != nil && j.Want.Access != nil &&
			(j.Expect == Absent || !j.Want.Access.Same(j.now.Access)) {
			devices = append(devices, j.now)
		}
	}
	ns.NameAll(devices)
}

// refuseTwins fails the changes of a device that is named twice, by its name and by an alternative one. A device that
// another program renamed during the look is found by both names, and exists no longer by the first.
func refuseTwins(jobs []*job) {
	named := map[int]*job{}
	for _, j := range jobs {
		if j.now == nil {
			continue
		}
		switch other := named[j.now.Index]; {
		case other == nil:
		case other.now.Name != j.now.Name:
			other.err = cause.Vanished(other.Name)
		default:
			j.err = &cause.Error{Device: j.Name, Cause: cause.BadRequest, Detail: "is the same device as " +
				words.Escape(other.Name)}
		}
		named[j.now.Index] = j
	}
}

// expect returns an error if the existing device contradicts what the change expects.
func (j *job) expect(o Options) error {
	switch {
	case j.now == nil && j.kind() == Port && (o.DeferMaster || j.Heir):
		if j.left = true; !j.Heir {
			j.warn("it does not exist yet, so it joins %s later", words.Escape(j.Want.Master.Name))
		}
		return nil
	case j.now == nil && j.kind() == Port:
		return &cause.Error{Device: j.Name, Cause: cause.NoDevice, Fix: fix.Sentence("create it, or configure " +
			words.Escape(j.Want.Master.Name) + " without it: --defer-master")}
	case j.now == nil && j.Expect == Present:
		return &cause.Error{Device: j.Name, Cause: cause.NoDevice}
	case j.now != nil && j.otherKind() != nil && (j.Expect == Absent || j.Expect == AbsentOrSame):
		return &cause.Error{Device: j.Name, Cause: cause.OtherKind, Detail: "exists already, as " + j.now.KindWords()}
	case j.now != nil && j.now.Kind != "tun":
		return j.otherKind()
	case j.now != nil && j.otherKind() != nil:
		return j.otherKind()
	case j.now != nil && !j.now.Persist && j.Want != nil && !j.Unused &&
		(j.Expect == AbsentOrSame || j.Expect == PresentOrNot):
		return &cause.Error{Device: j.Name, Cause: cause.Differs,
			Detail: "exists already, and differs: it is not persistent, and vanishes with its program"}
	case j.now != nil && j.Expect == Absent:
		e := &cause.Error{Device: j.Name, Cause: cause.Exists,
			Detail: fmt.Sprintf("exists already, as a %s of %s", j.now.Mode, j.now.Access)}
		if j.Want.Mode != j.now.Mode {
			e.Cause = cause.WrongMode
		}
		return e
	case j.now != nil && j.Like != nil:
		return j.unlike()
	}
	return nil
}

// tryAccess attaches for a moment to the devices whose owner is to change, before the engine changes anything: an error
// that the last step of their plans would get shows now. It does the same with devices that must have no program
// attached.
func (ns *Namespace) tryAccess(jobs []*job) {
	for _, j := range jobs {
		late := len(j.steps) > 1 && slices.ContainsFunc(j.steps, func(s Step) bool { return s.Kind == StepAccess })
		if j.err != nil || j.before == nil || !late && !j.Unused {
			continue
		}
		if err := ns.withClaim(j.before, func(int) error { return nil }); err != nil {
			j.err = ns.explainStep(j.task(Step{Kind: StepAccess, Device: j.Name, access: j.want.Access}), err)
		}
	}
}

// differs returns the error of a device that exists and is not as asked: with the steps that are missing, or the error
// never if no steps lead there.
func differs(name string, steps []Step, never error) error {
	if e := new(cause.Error); errors.As(never, &e) {
		if e.Cause == cause.OwnerFixed {
			e = &cause.Error{Device: name, Cause: cause.Differs, Detail: "exists already, and differs: " + e.Error(),
				Fix: e.Hint()}
		}
		return e
	}
	if len(steps) == 0 {
		return never
	}
	var each []string
	for _, s := range steps {
		each = append(each, strings.TrimPrefix(s.String(), "# "))
	}
	return &cause.Error{
		Device: name, Cause: cause.Differs, Fix: fix.Fix{Commands: []fix.Command{fix.Tunadm("set", name)},
			After: " with the flags of this add changes it"},
		Detail: "exists already, and differs; missing steps: " + strings.Join(each, "; "),
	}
}

// prepare returns the Spec of a device, with everything looked up. It is that of the change, if nothing is added to it.
func (ns *Namespace) prepare(j *job, masters map[string]*Master, o Options) (*Spec, error) {
	if j.Want == nil {
		return nil, nil
	}
	want, joins := j.Want, j.Want.Master != nil && j.Want.Master.Name != ""
	if j.before != nil || joins {
		own := *want
		own.downRename = ns.features&liveRename == 0 || own.Rename != "" && !surroundings.KernelSince(6, 2)
		want = &own
	}
	if want.Keep && j.before != nil {
		want.Access = want.Access.Over(j.before.Access)
	}
	if err := j.checkRemovals(); err != nil {
		return nil, err
	}
	for s, asked := range want.Settings {
		if asked != nil && j.before != nil && j.before.byTree[rtnl.Setting(s)] != "" {
			j.warn("%s is left unchanged: %s", rtnl.Setting(s), j.before.byTree[rtnl.Setting(s)])
		}
	}
	if !joins {
		ns.noteMTU(j, want, masters)
		return want, nil
	}
	m, err := ns.cachedMaster(want.Master.Name, masters)
	if o.DeferMaster && cause.Of(err) == cause.NoMaster {
		j.warn("%s does not exist yet, so the device joins it later", words.Escape(want.Master.Name))
		want.Master, want.PVID, want.VLANs, want.Settings = nil, nil, nil, rtnl.Settings{}
		return want, nil
	}
	if err != nil {
		return nil, j.withoutMaster(err)
	}
	j.adapt(want, m)
	ns.noteMTU(j, want, masters)
	return want, nil
}

// warnOfDown warns of the routes that the kernel removes when the device is brought down.
func (j *job) warnOfDown() {
	if j.want == nil || j.want.Up == nil || *j.want.Up || !j.before.Up {
		return
	}
	removed := setOfAddresses(j.want.RemoveAddresses)
	addresses := len(matching(j.before.Addresses, func(a Address) bool {
		return a.Local.Is6() && !a.Foreign() && !removed.has(a)
	}))
	routes := len(matching(j.before.Routes, func(r Route) bool {
		return r.kept.elsewhere == 0 && !slices.ContainsFunc(j.want.RemoveRoutes, r.same)
	}))
	if lost := words.Counts([]string{"IPv6 address", "route"}, addresses, routes); lost != "" {
		j.warn("down drops %s permanently", lost)
	}
}

func (j *job) warn(format string, args ...any) {
	j.result.Warnings = append(j.result.Warnings, fmt.Sprintf(format, args...))
}

// checkRemovals returns an error if an address or a route to remove exists in another form. If it does not exist at
// all, a run that was killed may have removed it, so checkRemovals only adds a warning, which shows a mistyped one.
func (j *job) checkRemovals() error {
	if j.before == nil {
		return nil
	}
	for _, a := range j.Want.RemoveAddresses {
		if there := matching(j.before.Addresses, a.same); len(there) == 0 {
			like := matching(j.before.Addresses, func(b Address) bool { return b.Local == a.Local })
			if err := notThere(j, "address "+a.Words(), "--remove-address", like); err != nil {
				return err
			}
		}
	}
	for _, r := range j.Want.RemoveRoutes {
		if there := matching(j.before.Routes, r.same); len(there) == 0 {
			like := matching(j.before.Routes, func(b Route) bool { return b.To == r.To })
			if err := notThere(j, "static route "+r.String(), "--remove-route", like); err != nil {
				return err
			}
		}
	}
	return nil
}

func matching[T any](list []T, match func(T) bool) (found []T) {
	for _, x := range list {
		if match(x) {
			found = append(found, x)
		}
	}
	return found
}

// notThere returns the error of a removal, with the form that would succeed, or adds a warning if there is no such
// form.
func notThere[T fmt.Stringer](j *job, what, flag string, like []T) error {
	if len(like) == 0 {
		j.warn("%s: %s", what, cause.NotThere.String())
		return nil
	}
	fix := fix.Run(fix.Tunadm("set", j.Name, flag, like[0].String()))
	return &cause.Error{Device: j.Name, What: what, Cause: cause.NotThere, Fix: fix}
}
