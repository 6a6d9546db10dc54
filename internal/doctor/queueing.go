package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// sentFilters finds traffic control filters that discard or redirect what is sent to the device.
func sentFilters(j *journey) []Finding { return j.atEach(j.sentFiltersOf) }

// atEach examines the links that transmit a packet one after the other: the bridge, and the device. A frame of another
// port passes the device alone.
func (j *journey) atEach(look func(*netcfg.Device) []Finding) (found []Finding) {
	if j.packet.To.IsValid() && j.layer3() != j.device {
		found = look(j.layer3())
	}
	return append(found, look(j.device)...)
}

func (j *journey) sentFiltersOf(d *netcfg.Device) (found []Finding) {
	hooked := j.queueOf(d, func(q evidence.Queue) bool { return q.Kind == "clsact" })
	if hooked == nil {
		return nil
	}
	filters := j.host.Filters(d.Index, evidence.Egress)
	for _, f := range filters {
		preference := strconv.FormatUint(uint64(f.Preference), 10)
		remove := fix.Run(fix.InNamespace("tc", "filter", "del", "dev", d.Name, "egress", "pref", preference))
		what := fmt.Sprintf("a traffic control filter of %s (egress, pref %s, %s)", words.Escape(d.Name), preference,
			f.Kind)
		switch {
		case f.Dropped > 0 && f.Redirects:
			found = append(found, one(Error, what+" redirected "+packets(f.Dropped)+" to another device",
				"the program does not get them", remove)...)
		case f.Dropped > 0:
			found = append(found, one(Error, what+" dropped "+packets(f.Dropped), "", remove)...)
			found[len(found)-1].counted = f.Dropped
		case f.Kind == "bpf" && hooked.Drops > 0 && len(j.host.Filters(d.Index, evidence.Ingress)) == 0:
			found = append(found, one(Error, what+" dropped "+packets(uint64(hooked.Drops)),
				"it is a BPF program", remove)...)
			found[len(found)-1].counted = uint64(hooked.Drops)
		case f.Drops || f.Redirects || f.Kind == "bpf":
			found = append(found, one(Unknown, what+" may drop or redirect packets",
				"its conditions were not evaluated; it has dropped none")...)
		}
	}
	return found
}

// queueOf returns the first queueing discipline of a link that fits, or nil.
func (v *view) queueOf(d *netcfg.Device, fits func(evidence.Queue) bool) *evidence.Queue {
	all := v.host.Queues(d.Index)
	i := slices.IndexFunc(all, fits)
	if i < 0 {
		return nil
	}
	return &all[i]
}

// stuckWhile is how long a queueing discipline is observed.
const stuckWhile = 100 * time.Millisecond

// stuck reports whether no packet leaves a queueing discipline meanwhile.
func (j *journey) stuck(q evidence.Queue) bool {
	time.Sleep(stuckWhile)
	return slices.ContainsFunc(j.host.QueuesNow(q.Index), func(o evidence.Queue) bool {
		return o.Handle == q.Handle && o.Parent == q.Parent && o.Packets == q.Packets &&
			o.Waiting >= q.Waiting
	})
}

// queueing finds a queueing discipline that drops packets, or holds them back.
func queueing(j *journey) []Finding { return j.atEach(j.queueingOf) }

func (j *journey) queueingOf(d *netcfg.Device) []Finding {
	root := j.queueOf(d, func(q evidence.Queue) bool { return q.Parent == evidence.Root })
	if root == nil {
		return nil
	}
	worst := root // the one of a class, if it is the one that drops
	for i, q := range j.host.Queues(d.Index) {
		if q.Kind != "clsact" && q.Kind != "ingress" && q.Drops > 0 && q.Drops >= worst.Drops {
			worst = &j.host.Queues(d.Index)[i]
		}
	}
	total := uint64(worst.Drops) + uint64(worst.Packets)
	fixed := fix.Run(fix.InNamespace("tc", "qdisc", "del", "dev", d.Name, "root"))
	fixed.After = "  # removes the traffic control of the device"
	if root.Handle == 0 { // the kernel's default, which cannot be removed
		fixed = fix.Sentence("inspect it: tc -s qdisc show dev " + d.Name)
	}
	switch {
	case worst.Drops > 0 && uint64(worst.Drops)*20 >= total:
		level := Warning
		if uint64(worst.Drops)*2 >= total {
			level = Error
		}
		found := one(level, fmt.Sprintf("the queueing discipline %s of %s dropped %d of %s (tc)", worst.Kind,
			words.Escape(d.Name), worst.Drops, packets(total)),
			"a limit or a burst that is smaller than the packets, or a rate below the traffic", fixed)
		found[0].counted = uint64(worst.Drops)
		return found
	case root.Waiting > 0 && d.Carrier && j.stuck(*root):
		return one(Error, fmt.Sprintf("%s (%d bytes) wait in the queueing discipline %s of %s (tc), and none left "+
			"it in %s", packets(uint64(root.Waiting)), root.Backlog, root.Kind, words.Escape(d.Name), stuckWhile),
			"its rate or its delay holds them back, or the program does not read", fixed)
	}
	return ok(fmt.Sprintf("the queueing discipline %s of %s dropped %d of %s", root.Kind, words.Escape(d.Name),
		root.Drops, packets(uint64(root.Packets)+uint64(root.Drops))))
}
