package netcfg

import (
	"cmp"
	"context"
	"slices"
)

// carryOut does the jobs. A device that is made is held by its descriptor until all of it is as asked, and only then
// stays: a failure or a kill before that leaves nothing of it. There may be more new devices than descriptors: then a
// portion of them is finished before the next begins. What cannot be taken back, such as a first owner, is done last,
// after the new devices are kept, which may fail.
func (ns *Namespace) carryOut(ctx context.Context, jobs []*job, o Options) {
	for _, portion := range ns.portions(jobs) {
		failAll(jobs, o)
		ns.converge(ctx, portion, phaseAccess, o)
		failAll(portion, o) // by what was seen in the last look
		ns.keep(ctx, portion, o)
		ns.converge(ctx, portion, phases, o)
	}
	failAll(jobs, o)
}

// queuesMost is for how many packets the queues of the devices of a portion may have room together: while a
// descriptor is open the kernel keeps 8 bytes for each.
const queuesMost = 1 << 24

// portions are the jobs in portions, most often a single one. What else there is to do than to make devices is in the
// first; deletes are in the last, since they cannot be taken back.
func (ns *Namespace) portions(jobs []*job) [][]*job {
	var others, creators, deletes []*job
	room := 0
	for _, j := range jobs {
		switch {
		case j.creates():
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
	// First those with a name, so that the kernel takes it for none that it numbers.
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

// queueLength is for how many packets there is to be room on the way to the program.
func (j *job) queueLength() int {
	if j.want.TxQueueLen != nil {
		return *j.want.TxQueueLen
	}
	return fresh(j.Name, j.want.Mode).TxQueueLen
}

func (j *job) order() int {
	if IsTemplate(j.Name) {
		return 1
	}
	return 0
}

// keep lets the new devices stay, when they are remembered: a crash leaves nothing that nobody knows of. Those of
// jobs that failed are left to the undo.
func (ns *Namespace) keep(ctx context.Context, jobs []*job, o Options) {
	var finished []*job
	var made []Step
	var names []string
	for _, j := range jobs {
		if j.err == nil && j.want != nil {
			names = append(names, j.Name)
		}
		if j.hold == nil || j.err != nil && !j.back { // a device that comes back stays, whatever it lacks
			continue
		}
		if ctx.Err() != nil {
			j.err = &Error{Device: j.Name, Cause: Interrupted}
			continue
		}
		finished, made = append(finished, j), append(made, j.creation())
	}
	if len(made) == 0 {
		return
	}
	against := o.ahead(made, names)
	for i, j := range finished {
		if against != nil && !made[i].New.undo { // what was there before comes back, remembered or not
			e := *against
			e.Device, j.err = j.Name, &e
		} else if err := j.hold.keep(); Gone(err) {
			j.err = vanished(j.Name)
		} else if err != nil {
			j.err = &Error{Device: j.Name, What: "make it persistent", Err: err}
		}
	}
	ns.lastLook(finished)
	failAll(jobs, o)
	for _, j := range finished {
		if j.err == nil || j.back {
			ns.release(j.hold)
			j.hold = nil
		}
	}
}

// lastLook fails the jobs whose new device was deleted, or moved to another network namespace, since it was looked at.
func (ns *Namespace) lastLook(jobs []*job) {
	for _, j := range jobs {
		if j.err != nil {
			continue
		}
		if _, index, err := ns.identify(j.hold.fd); err != nil || index != j.hold.index {
			j.err = vanished(j.Name)
		}
	}
}

// ahead tells of new devices that are about to stay. The error is why they must not.
func (o Options) ahead(made []Step, names []string) *Error {
	if o.Remember != nil {
		if err := o.Remember(made); err != nil {
			const detail = "cannot be remembered, and is not made"
			return &Error{Cause: NotPermitted, Detail: detail, Fix: HintOf(err), Err: err}
		}
	}
	if o.Announce != nil {
		if err := o.Announce(names); err != nil {
			return &Error{Detail: "its name cannot be printed, and it is not made", Err: err}
		}
	}
	return nil
}

// creation is the step that made the device, by the name that it has now.
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

// discardFailed has the new devices of jobs that failed vanish.
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
