package netcfg

import (
	"maps"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// announced takes one announcement in.
func (w *watcher) announced(h unix.NlMsghdr, body []byte) {
	switch h.Type {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		w.link(body, h.Type == unix.RTM_DELLINK)
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		w.address(body, h.Type == unix.RTM_DELADDR)
	}
}

func (w *watcher) link(body []byte, gone bool) {
	if len(body) == 0 || body[0] != unix.AF_UNSPEC { // of a bridge's port: a tap that leaves is "deleted" there
		return
	}
	d := decodeLink(body)
	switch before := w.known[d.index()]; {
	case d == nil:
	case d.Kind != "tun":
		if _, used := w.masters[d.Index]; used {
			w.masters[d.Index] = d.Name
		}
	case gone && before != nil:
		_, left := moved(d, body)
		w.gone(before, left)
	case gone:
	case before == nil:
		joined, _ := moved(d, body)
		w.appeared(d, joined)
	default:
		if !d.MultiQueue {
			d.Queues = w.countSingle(d)
		}
		w.changed(before, d)
	}
}

func (d *Device) index() int {
	if d == nil {
		return 0
	}
	return d.Index
}

// countSingle is whether a program is attached. That the carrier was on proves it for the moment of the announcement; else the kernel is asked,
// whose answer is of now.
func (w *watcher) countSingle(d *Device) int {
	if d.Carrier {
		return 1
	}
	return w.ns.singleQueue(d)
}

// appeared takes in a device that was not there. Its maker is still attached to it, and gives it its owner without an announcement.
func (w *watcher) appeared(d *Device, joined bool) {
	d.Queues, d.DisabledQueues = 0, 0
	kind := EventCreated
	if joined {
		kind = EventJoined
	}
	d.Master = w.master(d)
	w.keep(d)
	w.tell(d.Index, appeared(kind, d)...)
	w.lookSoon()
}

// gone takes in that a device is no more, or no more here.
func (w *watcher) gone(before *Device, left bool) {
	w.tellUnseen(before)
	if left {
		w.tell(before.Index, Event{Kind: EventLeft, Before: before})
	} else {
		last := *before
		last.Queues, last.DisabledQueues, last.Holders = 0, 0, nil
		w.tell(before.Index, attachments(before, &last)...)
		w.tell(before.Index, Event{Kind: EventDeleted, Before: before})
	}
	w.forget(before.Index)
}

// changed takes in what a device, as it was read, is like now. Its addresses are announced by themselves, and its programs found later.
func (w *watcher) changed(before, d *Device) {
	d.Addresses, d.Holders = before.Addresses, before.Holders
	d.Master = w.master(d)
	if d.attached() == 0 {
		d.Holders = nil
	}
	if before.attached() != d.attached() {
		w.tellUnseen(before)
	}
	if w.told[d.Index] == nil {
		w.told[d.Index] = before
	}
	w.keep(d)
	w.tell(d.Index, compare(before, d)...)
}

// tellUnseen tells of a program that came or went, and that cannot be found any more since there is news already. Unless the carrier proves it,
// or the count that is announced of several queues, this may have been a run of this program that changed the device.
func (w *watcher) tellUnseen(d *Device) {
	if told := w.told[d.Index]; told != nil && told.attached() != d.attached() && (told.Carrier || d.Carrier || d.MultiQueue) {
		w.tell(d.Index, attachments(told, d)...)
		w.told[d.Index] = d
	}
}

// settle finds the programs of the devices that were announced, all in one pass, and tells who attached and detached.
func (w *watcher) settle() {
	var news []*Device
	for _, index := range slices.Sorted(maps.Keys(w.told)) {
		if w.followed[index] && (w.told[index].InUse() || w.known[index].InUse()) {
			d := *w.known[index]
			d.Holders = nil
			news = append(news, &d)
		}
	}
	w.ns.examine(news, time.Now().Add(examineMax))
	for _, d := range news {
		if d.unseen() > 0 && !d.Carrier && !d.MultiQueue { // as above
			w.ns.recount(d)
		}
		d.dropClaims()
	}
	name(slices.DeleteFunc(slices.Clone(news), func(d *Device) bool { return len(d.Holders) == 0 }))
	for _, d := range news {
		before := w.told[d.Index]
		keepHolders(before, d)
		w.known[d.Index] = d
		w.tell(d.Index, attachments(before, d)...)
	}
	clear(w.told)
}

// master is the name of a device's master.
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
