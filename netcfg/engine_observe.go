package netcfg

import (
	"cmp"
	"slices"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/words"
)

// deepen plans once more, with everything in view that the kernel may remove, in the change or in its undo.
func (ns *Namespace) deepen(jobs []*job, how depth) error {
	if err := ns.look(jobs, how); err != nil {
		return err
	}
	for _, j := range jobs {
		if j.err != nil || j.before == nil {
			continue
		}
		if j.now == nil {
			if j.steps = nil; j.want != nil || j.Expect != PresentOrNot {
				j.err = cause.Vanished(j.Name)
			}
			continue
		}
		if j.want == nil || how < down {
			if j.before = j.now; slices.ContainsFunc(j.steps, func(s Step) bool { return s.doubtful }) {
				_, j.err = Plan(j.want, j.now)
			}
			continue
		}
		if j.plan(); j.err == nil {
			j.before, j.want.before = j.now, j.now
			j.plan()
			j.warnOfDown()
		}
	}
	return nil
}

// dropping returns how much of the device must be read, because the kernel may remove more than the steps or their undo
// remove, and the engine restores it. The undo of the first IPv4 address removes the last one. An IPv6 address changes
// the prefix routes of others. An MTU changes the metrics of prefix routes.
func dropping(steps []Step, before *Device, o Options) depth {
	how := bare
	for _, s := range steps {
		switch s.phase {
		case phaseClear, phaseYield, phaseReplace, phaseMaster:
			return deep
		case phaseDown, phaseRename:
			if s.Kind == StepLink {
				how = down // its IPv4 addresses stay, and so do the routes of other devices with such a source
			}
		case phaseDelete:
			if o.Atomic {
				return deep
			}
		}
		is4 := func(a Address) bool { return a.Local.Is4() }
		first := s.doubtful || s.Kind == StepAddAddress && !slices.ContainsFunc(before.Addresses, is4)
		if first || s.Kind == StepAddAddress && s.address.Local.Is6() || s.properties().MTU != nil {
			how = max(how, own)
		}
	}
	return how
}

// lookAgain observes once more after an error: the result of a change depends on it.
func (ns *Namespace) lookAgain(jobs []*job, how depth) (err error) {
	for range rounds {
		if err = ns.look(jobs, how); err == nil {
			break
		}
	}
	return err
}

// look observes the devices of the jobs.
func (ns *Namespace) look(jobs []*job, how depth) error {
	var wanted []target
	var named []*job
	if err := ns.lookAtRules(jobs); err != nil {
		return err
	}
	for _, j := range jobs {
		index := cmp.Or(j.index, j.Index)
		if j.now = nil; j.Rules == nil && !link.IsTemplate(j.Name) && (index != 0 || !j.back) {
			wanted, named = append(wanted, target{j.Name, index, j.kind() != ""}), append(named, j)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	devices, err := ns.observe(wanted, how, tablesOfNew(jobs), false)
	if err != nil {
		return err
	}
	for i, j := range named {
		switch j.now = devices[i]; {
		case j.now == nil:
		case j.index != 0 && !j.isSame(j.now):
			j.now = nil // the kernel gave the index to another device
		case j.index != 0:
			j.Name = j.now.Name // the device may have been renamed
		case j.Index != 0 && j.now.Name != j.Name:
			j.renamed(j.now.Name)
			j.now = nil
		}
	}
	readSysctls(named)
	for _, j := range named {
		if j.asksQueues() {
			ns.countQueues([]*Device{j.now})
		}
	}
	return nil
}

// asksQueues reports whether the change depends on the programs that are attached to the device.
func (j *job) asksQueues() bool {
	w := j.Want
	return j.back || j.Unused || w == nil || w.Replace || w.Master != nil ||
		j.now != nil && w.Access != nil && !w.Access.Same(j.now.Access)
}

// renamed reports whether the device that is meant has another name than the given one.
func (j *job) renamed(name string) {
	if !j.result.Renamed {
		j.result.Renamed = true
		j.warn("its name is %s now, so it is unchanged", words.Escape(name))
	}
}

// needed returns how much of the devices must be read to verify them.
func needed(jobs []*job) depth {
	how := bare
	for _, j := range jobs {
		switch w := j.want; {
		case w == nil:
		case w.undo || w.MoveAddresses:
			return deep
		case w.before != nil:
			how = max(how, w.before.how)
		case w.needsRoutes():
			how = max(how, shallow)
		}
	}
	return how
}

// tablesOfNew returns the tables of the routes that the jobs ask for, if only new devices need them and the tables are
// few. These are enough to verify such a device: nobody had added a route to it. Otherwise it returns nil.
func tablesOfNew(jobs []*job) (tables []table) {
	const most = 4
	for _, j := range jobs {
		if w := j.want; w == nil || !w.needsRoutes() {
			continue
		} else if !j.created || w.Kind != "" || w.before != nil {
			return nil
		}
		for _, r := range j.want.routes() {
			if !slices.Contains(tables, r.in()) {
				tables = append(tables, r.in())
			}
		}
		if len(tables) > most {
			return nil
		}
	}
	return tables
}
