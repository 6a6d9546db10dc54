package netcfg

import (
	"errors"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/vishvananda/netlink/nl"
)

// A task is a step that runs. Its Step is a copy of the planned one, with the present name and index of the device.
type task struct {
	Step
	hold   *newDevice // the unfinished device that the step creates or configures; nil: the device existed before
	absent bool       // planned before the device existed
	done   bool
	err    error
}

// task returns the task of a planned step. If this run created the device, the task has its name and index.
func (j *job) task(s Step) *task {
	t := &task{Step: s}
	if j.created && s.Kind != StepCreate {
		t.Device, t.Index, t.hold, t.absent = j.Name, j.index, j.hold, s.Index == 0
	}
	if m := s.master; m != nil && m.of != nil { // its index is known by now
		made := *m
		made.index, t.master = m.of.index, &made
	}
	if s.phase >= phaseRename && s.Device != j.Name && j.now != nil && s.Index == j.now.Index {
		t.Device = j.Name
		if s.old != nil {
			renamed := *s.old
			renamed.Name, t.old = j.Name, &renamed
		}
	}
	return t
}

// encode returns the netlink request of the step. The create step has already set the MAC address of a new device.
func (t *task) encode() *nl.NetlinkRequest {
	s := t.Step
	if t.absent && s.link != nil {
		link := *s.link
		link.MAC, s.link = nil, &link
	}
	return s.encode()
}

// steps returns the steps of tasks, with the names and indexes that the tasks used.
func steps(tasks []*task) []Step {
	list := make([]Step, len(tasks))
	for i, t := range tasks {
		list[i] = t.Step
	}
	return list
}

// done returns the tasks that succeeded, in order.
func (j *job) done() []*task {
	return matching(j.tried, func(t *task) bool { return t.done })
}

// note records the result of a task. Of several errors, the first is the cause of the others.
func (j *job) note(t *task, err error) {
	j.tried = append(j.tried, t)
	if t.Kind == StepDelete && j.Expect == PresentOrNot && cause.Gone(err) {
		return // another program deleted it first
	}
	t.err = err
	switch {
	case err != nil && j.back:
		j.halted = j.halted || t.Kind == StepCreate || t.Kind == StepDelete
	case err != nil && j.err == nil:
		j.err = err
		if e := new(cause.Error); j.Expect == PresentOrNot && errors.As(err, &e) && e.Cause == cause.Exists {
			e.Fix = whoseName()
		}
	case err == nil:
		t.done = true
		switch t.Kind {
		case StepCreate:
			j.created, j.index, j.Name, j.hold = true, t.Index, t.Device, t.hold
		case StepRename:
			j.Name = t.name
		case StepDelete:
			j.deleted = true
			if j.want != nil { // a new device keeps nothing of the deleted one, unless it restores that one
				want := *j.want
				if !want.undo {
					want.before = nil
				}
				j.want, j.index, j.Index = &want, 0, 0
			}
		}
	}
}
