package commands

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/poll"
	"github.com/tunadm/tunadm/internal/trace"
	"github.com/tunadm/tunadm/netcfg"
)

var traceVerb = verb{
	name: "trace", page: "tunadm-doctor(8)", operands: "NAME", operand: deviceName, lasting: true,
	usage:   "print the packets of a device that the kernel drops, and why",
	command: func(p *program) command { return &traceOptions{program: p} },
}

type traceOptions struct {
	*program
	lasts time.Duration // 0: until a signal
	count int           // of packets; 0: no limit
	json  bool
	netns string
}

func (o *traceOptions) flags() []*option {
	return []*option{
		valueFlag("for", "exit after `DURATION`: seconds, or a time such as 5m", parseDuration, &o.lasts),
		valueFlag("count", "exit after `N` packets", parseCount, &o.count),
		switchFlag("json", "print each packet as a JSON object, one per line", &o.json),
		netnsFlag(&o.netns),
		verboseFlag(o.program, "print the packets that pass too"),
	}
}

// parseDuration parses a time: a number of seconds, or numbers with units.
func parseDuration(text string) (time.Duration, error) {
	const least, most = time.Millisecond, 1000 * time.Hour
	d, err := time.ParseDuration(text)
	if seconds, wrong := strconv.ParseFloat(text, 64); wrong == nil {
		if d, err = most+1, nil; seconds < most.Seconds() {
			d = time.Duration(seconds * float64(time.Second))
		}
	}
	if err != nil {
		return 0, fmt.Errorf("%q is not a time such as 30s, 5m or 1h30m", text)
	}
	if d < least || d > most {
		return 0, fmt.Errorf("%q is not a time from 1ms to 1000h", text)
	}
	return d, nil
}

// run prints packets. It returns nil after a signal, and if the reader of standard output goes away.
func (o *traceOptions) run(names []string) error {
	if len(names) != 1 {
		return usage("exactly one device must be named", "tunadm trace NAME")
	}
	debug.SetGCPercent(100) // the run may be long
	ctx := o.signals()
	ns, err := netcfg.Open(o.netns)
	if err != nil {
		return err
	}
	defer ns.Close()
	found, err := ns.Links(names...)
	if err != nil {
		return err
	}
	devices, missing := present(found, names)
	if len(missing) > 0 {
		return errors.Join(missing...)
	}
	device, err := traced(ns, devices[0])
	if err != nil {
		return err
	}
	t, err := trace.Open(device, o.verbose)
	if err != nil {
		return err
	}
	defer t.Close()
	r := &traceReport{traceOptions: o, trace: t, device: device.Name, flows: map[traceFlow]*int{},
		explained: map[string]bool{}}
	err = r.follow(ctx, ns, device)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.EIO) || ctx.Err() != nil {
		return nil // EIO: the terminal is gone
	}
	return err
}

// traced returns what a trace has to know of a device.
func traced(ns *netcfg.Namespace, d *netcfg.Device) (trace.Device, error) {
	t := trace.Device{Name: d.Name, Index: d.Index}
	if d.MasterKind != "bridge" {
		return t, nil
	}
	masters, err := ns.Links(d.Master)
	if err == nil && masters[0] != nil {
		t.Master = masters[0].Index
	}
	return t, err
}

// follow prints packets until the run ends, and then the summary.
func (r *traceReport) follow(ctx context.Context, ns *netcfg.Namespace, d trace.Device) error {
	const look = time.Second // how often to read the counters, and to check that the device still exists
	var end time.Time        // zero: never
	if r.lasts != 0 {
		end = time.Now().Add(r.lasts)
	}
	file, _ := plainly(r.stdout).(*os.File)
	w, stop, err := poll.New(ctx, file, r.trace.FD())
	if err != nil {
		return err
	}
	defer stop()
	switch why := r.trace.Without(); {
	case why == "":
		r.sayOf(d.Name, "printing the packets that the kernel drops")
	case r.trace.Reports():
		r.sayOf(d.Name, "printing the packets that the kernel's drop monitor reports: "+why)
	default:
		r.sayOf(d.Name, "printing counters only, no packets: "+why)
	}
	if r.trace.XDP() {
		r.sayOf(d.Name, "an XDP program is attached: frames that it drops in the driver are not reported")
	}
	for next := time.Now().Add(look); ; {
		until := next
		if !end.IsZero() && end.Before(next) {
			until = end
		}
		if err := w.Wait(until); err != nil {
			return err
		}
		now := time.Now()
		last := w.Stopped() || w.Unread() || !end.IsZero() && !now.Before(end)
		gone := false
		if last || !now.Before(next) {
			present, err := ns.Device(d.Index)
			gone = err == nil && present == nil
			r.trace.Look()
			next = now.Add(look)
		}
		done, err := r.drain()
		if err == nil && (done || last || gone) {
			err = r.summary()
		}
		if gone {
			err = errors.Join(err, &cause.Error{Device: d.Name, Cause: cause.NoDevice, Detail: "it was deleted"})
		}
		if err != nil || done || last || gone {
			return err
		}
	}
}
