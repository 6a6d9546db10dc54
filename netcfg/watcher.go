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

// pause is the time between that a program opened or closed the driver, or a device was made, and the look at what the
// kernel does not announce of devices that are down. Programs need less than a millisecond. A look that takes longer
// waits longer, so that looks never take more than a fifth of the time.
const pause = 20 * time.Millisecond

// A watcher keeps what was told of each device.
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

// Watch calls tell with what happens to the named devices, or to all, until ctx ends or, with success, out has no
// reader any more. A name need not be there yet, and its device is followed when it is renamed. Tell gets the events of
// a moment, in their order; its error ends the watch.
func (ns *Namespace) Watch(ctx context.Context, names []string, out *os.File, tell func([]Event) error) error {
	return ns.watch(ctx, names, out, announcementsSize, tell)
}

func (ns *Namespace) watch(ctx context.Context, names []string, out *os.File, size int, tell func([]Event) error) error {
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

// react takes in all that there is.
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

// lookSoon has what is not announced looked at, unless that is about to happen.
func (w *watcher) lookSoon() {
	if w.lookAt.IsZero() {
		w.lookAt = time.Now().Add(max(pause, 4*w.took))
	}
}

// flush tells the events.
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

// tell keeps events for flush, if their device is one that was asked for.
func (w *watcher) tell(index int, events ...Event) {
	if w.followed[index] {
		w.events = append(w.events, events...)
	}
}

// keep is the device as it is now.
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

// hear reads announcements until there are no more, or enough to be told. Where some were lost it reads all that wait:
// until then the kernel adds none.
func (w *watcher) hear() error {
	const enough = 4096
	for n := 0; n < enough || w.lost; n++ {
		switch err := w.announcements.Receive(unix.MSG_DONTWAIT, w.announced); {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.ENOBUFS): // what waits still is in order; it is what comes next that is lost, until all is read
			w.lost = true
		case err != nil:
			return err
		}
	}
	return nil
}
