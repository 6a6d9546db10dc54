package netcfg

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// failAll fails, in an atomic run, all jobs with steps if one job has failed; in others, those that depend on it.
func failAll(jobs []*job, o Options) {
	failTogether(jobs)
	if !o.Atomic || !slices.ContainsFunc(jobs, func(j *job) bool { return j.err != nil }) {
		return
	}
	for _, j := range jobs {
		if j.err == nil && len(j.steps)+len(j.tried) > 0 {
			j.err = &cause.Error{Device: j.Name, Cause: cause.OtherFailed}
		}
	}
}

// reserve calls Reserve before a device is deleted that may have to be re-created, by the change itself or by an undo.
// So the record of the new device has its space. The deletion is refused, too, without the right to re-create it.
func (ns *Namespace) reserve(jobs []*job, o Options) {
	var owners []*job
	var gone []Step
	for _, j := range jobs {
		for _, s := range j.steps {
			if j.err == nil && s.Kind == StepDelete && (j.want != nil || o.Atomic) {
				owners, gone = append(owners, j), append(gone, s)
			}
		}
	}
	if len(gone) == 0 {
		return
	}
	if err := ns.mayCreate(gone[0].Index); errors.Is(err, unix.EPERM) {
		for i, j := range owners {
			j.err = ns.explainStep(j.task(gone[i]), err)
		}
		return
	}
	if o.Reserve == nil {
		return
	}
	if err := o.Reserve(gone); err != nil {
		for _, j := range owners {
			j.err = &cause.Error{Device: j.Name, Cause: cause.NotPermitted,
				Detail: "its replacement cannot be recorded, so it was not deleted", Fix: fix.HintOf(err), Err: err}
		}
	}
}

// mayCreate returns the error of a request that changes nothing, and that the kernel permits to those who may create
// devices. The owner of a device may delete it without this right.
func (ns *Namespace) mayCreate(index int) error {
	info := nl.NewIfInfomsg(unix.AF_UNSPEC)
	info.Index = int32(index)
	return ns.socket.Exchange([]*nl.NetlinkRequest{rtnl.Request(unix.RTM_NEWLINK, unix.NLM_F_ACK, info)}, nil)[0]
}

// undo restores each device that a failed job has changed: it deletes a device that the job created, and restores the
// properties of another. It identifies new devices by index, because another program may have taken the name. It does
// not delete a device to which a program is attached.
func (ns *Namespace) undo(jobs []*job, o Options) {
	var back, failed []*job
	for _, j := range jobs {
		if j.err == nil || len(j.tried) == 0 || !j.undoable() {
			continue
		}
		u := &job{Change: Change{Name: j.Name, Expect: PresentOrNot, Kind: j.kind()}, index: j.index, before: j.before,
			back: true}
		switch {
		case j.Rules != nil:
			u.Rules = reverseOf(j.tried)
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
	all, bridgeOf := slices.Clone(back), map[*job]*job{}
	for i, j := range failed {
		if (j.deleted || j.want != nil) && j.before != nil && j.before.Kind == Bridge {
			for _, port := range j.rejoin(back[i], back, failed, jobs) {
				all, bridgeOf[port] = append(all, port), back[i]
			}
		}
	}
	slices.SortStableFunc(all, func(a, b *job) int { return a.turn - b.turn })
	o.Atomic, o.Announce = false, nil
	ns.discardFailed(failed, o)
	err := ns.lookAgain(all, deep)
	for _, u := range all {
		if u.err = err; err == nil {
			u.plan()
		}
	}
	ns.carryOut(context.Background(), all, o)
	for port, bridge := range bridgeOf {
		if err := ns.left(port, port); cause.Of(err) != cause.NoDevice { // another program may have deleted the port
			bridge.err = cmp.Or(bridge.err, err)
		}
	}
	for i, j := range failed {
		u := back[i]
		if u.err != nil && u.now == nil && u.index != 0 { // the state is unknown: assume that the device exists
			u.now = &Device{Index: u.index, Name: u.Name, Kind: "tun"}
		}
		u.err = ns.left(j, u)
		j.now, j.result.UndoErr, j.result.PutBack = u.now, u.err, u.err == nil
		j.result.Remade = j.deleted && u.err == nil
	}
}

// undoable reports whether the job has changed anything that an undo can restore.
func (j *job) undoable() bool {
	if j.Rules != nil {
		return !j.Final
	}
	changed := func(t *task) bool { return j.want != nil || t.Kind != StepDelete } // if an answer was lost, too
	return j.created || j.deleted || j.before != nil && slices.ContainsFunc(j.tried, changed)
}

// left returns the error of an incomplete undo, with a list of what is missing, or nil.
func (ns *Namespace) left(j, u *job) error {
	if j.deleted && u.err == nil && u.now == nil {
		return ns.lost(j, u)
	}
	if u.err != nil {
		return u.err
	}
	e := &cause.Error{Device: j.Name}
	var what []string
	for _, s := range u.steps {
		reason, why := u.whyLeft(s)
		if len(what) == 0 {
			e.Cause = reason
		} else if e.Cause != reason {
			e.Cause = cause.Unknown
		}
		what = append(what, strings.TrimPrefix(s.undone()+": "+why, ": "))
	}
	if lost := u.accessLost(); lost != nil {
		if len(what) == 0 {
			return lost
		}
		what = append(what, "access "+u.want.Access.String()+": "+cause.OwnerFixed.String())
	}
	if len(what) == 0 {
		return nil
	}
	e.Detail = strings.Join(what, "; ")
	return e
}

// accessLost returns the error of an undo that would have to remove an owner or a group, or nil.
func (j *job) accessLost() error {
	if j.want == nil || j.want.Access == nil || j.now == nil || j.want.Access.Same(j.now.Access) {
		return nil
	}
	return &cause.Error{Device: j.Name, What: "access " + j.want.Access.String(), Cause: cause.OwnerFixed}
}

// Restores returns the index of the deleted device that this step of an undo re-creates, or 0 for a new device.
func (s Step) Restores() int {
	if s.create == nil || !s.create.undo {
		return 0
	}
	return s.create.before.Index
}

// undone returns the name of the thing that an undo did not restore.
func (s Step) undone() string {
	switch s.Kind {
	case StepDelete:
		return ""
	case StepRemoveAddress, StepRemoveRoute, StepRemoveRule:
		return s.What() + " stays"
	}
	return s.What()
}

// whyLeft returns why a step of an undo is still to do: the last error of the kernel, if there was one.
func (j *job) whyLeft(s Step) (cause.Cause, string) {
	for _, t := range slices.Backward(j.tried) {
		if t.err == nil || t.Kind != s.Kind || t.What() != s.What() {
			continue
		}
		e := new(cause.Error)
		if !errors.As(t.err, &e) {
			return cause.Unknown, t.err.Error()
		}
		bare := *e
		if bare.What = ""; e.Cause.String() != "" {
			bare.Err = nil // the general error adds nothing
		}
		return e.Cause, bare.Error()
	}
	return cause.NotKept, cause.NotKept.String()
}

// whoseName returns the fix of a device whose name another program took during the run.
func whoseName() fix.Fix {
	return fix.Sentence("find out which program created the device, then run this again")
}

// lost returns the error of a device that was deleted and cannot be re-created, with all properties that were observed.
func (ns *Namespace) lost(j, u *job) error {
	e := &cause.Error{Device: j.Name, Cause: cause.NoDevice, Detail: "it was deleted, and cannot be re-created"}
	for _, t := range u.tried {
		if t.err == nil || t.Kind != StepCreate {
			continue
		}
		if e.Err = t.err; cause.Of(t.err) == cause.Exists {
			e.Cause, e.Err, e.Fix = cause.Exists, nil, whoseName()
			e.Detail = "another program created a device with its name, which is unchanged"
		}
	}
	d := j.before
	was := []string{d.Mode.String() + " of " + ns.named(d).Access.String()}
	if d.MAC != nil {
		was = append(was, "mac "+d.MAC.String())
	}
	if d.Alias != "" {
		was = append(was, "alias "+words.Quote(d.Alias))
	}
	if d.Master != "" {
		was = append(was, "master "+words.Escape(d.Master))
	}
	for _, a := range d.Addresses {
		was = append(was, "address "+a.Words())
	}
	for _, r := range d.Routes {
		was = append(was, "route "+r.String())
	}
	e.Detail += "; lost: " + strings.Join(was, ", ")
	return e
}
