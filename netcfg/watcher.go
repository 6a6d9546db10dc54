package netcfg

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/tunadm/tunadm/internal/rtnl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/poll"
)

// pause is the delay between an event and a look for unannounced changes of devices that are down. The event is an open
// or a close of the driver, or a new device. A program takes less than a millisecond for its changes. The delay grows
// with the time that a look takes, so looks take at most a fifth of the time.
const pause = 20 * time.Millisecond

// A watcher keeps the last reported state of each device.
type watcher struct {
	ns            *Namespace
	announcements *rtnl.Socket
	driver        int // -1: the driver cannot be watched
	names         []string

	known    map[int]*Device // all TUN/TAP devices, by index; values are replaced, never modified
	followed map[int]bool    // the devices whose events are reported
	masters  map[int]string  // the names of the masters that were seen
	told     map[int]*Device // announced devices, as they were when their attachments were last reported
	events   []Event

	lost   bool
	lookAt time.Time // when to look for unannounced changes; zero: not scheduled
	took   time.Duration
}

// Watch calls tell with the events of the named devices, or of all devices if there are no names. It returns nil when
// ctx ends or when out has no reader any more. A name need not exist yet. A renamed device is followed. tell gets all
// events of one moment, in order; an error from it ends the watch.
func (ns *Namespace) Watch(ctx context.Context, names []string, out *os.File, tell func([]Event) error) error {
	return ns.watch(ctx, names, out, announcementsSize, tell)
}

func (ns *Namespace) watch(ctx context.Context, names []string, out *os.File, size int,
	tell func([]Event) error) error {
	announcements, err := openAnnouncements(size)
	if err != nil {
		return err
	}
	defer announcements.Close()
	w := &watcher{ns: ns, announcements: announcements, driver: openDriverWatch(), names: names,
		followed: map[int]bool{}, masters: map[int]string{}, told: map[int]*Device{}}
	if w.driver >= 0 {
		defer unix.Close(w.driver)
	}
	waiter, stop, err := poll.New(ctx, out, announcements.FD(), w.driver)
	if err != nil {
		return err
	}
	defer stop()
	if err := w.begin(); err != nil {
		return err
	}
	for {
		if err := w.flush(tell); err != nil {
			return err
		}
		if err := waiter.Wait(w.lookAt); err != nil {
			return err
		}
		if waiter.Unread() {
			return nil
		}
		if err := w.react(waiter); err != nil {
			return err
		}
		if waiter.Stopped() {
			return w.flush(tell)
		}
	}
}

// react handles all waiting announcements and driver events.
func (w *watcher) react(waiter *poll.Waiter) error {
	if waiter.Ready(waitDriver) {
		drainDriver(w.driver)
		w.lookSoon()
	}
	if waiter.Ready(waitAnnouncements) {
		if err := w.hear(); err != nil {
			return err
		}
	}
	if !w.lookAt.IsZero() && !time.Now().Before(w.lookAt) {
		if err := w.look(); err != nil {
			return err
		}
	}
	if w.lost {
		return w.recover()
	}
	return nil
}

// lookSoon schedules a look at unannounced changes, unless one is scheduled.
func (w *watcher) lookSoon() {
	if w.lookAt.IsZero() {
		w.lookAt = time.Now().Add(max(pause, 4*w.took))
	}
}

// flush reports the events.
func (w *watcher) flush(tell func([]Event) error) error {
	w.settle()
	if len(w.events) == 0 {
		return nil
	}
	var unnamed []*Device
	now := time.Now()
	for i := range w.events {
		e := &w.events[i]
		e.Time = now
		if e.Kind == EventOwner || e.Kind == EventGroup {
			unnamed = append(unnamed, e.Before, e.After)
		}
	}
	w.ns.nameAll(unnamed)
	events := w.events
	w.events = nil
	return tell(events)
}

// tell stores events for flush if the device is followed.
func (w *watcher) tell(index int, events ...Event) {
	if w.followed[index] {
		w.events = append(w.events, events...)
	}
}

// keep stores the present state of a device.
func (w *watcher) keep(d *Device) {
	w.known[d.Index] = d
	asked := func(name string) bool { return slices.Contains(w.names, name) }
	if len(w.names) == 0 || asked(d.Name) || slices.ContainsFunc(d.AltNames, asked) {
		w.followed[d.Index] = true
	}
}

func (w *watcher) forget(index int) {
	delete(w.known, index)
	delete(w.followed, index)
	delete(w.told, index)
}

// hear reads announcements until none are left, or until there are enough to report. If some were lost, it reads all
// that are waiting, because the kernel adds none before.
func (w *watcher) hear() error {
	const enough = 4096
	for n := 0; n < enough || w.lost; n++ {
		switch err := w.announcements.Receive(unix.MSG_DONTWAIT, w.announced); {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.ENOBUFS):
			// The waiting announcements are in order. The kernel drops later ones until all are read.
			w.lost = true
		case err != nil:
			return err
		}
	}
	return nil
}
