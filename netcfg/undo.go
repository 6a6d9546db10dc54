package netcfg

import (
	"context"
	"slices"
)

// failAll makes the failure of one job, in an atomic run, that of all which have something to do.
func failAll(jobs []*job, o Options) {
	if !o.Atomic || !slices.ContainsFunc(jobs, func(j *job) bool { return j.err != nil }) {
		return
	}
	for _, j := range jobs {
		if j.err == nil && len(j.steps)+len(j.tried) > 0 {
			j.err = &Error{Device: j.Name, Cause: OtherFailed}
		}
	}
}

// undo brings each device back that a failed job has touched: away with it if the job made it, else as it was before.
func (k *Kernel) undo(jobs []*job, o Options) {
	var back, failed []*job
	for _, j := range jobs {
		if j.err == nil || len(j.tried) == 0 || !j.created && !j.deleted && (j.before == nil || j.want == nil) {
			continue
		}
		u := &job{Change: Change{Name: j.Name, Expect: PresentOrNot, Force: true}, index: j.index}
		switch {
		case j.deleted:
			u.want = j.before.whole()
			if !j.created {
				u.index = 0
			}
		case !j.created:
			u.want = j.before.spec(j.tried)
		}
		back, failed = append(back, u), append(failed, j)
	}
	if len(back) == 0 {
		return
	}
	o.Atomic = false
	err := k.look(back, deep)
	for _, u := range back {
		if u.err = err; err == nil {
			u.plan()
		}
	}
	k.converge(context.Background(), back, o)
	for i, j := range failed {
		u := back[i]
		if u.err == nil {
			u.err = u.accessLost()
		}
		j.now, j.result.UndoErr, j.result.PutBack = u.now, u.err, u.err == nil
		j.result.Remade = j.deleted && u.err == nil
	}
}
