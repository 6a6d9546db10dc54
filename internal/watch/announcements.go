package watch

import (
	"maps"
	"slices"

	"github.com/tunadm/tunadm/internal/holders"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/netcfg"
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
	d := netcfg.DeviceOf(&message)
	switch before := w.known[d.Index]; {
	case d.Kind != "tun":
		if _, used := w.masters[d.Index]; used {
			w.masters[d.Index] = d.Name
		}
	case gone && before != nil:
		w.gone(before, d, message.Leaves)
	case gone:
	case before == nil:
		w.appeared(d, joined(&message))
	default:
		if !d.MultiQueue {
			d.Queues = w.countSingle(d)
		}
		w.changed(before, d)
	}
}

// joined reports whether the announcement of a new device is of one that moved here from another network namespace. A
// created device is not persistent yet, has no owner, and its carrier has never changed. A device that moved can only
// look like this if its first program still holds it.
func joined(l *rtnl.Link) bool {
	return l.Tun.Persist || l.Tun.Owner != nil || l.Tun.Group != nil || l.CarrierChanges > 0
}

// countSingle returns 1 if a program is attached, else 0. A carrier that is on proves it for the moment of the
// announcement. If the carrier is off, countSingle asks the kernel, which answers for the present moment.
func (w *watcher) countSingle(d *netcfg.Device) int {
	if d.Carrier {
		return 1
	}
	return w.ns.SingleQueue(d)
}

// appeared handles a new device. The program that created it is still attached, and sets the owner without an
// announcement.
func (w *watcher) appeared(d *netcfg.Device, joined bool) {
	d.Queues, d.DisabledQueues = 0, 0
	kind := EventCreated
	if joined {
		kind = EventJoined
	} else {
		d.CarrierOn, d.Carrier = false, false // it is on before the device is configured
	}
	d.Master = w.master(d)
	w.keep(d)
	w.tell(d.Index, appeared(kind, d)...)
	w.lookSoon()
}

// gone handles a device that was deleted or left the namespace. now is its state in the last announcement.
func (w *watcher) gone(before, now *netcfg.Device, left bool) {
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
func (w *watcher) changed(before, d *netcfg.Device) {
	d.Addresses, d.Holders = before.Addresses, before.Holders
	d.Master = w.master(d)
	if attached(d) == 0 {
		d.Holders = nil
	}
	if attached(before) != attached(d) {
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
func (w *watcher) tellUnseen(d, now *netcfg.Device) {
	if told := w.told[d.Index]; told != nil && attached(told) != attached(d) && carried(told, now) {
		w.tell(d.Index, attachments(told, d)...)
		w.told[d.Index] = d
	}
}

// carried reports whether the carrier was on between two observations.
func carried(before, after *netcfg.Device) bool {
	return before.CarrierOn || after.CarrierOn || before.CarrierUps != after.CarrierUps
}

// settle looks up the programs of all announced devices in one pass, and reports who attached and detached.
func (w *watcher) settle() {
	var news []*netcfg.Device
	for _, index := range slices.Sorted(maps.Keys(w.told)) {
		if w.followed[index] && (w.told[index].InUse() || w.known[index].InUse()) {
			d := *w.known[index]
			d.Holders = nil
			news = append(news, &d)
		}
	}
	w.findUsers(news)
	for _, d := range news {
		dropClaims(d)
	}
	w.ns.NameAll(slices.DeleteFunc(slices.Clone(news), func(d *netcfg.Device) bool { return len(d.Holders) == 0 }))
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
func (w *watcher) findUsers(news []*netcfg.Device) {
	const tries = 3
	open, end := slices.Clone(news), holders.End()
	for range tries {
		w.ns.Examine(open, end)
		open = slices.DeleteFunc(open, func(d *netcfg.Device) bool {
			if d.Unfound() <= 0 || carried(w.told[d.Index], d) {
				return true
			}
			if told := w.told[d.Index]; !w.ns.Recount(d) { // the next announcement brings the rest
				d.Queues, d.DisabledQueues, d.Holders = told.Queues, told.DisabledQueues, told.Holders
				return true
			}
			return d.Unfound() <= 0
		})
		if len(open) == 0 {
			return
		}
	}
}

// master returns the name of a device's master, or "".
func (w *watcher) master(d *netcfg.Device) string {
	index := d.MasterIndex()
	if index == 0 {
		return ""
	}
	if _, ok := w.masters[index]; !ok {
		if m, err := w.ns.Device(index); err == nil && m != nil {
			w.masters[index] = m.Name
		}
	}
	return w.masters[index]
}

func (w *watcher) address(body []byte, gone bool) {
	var message rtnl.Address
	if !message.Unmarshal(body) || w.known[message.Index] == nil {
		return
	}
	before := w.known[message.Index]
	a := netcfg.Address{Address: message.Address}
	d := *before
	d.Addresses = slices.DeleteFunc(slices.Clone(d.Addresses), same(a))
	if !gone {
		d.Addresses = append(d.Addresses, a)
	}
	w.keep(&d)
	w.tell(d.Index, compare(before, &d)...)
}
