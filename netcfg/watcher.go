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

// pause is how long a look at the unannounced changes of devices that are down waits after a program opened or closed
// the driver, or after a device was created. Programs take less than a millisecond. After a longer look the pause is
// longer, so that looks take a fifth of the time at most.
const pause = 20 * time.Millisecond

// A watcher keeps the last reported state of each device.
type watcher struct {
	ns            *Namespace
	announcements *rtnl.Socket
	driver        int // -1: it cannot be watched
	names         []string

	known    map[int]*Device // all TUN/TAP devices, by index; values are replaced, never changed
	followed map[int]bool    // those whose events are told
	masters  map[int]string  // the names of masters seen
	told     map[int]*Device // of devices that were announced: as they were when their attachments were told last
	events   []Event

	lost   bool
	lookAt time.Time // zero: nothing to look at
	took   time.Duration
}

// Watch calls tell with the events of the named devices, or of all. It ends without an error when ctx ends or when out
// has no reader any more. A name need not exist yet, and a device is followed if it is renamed. Tell gets the events of
// a moment, in their order; its error ends the watch.
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

// react handles everything that is waiting.
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
	w.ns.Directory.nameAll(unnamed)
	events := w.events
	w.events = nil
	return tell(events)
}

// tell keeps events for flush if the device is one of those to be followed.
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

// hear reads announcements until there are no more, or until there are enough to report. If some were lost, it reads
// all that wait, because the kernel adds none before.
func (w *watcher) hear() error {
	const enough = 4096
	for n := 0; n < enough || w.lost; n++ {
		switch err := w.announcements.Receive(unix.MSG_DONTWAIT, w.announced); {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.ENOBUFS):
			// The waiting announcements are in order. The kernel drops what follows until all are read.
			w.lost = true
		case err != nil:
			return err
		}
	}
	return nil
}
