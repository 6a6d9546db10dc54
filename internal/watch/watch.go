// Package watch reports what happens to TUN/TAP devices, as the kernel announces it or as it is seen.
package watch

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/driver"
	"github.com/tunadm/tunadm/internal/poll"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/netcfg"
)

// pause is the delay between an event and a look for unannounced changes of devices that are down. The event is an open
// or a close of the driver, or a new device. A program takes less than a millisecond for its changes, but on a busy
// machine it may not run at once: there are further looks, each after five times the delay of the one before, up to
// longestPause. The delay also grows with the time that a look takes, so looks take at most a fifth of the time.
const (
	pause        = 20 * time.Millisecond
	longestPause = 125 * pause
)

// A watcher keeps the last reported state of each device.
type watcher struct {
	ns            *netcfg.Namespace
	announcements *rtnl.Socket
	driver        int                    // -1: the driver cannot be watched
	follows       func(name string) bool // nil: all devices

	known    map[int]*netcfg.Device // all TUN/TAP devices, by index; values are replaced, never modified
	followed map[int]bool           // the devices whose events are reported
	masters  map[int]string         // the names of the masters that were seen
	told     map[int]*netcfg.Device // announced devices, as they were when their attachments were last reported
	events   []Event

	lost   bool
	lookAt time.Time     // when to look for unannounced changes; zero: not scheduled
	pause  time.Duration // the delay of that look
	took   time.Duration
}

// Run calls tell with the events of the devices for whose names follows returns true, or of all devices if it is nil.
// It returns nil when ctx ends or when out has no reader any more. A renamed device is still followed. tell gets all
// events of one moment, in order; an error from it ends the watch.
func Run(
	ctx context.Context, ns *netcfg.Namespace, follows func(name string) bool, out *os.File, tell func([]Event) error,
) error {
	return run(ctx, ns, follows, out, rtnl.AnnouncementsSize, tell)
}

func run(
	ctx context.Context, ns *netcfg.Namespace, follows func(name string) bool, out *os.File, size int,
	tell func([]Event) error,
) error {
	announcements, err := openAnnouncements(size)
	if err != nil {
		return err
	}
	defer announcements.Close()
	w := &watcher{ns: ns, announcements: announcements, driver: openDriverWatch(), follows: follows,
		followed: map[int]bool{}, masters: map[int]string{}, told: map[int]*netcfg.Device{}}
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

// lookSoon schedules a look at unannounced changes.
func (w *watcher) lookSoon() { w.lookIn(pause) }

// lookIn schedules a look after a delay, unless one is scheduled before.
func (w *watcher) lookIn(delay time.Duration) {
	w.pause = delay
	if at := time.Now().Add(max(delay, 4*w.took)); w.lookAt.IsZero() || at.Before(w.lookAt) {
		w.lookAt = at
	}
}

// flush reports the events.
func (w *watcher) flush(tell func([]Event) error) error {
	w.settle()
	if len(w.events) == 0 {
		return nil
	}
	var unnamed []*netcfg.Device
	now := time.Now()
	for i := range w.events {
		e := &w.events[i]
		e.Time = now
		if e.Kind == EventOwner || e.Kind == EventGroup {
			unnamed = append(unnamed, e.Before, e.After)
		}
	}
	w.ns.NameAll(unnamed)
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
func (w *watcher) keep(d *netcfg.Device) {
	w.known[d.Index] = d
	if w.follows == nil || w.follows(d.Name) || slices.ContainsFunc(d.AltNames, w.follows) {
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

// openAnnouncements opens a socket to which the kernel announces changes to links and addresses.
func openAnnouncements(size int) (*rtnl.Socket, error) {
	return rtnl.Subscribe(size, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR)
}

// openDriverWatch returns a descriptor that becomes readable when a program opens or closes the driver's node, or -1.
// It watches the directory, because the node may be re-created. All changes that the kernel does not announce happen
// between an open and a close.
func openDriverWatch() int {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return -1
	}
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(driver.Path), unix.IN_OPEN|unix.IN_CLOSE); err != nil {
		unix.Close(fd)
		return -1
	}
	return fd
}

// The descriptors of a watch, as its [poll.Waiter] counts them.
const (
	waitAnnouncements = iota
	waitDriver
)

// drainDriver reads the events of the driver watch, and ignores them.
func drainDriver(fd int) {
	var buffer [4096]byte
	for n := 1; n > 0; {
		n, _ = unix.Read(fd, buffer[:])
	}
}
