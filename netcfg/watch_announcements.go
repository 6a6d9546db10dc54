package netcfg

import (
	"maps"
	"slices"
	"time"

	"github.com/tunadm/tunadm/internal/holders"
	"github.com/tunadm/tunadm/internal/rtnl"
	"golang.org/x/sys/unix"
)

// announced handles one announcement.
func (w *watcher) announced(h unix.NlMsghdr, body []byte) {
	switch h.Type {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		w.link(body, h.Type == unix.RTM_DELLINK)
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		w.address(body, h.Type == unix.RTM_DELADDR)
	}
}

func (w *watcher) link(body []byte, gone bool) {
	var message rtnl.Link
	// a tap that leaves a bridge is deleted only as its port
	if !message.Unmarshal(body) || message.Family != unix.AF_UNSPEC {
		return
	}
	d := deviceOf(&message)
	switch before := w.known[d.Index]; {
	case d.Kind != "tun":
		if _, used := w.masters[d.Index]; used {
			w.masters[d.Index] = d.Name
		}
	case gone && before != nil:
		w.gone(before, d, message.Leaves)
	case gone:
	case before == nil:
		w.appeared(d, joins(&message))
	default:
		if !d.MultiQueue {
			d.Queues = w.countSingle(d)
		}
		w.changed(before, d)
	}
}

// countSingle returns 1 if a program is attached, else 0. A carrier that is on proves it for the moment of the
// announcement. If the carrier is off, countSingle asks the kernel, which answers for the present moment.
func (w *watcher) countSingle(d *Device) int {
	if d.Carrier {
		return 1
	}
	return w.ns.singleQueue(d)
}

// appeared handles a new device. The program that created it is still attached, and sets the owner without an
// announcement.
func (w *watcher) appeared(d *Device, joined bool) {
	d.Queues, d.DisabledQueues = 0, 0
	kind := EventCreated
	if joined {
		kind = EventJoined
	} else {
		d.carrierOn, d.Carrier = false, false // it is on before the device is configured
	}
	d.Master = w.master(d)
	w.keep(d)
	w.tell(d.Index, appeared(kind, d)...)
	w.lookSoon()
}

// gone handles a device that was deleted or left the namespace. now is its state in the last announcement.
func (w *watcher) gone(before, now *Device, left bool) {
	w.tellUnseen(before, now)
	if left {
		w.tell(before.Index, Event{Kind: EventLeft, Before: before})
	} else {
		was := before
		if told := w.told[before.Index]; told != nil {
			was = told
		}
		last := *before
		last.Queues, last.DisabledQueues, last.Holders = 0, 0, nil
		w.tell(before.Index, attachments(was, &last)...)
		w.tell(before.Index, Event{Kind: EventDeleted, Before: before})
	}
	w.forget(before.Index)
}

// changed handles the present state of a device. Addresses have their own announcements. Programs are looked up later.
func (w *watcher) changed(before, d *Device) {
	d.Addresses, d.Holders = before.Addresses, before.Holders
	d.Master = w.master(d)
	if d.attached() == 0 {
		d.Holders = nil
	}
	if before.attached() != d.attached() {
		w.tellUnseen(before, d)
	}
	if w.told[d.Index] == nil {
		w.told[d.Index] = before
	}
	w.keep(d)
	w.tell(d.Index, compare(before, d)...)
}

// tellUnseen reports a program that attached or detached, and that cannot be looked up because there is a newer
// announcement. Only the carrier proves one: a run of tunadm that observes or changes the device leaves the carrier
// unchanged.
func (w *watcher) tellUnseen(d, now *Device) {
	if told := w.told[d.Index]; told != nil && told.attached() != d.attached() && carried(told, now) {
		w.tell(d.Index, attachments(told, d)...)
		w.told[d.Index] = d
	}
}

// carried reports whether the carrier was on between two observations.
func carried(before, after *Device) bool {
	return before.carrierOn || after.carrierOn || before.carrierUps != after.carrierUps
}

// settle looks up the programs of all announced devices in one pass, and reports who attached and detached.
func (w *watcher) settle() {
	var news []*Device
	for _, index := range slices.Sorted(maps.Keys(w.told)) {
		if w.followed[index] && (w.told[index].InUse() || w.known[index].InUse()) {
			d := *w.known[index]
			d.Holders = nil
			news = append(news, &d)
		}
	}
	w.findUsers(news)
	for _, d := range news {
		d.dropClaims()
	}
	w.ns.nameAll(slices.DeleteFunc(slices.Clone(news), func(d *Device) bool { return len(d.Holders) == 0 }))
	for _, d := range news {
		before := w.told[d.Index]
		keepHolders(before, d)
		w.known[d.Index] = d
		w.tell(d.Index, attachments(before, d)...)
	}
	clear(w.told)
}

// findUsers looks up the programs of announced devices. It counts the queues without a program and looks them up again,
// unless the carrier proves a program: by then a run of tunadm has closed them, or is found.
func (w *watcher) findUsers(news []*Device) {
	open, end := slices.Clone(news), time.Now().Add(holders.Longest)
	for range examineTries {
		w.ns.examine(open, end)
		open = slices.DeleteFunc(open, func(d *Device) bool {
			if d.unseen() <= 0 || carried(w.told[d.Index], d) {
				return true
			}
			if told := w.told[d.Index]; !w.ns.recount(d) { // the next announcement brings the rest
				d.Queues, d.DisabledQueues, d.Holders = told.Queues, told.DisabledQueues, told.Holders
				return true
			}
			return d.unseen() <= 0
		})
		if len(open) == 0 {
			return
		}
	}
}

// master returns the name of a device's master, or "".
func (w *watcher) master(d *Device) string {
	if d.masterIndex == 0 {
		return ""
	}
	if _, ok := w.masters[d.masterIndex]; !ok {
		if m, err := w.ns.link("", d.masterIndex); err == nil {
			w.masters[d.masterIndex] = m.Name
		}
	}
	return w.masters[d.masterIndex]
}

func (w *watcher) address(body []byte, gone bool) {
	a, ok := decodeAddress(body)
	before := w.known[a.index]
	if !ok || before == nil {
		return
	}
	d := *before
	d.Addresses = slices.DeleteFunc(slices.Clone(d.Addresses), a.same)
	if !gone {
		a.kept.message = nil
		d.Addresses = append(d.Addresses, a.Address)
	}
	w.keep(&d)
	w.tell(d.Index, compare(before, &d)...)
}
