package netcfg

import (
	"cmp"
	"slices"
)

// deepen plans once more, with all in view that the kernel may drop: on the way, or on the way back.
func (ns *Namespace) deepen(jobs []*job, how depth) error {
	if err := ns.look(jobs, how); err != nil {
		return err
	}
	for _, j := range jobs {
		if j.err != nil || j.before == nil || j.now == nil {
			continue
		}
		if j.want == nil || how == own {
			j.before = j.now
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

// dropping is how deep to look at the device, since the kernel may drop more than the steps name, or than their undo
// names, and it may be wanted back. The undo of the first IPv4 address is the removal of the last one; an IPv6 address
// changes the prefixes that others have with it, and an MTU those of IPv6 routes.
func dropping(steps []Step, before *Device, o Options) depth {
	how := shallow
	for _, s := range steps {
		switch s.phase {
		case phaseClear, phaseYield, phaseReplace, phaseMaster, phaseDown:
			return deep
		case phaseDelete:
			if o.Atomic {
				return deep
			}
		}
		is4 := func(a Address) bool { return a.Local.Is4() }
		first := s.Kind == StepAddAddress && !slices.ContainsFunc(before.Addresses, is4)
		if first || s.Kind == StepAddAddress && s.Address.Local.Is6() || s.Link.MTU != nil {
			how = own
		}
	}
	return how
}

// lookAgain looks once more if that fails: after a change all depends on it.
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
		if j.now = nil; j.Rules == nil && !IsTemplate(j.Name) && (index != 0 || !j.back) {
			wanted, named = append(wanted, target{j.Name, index}), append(named, j)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	devices, err := ns.observe(wanted, how, false)
	if err != nil {
		return err
	}
	for i, j := range named {
		switch j.now = devices[i]; {
		case j.now == nil:
		case j.index != 0:
			j.Name = j.now.Name // it may have been renamed
		case j.Index != 0 && j.now.Name != j.Name:
			j.renamed(j.now.Name)
			j.now = nil
		}
	}
	return nil
}

// renamed says that the very device that is meant has another name than the one that it is known by.
func (j *job) renamed(name string) {
	if !j.result.Renamed {
		j.result.Renamed = true
		j.warn("it is called %s now, and is left alone", Escape(name))
	}
}

// needed is how much of the devices must be looked at to know that all is as it should be.
func needed(jobs []*job) depth {
	for _, j := range jobs {
		if j.want != nil && j.want.before != nil {
			return deep
		}
	}
	return shallow
}
