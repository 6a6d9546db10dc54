package netcfg

import "github.com/vishvananda/netlink/nl"

// A task is a step that runs. Its Step is a copy of the planned one, with the present name and index of the device.
type task struct {
	Step
	hold *newDevice // the unfinished device that the step creates or configures; nil: the device existed before
	anew bool       // planned before the device existed
	done bool
}

// task returns the task of a planned step. If this run created the device, the task has its name and index.
func (j *job) task(s Step) *task {
	t := &task{Step: s}
	if j.created && s.Kind != StepCreate {
		t.Device, t.Index, t.hold, t.anew = j.Name, j.index, j.hold, s.Index == 0
	}
	return t
}

// encode returns the netlink request of the step. The create step has already set the MAC address of a new device.
func (t *task) encode() *nl.NetlinkRequest {
	s := t.Step
	if t.anew {
		s.Link.MAC = nil
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
