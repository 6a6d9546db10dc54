package netcfg

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tunadm/tunadm/internal/driver"
	"github.com/tunadm/tunadm/internal/holders"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/internal/words"
)

// examineTries is the number of searches for holders while programs attach and detach.
const examineTries = 3

// FindHolders fills in the programs that are attached, except this one, in one pass over /proc, and in none if no
// program is. If it finds fewer than the kernel counts, it counts the queues again, since programs come and go.
func (ns *Namespace) FindHolders(devices []*Device) {
	if !slices.ContainsFunc(devices, (*Device).InUse) {
		return
	}
	end, open := holders.End(), slices.Clone(devices)
	for range examineTries {
		f := ns.Examine(open, end)
		open = slices.DeleteFunc(open, func(d *Device) bool {
			return d.Kind != "tun" || !d.InUse() || d.HoldersComplete()
		})
		counts := make([]int, len(open))
		for i, d := range open {
			counts[i] = d.attached()
			ns.Recount(d) // the caller finds out that it is gone
		}
		moved := false
		for i, d := range open {
			moved = moved || d.attached() != counts[i]
		}
		if f.Sight != holders.Whole || !moved && f.Vanished == 0 {
			break
		}
	}
}

// Recount reads the number of queues of the device again, and reports whether the device still exists.
func (ns *Namespace) Recount(d *Device) bool {
	now, err := ns.link("", d.Index)
	if err != nil || now.Kind != "tun" {
		return false
	}
	if !now.MultiQueue {
		now.Queues = ns.SingleQueue(now)
	}
	d.Queues, d.DisabledQueues, d.Carrier = now.Queues, now.DisabledQueues, now.Carrier
	if !d.InUse() {
		d.Holders = nil
	}
	return true
}

// Examine fills in the holders that are found until end.
func (ns *Namespace) Examine(devices []*Device, end time.Time) (f holders.Findings) {
	byName, queues := map[string]*Device{}, map[string]int{}
	for _, d := range devices {
		if d.Kind == "tun" && d.InUse() {
			byName[d.Name], queues[d.Name] = d, d.attached()
		}
	}
	if len(byName) == 0 {
		return f
	}
	f = ns.search.Find(queues, end)
	for name, d := range byName {
		d.Holders, d.sight = nil, f.Sight
		for _, p := range f.Processes[name] {
			d.Holders = append(d.Holders, Holder{PID: p.PID, Command: p.Command, User: users.ID{Number: p.UID},
				Queues: p.Queues, Probable: p.Probable, Claims: p.Claims})
		}
	}
	return f
}

// NameAll sets the names of the users and groups of accesses and holders.
func (ns *Namespace) NameAll(devices []*Device) {
	var users, groups []*users.ID
	for _, d := range devices {
		if d.Access.User != nil {
			users = append(users, d.Access.User)
		}
		if d.Access.Group != nil {
			groups = append(groups, d.Access.Group)
		}
		for i := range d.Holders {
			users = append(users, &d.Holders[i].User)
		}
	}
	ns.Directory.Name(users, groups)
}

// countQueues counts the programs attached to those of the devices that are single-queue TUN/TAP devices.
func (ns *Namespace) countQueues(devices []*Device) {
	for _, d := range devices {
		if d != nil && d.Kind == "tun" && !d.MultiQueue {
			d.Queues = ns.SingleQueue(d)
		}
	}
}

// SingleQueue returns the number of programs attached to a single-queue device, 0 or 1.
func (ns *Namespace) SingleQueue(d *Device) int {
	if n, err := driver.Queues(ns.socket.FD(), d.Name); err == nil && ns.features&queueCount != 0 {
		return n
	}
	if d.CarrierOn { // on older kernels the carrier follows the attachment
		return 1
	}
	return 0
}

// attached returns the number of queues, enabled or not.
func (d *Device) attached() int { return d.Queues + d.DisabledQueues }

// predictBusy fails the jobs with a step that a device in use does not allow, before the engine changes anything. The
// errors name the programs. A program that attaches later is found when the step runs.
func (ns *Namespace) predictBusy(jobs []*job) {
	var refused []*job
	var busy []*Device
	for _, j := range jobs {
		inUse := j.Unused && j.err == nil && j.before != nil && j.before.InUse()
		if inUse || slices.ContainsFunc(j.steps, Step.needsUnused) {
			refused, busy = append(refused, j), append(busy, j.before)
		}
	}
	ns.FindHolders(busy)
	ns.NameAll(busy)
	for _, j := range refused {
		if !j.before.InUse() { // since the observation
			continue
		}
		kind := StepAccess
		if i := slices.IndexFunc(j.steps, Step.needsUnused); i >= 0 {
			kind = j.steps[i].Kind
		}
		j.err, j.steps = busyError(j.before, kind), nil
	}
}

// needsUnused reports whether a step fails while a program is attached.
func (s Step) needsUnused() bool {
	switch s.Kind {
	case StepDelete:
		return s.old.InUse() && !s.force
	case StepAccess:
		return s.old.InUse() && !s.old.MultiQueue
	}
	return false
}

// UsedBy returns the phrase "in use", with the programs that hold the device.
func (d *Device) UsedBy() string {
	var who []string
	for _, h := range d.Holders {
		probably := ""
		if h.Probable {
			probably = ", probably"
		}
		who = append(who, fmt.Sprintf("%s (pid %d, user %s%s)",
			words.Escape(h.Command), h.PID, words.Escape(h.User.String()), probably))
	}
	if unseen := d.Unseen(); unseen != "" {
		who = append(who, unseen)
	} else if len(who) == 0 {
		who = append(who, "a program that has detached since")
	}
	return "in use by " + strings.Join(who, ", ")
}
