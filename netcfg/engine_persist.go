package netcfg

import (
	"cmp"
	"context"
	"slices"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
)

// carryOut runs the jobs. Its descriptor holds a new device until all properties are set, and only then the device is
// made persistent: a failure or a kill before that leaves nothing of it. If there are more new devices than
// descriptors, carryOut finishes one portion of them before it begins the next. Steps that cannot be undone, such as a
// first owner, run last: after the new devices are kept, which may fail.
func (ns *Namespace) carryOut(ctx context.Context, jobs []*job, o Options) {
	for _, portion := range ns.portions(jobs) {
		failAll(jobs, o)
		ns.converge(ctx, portion, phaseAccess, o)
		failAll(portion, o) // if the last observation shows an error
		ns.keep(ctx, portion, o)
		ns.converge(ctx, portion, phases, o)
	}
	failAll(jobs, o)
}

// queuesMost is how many packets the queues of all devices of a portion may hold together. While a descriptor is open,
// the kernel keeps 8 bytes for each packet.
const queuesMost = 1 << 24

// portions returns the jobs in portions, usually a single one. Changes of existing devices are in the first portion.
// Deletes are in the last, because they cannot be undone.
func (ns *Namespace) portions(jobs []*job) [][]*job {
	var others, creators, deletes []*job
	room := 0
	for _, j := range jobs {
		switch {
		case j.creates() && j.want.Kind == "":
			creators, room = append(creators, j), room+j.queueLength()
		case j.want == nil:
			deletes = append(deletes, j)
		default:
			others = append(others, j)
		}
	}
	most := ns.claims()
	if len(creators) <= most && room <= queuesMost {
		return [][]*job{jobs}
	}
	// First the jobs with a full name: the kernel must not choose that name for a %d.
	slices.SortStableFunc(creators, func(a, b *job) int { return cmp.Compare(a.order(), b.order()) })
	portions, n := [][]*job{others}, 0
	room = 0
	for _, j := range creators {
		if n == most || n > 0 && room+j.queueLength() > queuesMost {
			portions, n, room = append(portions, nil), 0, 0
		}
		last := len(portions) - 1
		portions[last] = append(portions[last], j)
		n, room = n+1, room+j.queueLength()
	}
	last := len(portions) - 1
	portions[last] = append(portions[last], deletes...)
	return portions
}

func (j *job) creates() bool {
	return slices.ContainsFunc(j.steps, func(s Step) bool { return s.Kind == StepCreate })
}

// queueLength returns how many packets the queue towards the program may hold.
func (j *job) queueLength() int {
	if j.want.TxQueueLen != nil {
		return *j.want.TxQueueLen
	}
	return Fresh(j.Name, j.want.Mode).TxQueueLen
}

func (j *job) order() int {
	if link.IsTemplate(j.Name) {
		return 1
	}
	return 0
}

// keep makes the new devices persistent after they are remembered: a crash leaves no unknown device. It leaves the
// devices of failed jobs to the undo.
func (ns *Namespace) keep(ctx context.Context, jobs []*job, o Options) {
	var finished []*job
	var made []Step
	var names []string
	for _, j := range jobs {
		if j.err == nil && j.want != nil {
			names = append(names, j.Name)
		}
		if j.hold == nil || j.err != nil && !j.back { // an undo keeps the device even if a property is missing
			continue
		}
		if ctx.Err() != nil {
			j.err = &cause.Error{Device: j.Name, Cause: cause.Interrupted}
			continue
		}
		finished, made = append(finished, j), append(made, j.creation())
	}
	if len(made) == 0 {
		return
	}
	against := o.ahead(made, names)
	for i, j := range finished {
		if against != nil && !made[i].create.undo { // a device that existed before is restored, remembered or not
			e := *against
			e.Device, j.err = j.Name, &e
		} else if err := j.hold.keep(); cause.Gone(err) {
			j.err = cause.Vanished(j.Name)
		} else if err != nil {
			j.err = &cause.Error{Device: j.Name, What: "make it persistent", Err: err}
		}
	}
	ns.lastLook(jobs)
	failAll(jobs, o)
	for _, j := range finished {
		if j.err == nil || j.back {
			ns.release(j.hold)
			j.hold = nil
		}
	}
}

// lastLook fails the jobs whose new device or bridge was deleted, or moved to another network namespace, since the last
// observation.
func (ns *Namespace) lastLook(jobs []*job) {
	for _, j := range jobs {
		gone := false
		switch {
		case j.err != nil || !j.created:
		case j.hold != nil:
			_, index, err := ns.Identify(j.hold.fd)
			gone = err != nil || index != j.hold.index
		case j.want != nil && j.want.Kind == Bridge:
			now, err := ns.link("", j.index)
			gone = cause.Gone(err) || err == nil && !j.isSame(now)
		}
		if gone {
			j.err = cause.Vanished(j.Name)
		}
	}
}

// ahead calls Remember and Announce with new devices that are about to be kept. An error means that they must not be.
func (o Options) ahead(made []Step, names []string) *cause.Error {
	if o.Remember != nil {
		if err := o.Remember(made); err != nil {
			const detail = "cannot be recorded, so it was not created"
			return &cause.Error{Cause: cause.NotPermitted, Detail: detail, Fix: fix.HintOf(err), Err: err}
		}
	}
	if o.Announce != nil {
		if err := o.Announce(names); err != nil {
			return &cause.Error{Detail: "its name cannot be printed, so it was not created", Err: err}
		}
	}
	return nil
}

// creation returns the step that created the device, with the device's present name.
func (j *job) creation() Step {
	for _, t := range slices.Backward(j.tried) {
		if t.done && t.Kind == StepCreate {
			s := t.Step
			s.Device, s.Index = j.Name, j.index
			return s
		}
	}
	return Step{}
}

// discardFailed discards the new devices of failed jobs.
func (ns *Namespace) discardFailed(jobs []*job, o Options) {
	var holds []*newDevice
	for _, j := range jobs {
		if j.hold != nil {
			holds = append(holds, j.hold)
			o.Log(Step{Kind: StepDelete, Device: j.Name, Index: j.index})
			j.hold = nil
		}
	}
	ns.discard(holds)
}
