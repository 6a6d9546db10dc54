package netcfg

import (
	"context"
	"slices"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/rtnl"
)

// rounds is how many times the engine observes and plans before it gives up. The kernel may drop one setting for
// another: removing a primary address removes its secondaries, and restoring them may remove a route.
const rounds = 3

// A job is a change in progress.
type job struct {
	Change
	want    *Spec   // Change.Want, with names looked up; nil: delete
	before  *Device // nil: the device did not exist
	now     *Device
	steps   []Step     // not run yet
	index   int        // from the first observation or from the creation; 0: no device yet
	created bool       // this run made it
	deleted bool       // this run deleted the device that existed before
	hold    *newDevice // the descriptor that keeps a new device until it is persistent
	tried   []*task    // every task that ran, successful or not
	err     error
	result  Result
	rules   []rtnl.Rule // the rules of the namespace; set for a change of Rules alone

	back   bool      // the undo of another job: it goes by the index alone, and continues after an error
	halted bool      // a step on which the others depend failed in this round
	bridge *job      // of a bridge with which this one fails; nil: none
	gives  []Route   // of a bridge that is deleted: the routes that go to its heir
	ports  []*Device // of a bridge, as they were: its undo restores them
	left   bool      // a port that does not exist yet, and is left out
	turn   int       // of a port that joins a re-created bridge again
}

// Run makes the changes together: one observation, one plan for each device, the steps of all devices in batches, and a
// second observation. A change has succeeded when Plan returns no more steps. The engine undoes a change that fails by
// planning in the other direction. Results are in the order of the changes. The error is that of the kernel before the
// first change.
func (ns *Namespace) Run(ctx context.Context, changes []Change, o Options) ([]Result, error) {
	if o.Log == nil {
		o.Log = func(Step) {}
	}
	if o.Planned == nil {
		o.Planned = func(int) {}
	}
	jobs := make([]*job, len(changes))
	for i, c := range changes {
		jobs[i] = &job{Change: c, err: c.Fail}
	}
	if err := ns.begin(jobs, o); err != nil {
		return nil, err
	}
	if !o.DryRun {
		planned := 0
		for _, j := range jobs {
			planned += len(j.steps)
		}
		o.Planned(planned)
		ns.tryAccess(jobs)
		ns.reserve(jobs, o)
		ns.carryOut(ctx, jobs, o)
		ns.undo(jobs, o)
	}
	results := make([]Result, len(jobs))
	for i, j := range jobs {
		results[i] = j.report(o.DryRun)
	}
	return results, nil
}

func (j *job) report(dryRun bool) Result {
	r := j.result
	r.Name, r.Err, r.Created = j.Name, j.err, j.created && j.err == nil
	if j.before != nil {
		r.Before = j.before.Index
	}
	if j.now != nil {
		r.Index = j.now.Index
		r.Made = j.created && r.Index == j.index
	}
	if r.Steps = j.steps; !dryRun {
		r.Steps = steps(j.done())
	}
	return r
}

// begin observes the devices and plans. It plans once more, with all devices in view, the changes whose effects depend
// on each other.
func (ns *Namespace) begin(jobs []*job, o Options) error {
	if err := ns.look(jobs, firstLook(jobs)); err != nil {
		return err
	}
	ns.nameOwners(jobs)
	refuseTwins(jobs)
	masters := map[string]*Master{}
	how := bare
	for _, j := range jobs {
		if j.before = j.now; j.before != nil {
			j.index, j.Name = j.before.Index, j.before.Name
		}
		if j.err == nil {
			j.err = j.expect(o)
		}
	}
	ns.bridges(jobs, masters)
	for _, j := range jobs {
		if j.err != nil || j.left {
			continue
		}
		if j.want, j.err = ns.prepare(j, masters, o); j.err == nil {
			j.plan()
		}
		if j.before != nil {
			how = max(how, dropping(j.steps, j.before, o))
		}
	}
	ns.predictBusy(jobs)
	if how > shallow {
		if err := ns.deepen(jobs, how); err != nil {
			return err
		}
	}
	yield(jobs)
	ns.keepUsed(jobs, o)
	failTogether(jobs)
	return nil
}

// plan fills in the steps, or the error if the change is impossible.
func (j *job) plan() {
	if j.Rules != nil {
		j.steps = planRules(*j.Rules, j.rules)
		return
	}
	if j.left {
		return
	}
	if j.back && j.now == nil && j.want != nil && j.want.Replace {
		j.index, j.created = 0, false // re-created by this run
	}
	if j.index != 0 && j.now == nil && j.want != nil {
		j.steps, j.err = nil, cause.Vanished(j.Name)
		return
	}
	if j.steps, j.err = Plan(j.want, j.now); j.want == nil && j.err == nil {
		j.give()
	}
	for i := range j.steps {
		j.steps[i].force, j.steps[i].ports = j.Force, j.Ports
	}
	if j.Expect == AbsentOrSame && j.before != nil {
		j.steps, j.err = nil, differs(j.Name, j.steps, j.err)
	}
}

// converge runs the steps of the phases before end and observes again, until no steps are left or the rounds are over.
// It leaves jobs with an error unchanged.
func (ns *Namespace) converge(ctx context.Context, jobs []*job, end phase, o Options) {
	for range rounds {
		if !ns.round(ctx, jobs, end, o) {
			return
		}
		if err := ns.lookAgain(jobs, needed(jobs)); err != nil {
			fail(jobs, err)
			return
		}
		for _, j := range jobs {
			waits := j.want == nil && len(j.tried) == 0 // the delete of the device that was planned for
			if j.err == nil && !waits {
				j.plan()
			}
		}
	}
	for _, j := range jobs {
		i := slices.IndexFunc(j.steps, func(s Step) bool { return s.phase < end })
		if i >= 0 && j.err == nil && !j.back {
			j.err = j.notKept(j.steps[i])
		}
	}
}

// fail fails the jobs whose result cannot be observed. A device that was to be deleted stays a success: the kernel
// acknowledged it.
func fail(jobs []*job, err error) {
	for _, j := range jobs {
		if j.err == nil && len(j.done()) > 0 && !(j.want == nil && j.deleted) {
			j.err = Unread(j.Name, err)
		}
	}
}

// round runs the steps of all jobs in the phases before end, phase by phase, and reports whether there were any.
func (ns *Namespace) round(ctx context.Context, jobs []*job, end phase, o Options) (any bool) {
	for _, j := range jobs {
		j.halted = false
	}
	for ph := range end {
		var tasks []*task
		var owners []*job
		for _, j := range jobs {
			if j.err == nil && !j.halted && !ns.still(j, ph) {
				j.err = cause.Vanished(j.Name)
			}
			if j.err != nil || j.halted {
				continue
			}
			for _, s := range j.steps {
				if s.phase == ph {
					tasks, owners = append(tasks, j.task(s)), append(owners, j)
				}
			}
		}
		any = any || len(tasks) > 0
		if len(tasks) > 0 && ctx.Err() != nil {
			for _, j := range owners {
				j.err = &cause.Error{Device: j.Name, Cause: cause.Interrupted}
			}
			continue
		}
		errs := ns.do(ctx, tasks, o)
		for i, j := range owners {
			j.note(tasks[i], errs[i])
		}
		failAll(jobs, o)
	}
	return any
}
