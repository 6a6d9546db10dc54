package netcfg

import "github.com/vishvananda/netlink/nl"

// A task is a step at work. Its Step is a copy of the planned one, with the name and the index that the device has by
// now.
type task struct {
	Step
	hold *newDevice // the unfinished device that the step creates or configures; nil: a device that existed before
	anew bool       // planned before the device existed
	done bool
}

// task returns the task of a planned step, about the device that this run created if there is one.
func (j *job) task(s Step) *task {
	t := &task{Step: s}
	if j.created && s.Kind != StepCreate {
		t.Device, t.Index, t.hold, t.anew = j.Name, j.index, j.hold, s.Index == 0
	}
	return t
}

// encode returns the netlink request of the step. The create step has set the MAC address of a new device already.
func (t *task) encode() *nl.NetlinkRequest {
	s := t.Step
	if t.anew {
		s.Link.MAC = nil
	}
	return s.encode()
}

// steps returns the steps of tasks, as the tasks did them.
func steps(tasks []*task) []Step {
	list := make([]Step, len(tasks))
	for i, t := range tasks {
		list[i] = t.Step
	}
	return list
}
