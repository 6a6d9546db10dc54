package netcfg

import (
	"fmt"
	"slices"
	"strings"
)

// predictBusy refuses what a device in use will not let happen, before anything is touched, with the programs that use
// it. What comes between is found when the step is done.
func (ns *Namespace) predictBusy(jobs []*job) {
	var refused []*job
	var busy []*Device
	for _, j := range jobs {
		inUse := j.Unused && j.err == nil && j.before != nil && j.before.InUse()
		if inUse || slices.ContainsFunc(j.steps, Step.needsUnused) {
			refused, busy = append(refused, j), append(busy, j.before)
		}
	}
	ns.findHolders(busy)
	ns.Directory.nameAll(busy)
	for _, j := range refused {
		if !j.before.InUse() { // since it was looked at
			continue
		}
		kind := StepAccess
		if i := slices.IndexFunc(j.steps, Step.needsUnused); i >= 0 {
			kind = j.steps[i].Kind
		}
		j.err, j.steps = busyError(j.before, kind), nil
	}
}

// needsUnused says that a step will fail since a program is attached.
func (s Step) needsUnused() bool {
	switch s.Kind {
	case StepDelete:
		return s.Old.InUse() && !s.Force
	case StepAccess:
		return s.Old.InUse() && !s.Old.MultiQueue
	}
	return false
}

// busyError is the error of a step on a device in use.
func busyError(d *Device, kind StepKind) *Error {
	fix := Sentence("stop it first")
	if kind == StepDelete && mayConfigure() {
		fix = Fix{Before: "stop it first, or take the device from it: ", Commands: []Command{Tunadm("delete", d.Name, "--force")}}
	}
	return &Error{Device: d.Name, Cause: InUse, Detail: d.UsedBy(), Fix: fix, Err: errBusy}
}

// UsedBy says that the device is in use, and names the programs that hold it.
func (d *Device) UsedBy() string {
	var who []string
	for _, h := range d.Holders {
		probably := ""
		if h.Probable {
			probably = ", probably"
		}
		who = append(who, fmt.Sprintf("%s (pid %d, user %s%s)", Escape(h.Command), h.PID, Escape(h.User.String()), probably))
	}
	if unseen := d.Unseen(); unseen != "" {
		who = append(who, unseen)
	} else if len(who) == 0 {
		who = append(who, "a program that has detached since")
	}
	return "in use by " + strings.Join(who, ", ")
}
