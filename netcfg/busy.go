package netcfg

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/surroundings"
	"github.com/tunadm/tunadm/internal/words"
)

// predictBusy fails the jobs with a step that a device in use does not allow, before the engine changes anything. The
// errors name the programs. A program that attaches later is found when the step runs.
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
	ns.nameAll(busy)
	for _, j := range refused {
		if !j.before.InUse() { // since the observation
			continue
		}
		kind := StepAccess
		if i := slices.IndexFunc(j.steps, Step.needsUnused); i >= 0 {
			kind = j.steps[i].Kind
		}
		j.err, j.steps = busyError(j.before, kind), nil
	}
}

// needsUnused reports whether a step fails while a program is attached.
func (s Step) needsUnused() bool {
	switch s.Kind {
	case StepDelete:
		return s.Old.InUse() && !s.Force
	case StepAccess:
		return s.Old.InUse() && !s.Old.MultiQueue
	}
	return false
}

// busyError returns the error of a step on a device in use.
func busyError(d *Device, kind StepKind) *cause.Error {
	how := fix.Sentence("stop it first")
	if kind == StepDelete && surroundings.MayConfigure() {
		how = fix.Fix{Before: "stop it first, or force the deletion: ",
			Commands: []fix.Command{fix.Tunadm("delete", d.Name, "--force")}}
	}
	return &cause.Error{Device: d.Name, Cause: cause.InUse, Detail: d.UsedBy(), Fix: how, Err: errBusy}
}

// UsedBy returns the phrase "in use", with the programs that hold the device.
func (d *Device) UsedBy() string {
	var who []string
	for _, h := range d.Holders {
		probably := ""
		if h.Probable {
			probably = ", probably"
		}
		who = append(who, fmt.Sprintf("%s (pid %d, user %s%s)",
			words.Escape(h.Command), h.PID, words.Escape(h.User.String()), probably))
	}
	if unseen := d.Unseen(); unseen != "" {
		who = append(who, unseen)
	} else if len(who) == 0 {
		who = append(who, "a program that has detached since")
	}
	return "in use by " + strings.Join(who, ", ")
}
