package watch

import (
	"slices"
	"time"

	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/netcfg"
)

// An EventKind is the kind of an event. Its text is part of the interface for scripts.
type EventKind string

// The kinds of events.
const (
	EventWatching EventKind = "watching" // every later event is reported; no device
	EventLost     EventKind = "lost"     // announcements were lost, and the differences follow; no device

	EventCreated EventKind = "created"
	EventDeleted EventKind = "deleted"
	EventJoined  EventKind = "joined" // moved here from another network namespace
	EventLeft    EventKind = "left"   // moved to another network namespace
	EventRenamed EventKind = "renamed"

	EventUp       EventKind = "up"
	EventDown     EventKind = "down"
	EventAttached EventKind = "attached" // a queue, or several of one program
	EventDetached EventKind = "detached"

	EventOwner      EventKind = "owner"
	EventGroup      EventKind = "group"
	EventMTU        EventKind = "mtu"
	EventMAC        EventKind = "mac"
	EventTxQueueLen EventKind = "txqueuelen"
	EventAlias      EventKind = "alias"
	EventMaster     EventKind = "master"
	EventAddress    EventKind = "address" // an address was added or removed
)

// An Event is one event of a device.
type Event struct {
	Time   time.Time // when the watch received it
	Kind   EventKind
	Before *netcfg.Device // the state before; nil: a new device
	After  *netcfg.Device // the state after; nil: the device is gone

	Holder           *netcfg.Holder  // the program that attached or detached; nil: unknown
	Address, Removed *netcfg.Address // the address that was added, and the address that was removed
}

// Device returns the present state of the device, or the last one if it is gone. It returns nil for an event without a
// device.
func (e Event) Device() *netcfg.Device {
	if e.After != nil {
		return e.After
	}
	return e.Before
}

// appeared returns the events of a new device: kind, and its differences from a device that was just created.
func appeared(kind EventKind, d *netcfg.Device) []Event {
	return append([]Event{{Kind: kind, After: d}}, compare(blank(d), d)...)
}

// blank returns a device of this name as the kernel creates it.
func blank(d *netcfg.Device) *netcfg.Device {
	b := netcfg.Fresh(d.Name, d.Mode)
	b.Index, b.MAC = d.Index, d.MAC
	return b
}

// compare returns the events between two states of a device, except those of its queues.
func compare(before, after *netcfg.Device) (events []Event) {
	tell := func(kind EventKind, differs bool) {
		if differs {
			events = append(events, Event{Kind: kind, Before: before, After: after})
		}
	}
	tell(EventRenamed, before.Name != after.Name)
	tell(EventDown, before.Up && !after.Up)
	tell(EventOwner, !users.SameID(before.Access.User, after.Access.User))
	tell(EventGroup, !users.SameID(before.Access.Group, after.Access.Group))
	tell(EventMTU, before.MTU != after.MTU)
	tell(EventMAC, !slices.Equal(before.MAC, after.MAC))
	tell(EventTxQueueLen, before.TxQueueLen != after.TxQueueLen)
	tell(EventAlias, before.Alias != after.Alias)
	tell(EventMaster, before.MasterIndex() != after.MasterIndex())
	for _, a := range before.Addresses {
		if !slices.ContainsFunc(after.Addresses, same(a)) {
			events = append(events, Event{Kind: EventAddress, Before: before, After: after, Removed: &a})
		}
	}
	for _, a := range after.Addresses {
		if !slices.ContainsFunc(before.Addresses, same(a)) {
			events = append(events, Event{Kind: EventAddress, Before: before, After: after, Address: &a})
		}
	}
	tell(EventUp, !before.Up && after.Up)
	return events
}

// same returns a function that reports whether an address is a. The other properties of an address, such as its
// lifetimes, are no events.
func same(a netcfg.Address) func(netcfg.Address) bool {
	return func(b netcfg.Address) bool { return a.Address == b.Address }
}

// attachments returns the events of programs that detached and attached. A program that is not visible is nil. If it is
// found later, it is not reported again.
func attachments(before, after *netcfg.Device) (gone []Event) {
	var come []Event
	tell := func(list *[]Event, kind EventKind, h *netcfg.Holder) {
		*list = append(*list, Event{Kind: kind, Before: before, After: after, Holder: h})
	}
	hidden := max(after.Unfound(), 0) - max(before.Unfound(), 0)
	for _, h := range after.Holders {
		found := h.Queues - heldBy(before, h.PID)
		known := max(0, min(found, -hidden))
		hidden += known
		if found > known {
			tell(&come, EventAttached, &h)
		}
	}
	for _, h := range before.Holders {
		if heldBy(after, h.PID) < h.Queues {
			tell(&gone, EventDetached, &h)
		}
	}
	if hidden > 0 {
		tell(&come, EventAttached, nil)
	} else if hidden < 0 {
		tell(&gone, EventDetached, nil)
	}
	return append(gone, come...)
}

// heldBy returns the number of queues of a process.
func heldBy(d *netcfg.Device, pid int) int {
	for _, h := range d.Holders {
		if h.PID == pid {
			return h.Queues
		}
	}
	return 0
}

// keepHolders keeps a program that is no longer found, if the kernel counts a queue that belongs to no other program:
// the program is ending, and its descriptor is already closed.
func keepHolders(before, after *netcfg.Device) {
	for _, h := range before.Holders {
		if heldBy(after, h.PID) == 0 && after.Unfound() > 0 {
			h.Queues = min(h.Queues, after.Unfound())
			after.Holders = append(after.Holders, h)
		}
	}
}

// dropClaims removes the queues that a run of tunadm holds for a moment to observe or change the device.
func dropClaims(d *netcfg.Device) {
	var others []netcfg.Holder
	for _, h := range d.Holders {
		d.Queues = max(0, d.Queues-h.Claims)
		if h.Queues > h.Claims {
			h.Queues, h.Claims = h.Queues-h.Claims, 0
			others = append(others, h)
		}
	}
	d.Holders = others
}

// attached returns the number of queues, enabled or not.
func attached(d *netcfg.Device) int { return d.Queues + d.DisabledQueues }
