package netcfg

// A task is a step at work. Its Step is a copy of the planned one, with the name and the index that the device has by
// now.
type task struct {
	Step
	hold *newDevice // the unfinished device that the step creates or configures; nil: a device that existed before
	done bool
}

// task returns the task of a planned step, about the device that this run created if there is one.
func (j *job) task(s Step) *task {
	t := &task{Step: s}
	if j.created && s.Kind != StepCreate {
		t.Device, t.Index, t.hold = j.Name, j.index, j.hold
	}
	return t
}

// steps returns the steps of tasks, as the tasks did them.
func steps(tasks []*task) []Step {
	list := make([]Step, len(tasks))
	for i, t := range tasks {
		list[i] = t.Step
	}
	return list
}
