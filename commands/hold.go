package commands

import (
	"context"
	"errors"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/driver"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/notify"
	"github.com/tunadm/tunadm/internal/poll"
	"github.com/tunadm/tunadm/netcfg"
)

var holdVerb = verb{
	name: "hold", page: "tunadm-packets(8)", operands: "NAME...", operand: deviceName, lasting: true,
	usage:   "keep the carrier of multi-queue devices while their programs are replaced",
	command: func(p *program) command { return &holdOptions{program: p} },
}

type holdOptions struct {
	*program
	netns string
}

func (o *holdOptions) flags() []*option { return []*option{netnsFlag(&o.netns)} }

// A holding is a device with a queue that is attached and disabled. The kernel turns off the carrier of a device when
// its last queue is closed, a disabled one included, and passes no packet to a disabled queue.
type holding struct {
	*netcfg.Device
	fd int // -1: there is none yet; or the device is gone
}

// run holds all devices, or none, until a signal. It returns an error when the last device is gone.
func (o *holdOptions) run(names []string) error {
	if len(names) == 0 {
		return usage("no device is named", "tunadm hold NAME")
	}
	debug.SetGCPercent(100) // the run may be long
	ctx := o.signals()
	ns, err := netcfg.Open(o.netns)
	if err != nil {
		return err
	}
	defer ns.Close()
	all, err := holdable(ns, names)
	if err != nil {
		return err
	}
	known := takeBack(ns, all)
	for _, h := range all {
		if h.fd, err = h.hold(ns); err != nil {
			return err
		}
	}
	if err := store(all, known); err != nil {
		return &cause.Error{What: "notify the service manager", Err: err}
	}
	for _, h := range all {
		o.sayOf(h.Name, "the carrier stays on from now")
	}
	return o.await(ctx, all)
}

// holdable returns the devices, or an error for each that cannot be held.
func holdable(ns *netcfg.Namespace, names []string) (all []*holding, err error) {
	found, err := ns.Links(names...)
	if err != nil {
		return nil, err
	}
	devices, errs := present(found, names)
	for _, d := range devices {
		same := func(h *holding) bool { return h.Index == d.Index }
		switch {
		case !d.MultiQueue:
			errs = append(errs, &cause.Error{Device: d.Name, Cause: cause.WrongQueues,
				Detail: "it is single-queue, so a queue that keeps the carrier would keep the program out",
				Fix: fix.Sentence("have the program attach with IFF_MULTI_QUEUE, and create the device with " +
					"--multi-queue: " + fix.Tunadm("delete", d.Name).String() + ", then add it again")})
		case slices.ContainsFunc(all, same):
			errs = append(errs, &cause.Error{Device: d.Name, Cause: cause.BadRequest, Detail: "it is named twice"})
		default:
			all = append(all, &holding{Device: d, fd: -1})
		}
	}
	return all, errors.Join(errs...)
}

// takeBack finds the queues that an earlier process has stored with the service manager. Their devices have them in
// fd, and other descriptors are closed. It returns the names of all.
func takeBack(ns *netcfg.Namespace, all []*holding) (names []string) {
	descriptors, names := notify.Listened()
	for _, fd := range descriptors {
		_, index, err := ns.Identify(fd)
		mine := func(h *holding) bool { return err == nil && h.Index == index && h.fd < 0 }
		if at := slices.IndexFunc(all, mine); at >= 0 {
			all[at].fd = fd
		} else {
			unix.Close(fd)
		}
	}
	return names
}

// hold returns a disabled queue of the device, whose carrier is on. In the moment before the queue is disabled, the
// kernel may choose it for packets, which are then lost.
func (h *holding) hold(ns *netcfg.Namespace) (fd int, err error) {
	if fd = h.fd; fd < 0 {
		if fd, err = ns.Claim(h.Device); err != nil {
			return -1, err
		}
		if err = driver.TurnOnCarrier(fd); err != nil {
			err = &cause.Error{Device: h.Name, What: "carrier", Err: err}
		}
	}
	if err == nil {
		if err = driver.DisableQueue(fd); err != nil {
			err = &cause.Error{Device: h.Name, What: "disable the queue", Err: err}
		}
	}
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFL, 0) // the descriptor no longer counts as a claim
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// store gives the queues to the service manager, in place of those that it has, and reports that the devices are held.
// The manager must not close a queue because of what poll(2) reports.
func store(all []*holding, known []string) error {
	slices.Sort(known)
	for _, name := range slices.Compact(known) {
		if err := notify.Send("FDSTOREREMOVE=1\nFDNAME=" + name); err != nil {
			return err
		}
	}
	var names []string
	for _, h := range all {
		if err := notify.Send("FDSTORE=1\nFDPOLL=0\nFDNAME="+storedName(h.Name), h.fd); err != nil {
			return err
		}
		names = append(names, storedName(h.Name))
	}
	return notify.Send("READY=1\nSTATUS=Holds the carrier of " + strings.Join(names, ", "))
}

// storedName returns the name of a device as that of a descriptor, which has printable ASCII characters only.
func storedName(device string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r >= 0x7f {
			return '?'
		}
		return r
	}, device)
}

// await waits for a signal, and reports each device that was deleted.
func (o *holdOptions) await(ctx context.Context, all []*holding) error {
	for len(all) > 0 {
		descriptors := make([]int, len(all))
		for i, h := range all {
			descriptors[i] = h.fd
		}
		w, stop, err := poll.New(ctx, nil, descriptors...)
		if err != nil {
			return err
		}
		err = w.Wait(time.Time{})
		stop()
		if err != nil || w.Stopped() {
			return err
		}
		var left []*holding
		for i, h := range all {
			switch {
			case !w.Failed(i):
				left = append(left, h)
			case len(all) == 1:
				return cause.Vanished(h.Name)
			default:
				o.sayOf(h.Name, "it was deleted")
				unix.Close(h.fd)
			}
		}
		all = left
	}
	return nil
}
