package watch

import (
	"maps"
	"slices"
	"time"

	"github.com/tunadm/tunadm/internal/poll"
	"github.com/tunadm/tunadm/netcfg"
	"golang.org/x/sys/unix"
)

// begin reads all devices.
func (w *watcher) begin() error {
	devices, err := w.observe()
	if err != nil {
		return err
	}
	w.known = map[int]*netcfg.Device{}
	for _, d := range devices {
		w.keep(d)
	}
	w.events = append(w.events, Event{Kind: EventWatching})
	return nil
}

// recover reads all devices again after announcements were lost, and reports the differences.
func (w *watcher) recover() error {
	w.settle()
	w.events = append(w.events, Event{Kind: EventLost})
	devices, err := w.observe()
	if err != nil {
		return err
	}
	there := map[int]*netcfg.Device{}
	for _, d := range devices {
		there[d.Index] = d
	}
	for _, index := range slices.Sorted(maps.Keys(w.known)) {
		if d := there[index]; d == nil || d.Mode != w.known[index].Mode {
			w.gone(w.known[index], w.known[index], false)
		}
	}
	for _, d := range devices {
		before := w.known[d.Index]
		w.keep(d)
		if before == nil {
			w.tell(d.Index, appeared(EventCreated, d)...)
			before = blank(d)
		} else {
			w.tell(d.Index, compare(before, d)...)
		}
		keepHolders(before, d)
		w.tell(d.Index, attachments(before, d)...)
	}
	w.lost = false
	w.lookSoon()
	return nil
}

// observe reads all devices with their addresses and programs. It drops earlier announcements, because the state that
// was read includes them.
func (w *watcher) observe() ([]*netcfg.Device, error) {
	const tries = 5
	for try := 1; ; try++ {
		if err := w.announcements.ReceiveWaiting(func(unix.NlMsghdr, []byte) {}); err != nil {
			return nil, err
		}
		devices, err := w.read()
		if err != nil {
			return nil, err
		}
		if err := w.ns.ReadAddresses(devices); err != nil {
			return nil, err
		}
		waiting := poll.Input(w.announcements.FD(), time.Now())
		if !waiting || try == tries { // later announcements have the last state
			w.ns.FindHolders(devices)
			for _, d := range devices {
				dropClaims(d)
			}
			w.ns.NameAll(devices)
			for _, d := range devices {
				for i, a := range d.Addresses { // the kernel's messages would stay in memory
					d.Addresses[i] = netcfg.Address{Address: a.Address}
				}
			}
			return devices, nil
		}
	}
}

// read reads all devices, without addresses and programs.
func (w *watcher) read() ([]*netcfg.Device, error) {
	devices, err := w.ns.Counters()
	if err != nil {
		return nil, err
	}
	for _, d := range devices {
		if !d.MultiQueue {
			d.Queues = w.ns.SingleQueue(d)
		}
		d.Master = w.master(d)
	}
	return devices, nil
}

// look reads the state of devices that are down and that the kernel does not announce: access, attached programs, and
// some properties. It skips a device with an announcement in the meantime, because the state that was read may be
// older.
func (w *watcher) look() error {
	w.lookAt = time.Time{}
	start := time.Now()
	devices, err := w.read()
	w.took = time.Since(start)
	if err != nil {
		return err
	}
	if w.pause < longestPause {
		w.lookIn(5 * w.pause)
	}
	w.settle()
	if err := w.hear(); err != nil {
		return err
	}
	for _, d := range devices {
		before := w.known[d.Index]
		switch {
		case before == nil || before.Up || d.Up:
		case w.told[d.Index] != nil:
			w.lookSoon()
		default:
			w.changed(before, d)
		}
	}
	return nil
}
