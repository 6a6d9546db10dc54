package commands

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/tunadm/tunadm/internal/declare"
	"github.com/tunadm/tunadm/internal/doctor"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/metrics"
	"github.com/tunadm/tunadm/internal/state"
	"github.com/tunadm/tunadm/netcfg"
)

var metricsVerb = verb{
	name: "metrics", page: "tunadm-metrics(8)", operands: "[NAME...]", operand: devicePattern, patterns: true,
	reads:   true,
	usage:   "print numbers of devices for Prometheus",
	command: func(p *program) command { return &metricsOptions{program: p} },
}

type metricsOptions struct {
	*program
	netns string
	write string // a file; "": standard output

	named  bool // the devices are named, and only their errors count
	files  func() ([]declare.Declaration, error)
	errors []metrics.Errors
}

func (o *metricsOptions) flags() []*option {
	netns := netnsFlag(&o.netns)
	netns.Usage += "; or all"
	return []*option{
		valueFlag("write", "write `FILE` in one step, instead of standard output", parseNotEmpty, &o.write), netns,
	}
}

// run prints or writes all numbers, or none: who reads the half of them would take the others for gone.
func (o *metricsOptions) run(names []string) error {
	start := time.Now()
	if o.write == "-" {
		o.write = ""
	} else if err := o.canPublish(); err != nil {
		return err
	}
	o.named = len(names) > 0
	o.files = sync.OnceValues(func() ([]declare.Declaration, error) { return declare.Read(nil) })
	comparison := make(chan error, 1)
	var declared *metrics.Declared
	go func() {
		var err error
		declared, err = o.compare()
		comparison <- err
	}()
	devices, err := o.read(names)
	if err = errors.Join(err, <-comparison); err != nil {
		return err
	}
	slices.SortStableFunc(o.errors, func(a, b metrics.Errors) int { return link.CompareNames(a.Netns, b.Netns) })
	text := metrics.Text(&metrics.Numbers{Devices: devices, Errors: o.errors, Declared: declared,
		Version: o.version, Start: start, Duration: time.Since(start)})
	if o.write != "" {
		return o.publish(text)
	}
	_, err = o.stdout.Write(text)
	return err
}

// read returns the devices, and counts the errors that doctor finds.
func (o *metricsOptions) read(names []string) ([]*netcfg.Device, error) {
	examine := func(called string) reader {
		return func(ns *netcfg.Namespace, names ...string) ([]*netcfg.Device, error) {
			return o.examine(ns, called, names)
		}
	}
	var devices []*netcfg.Device
	var missing []error
	var err error
	if isEverywhere(o.netns) {
		devices, missing, err = readEach(names, examine)
	} else {
		devices, missing, err = readDevices(o.netns, names, examine(o.netns))
	}
	return devices, errors.Join(append(missing, err)...)
}

// examine has doctor look at all devices of a namespace, without following packets. It returns the named ones, or all.
func (o *metricsOptions) examine(ns *netcfg.Namespace, called string, names []string) ([]*netcfg.Device, error) {
	declared := func() (all []doctor.Declared) {
		declarations, _ := o.files()
		for _, d := range declarations {
			all = append(all, doctor.Declared{Spec: &d.Spec, Place: d.Where()})
		}
		return all
	}
	question := doctor.Question{Netns: called, Declared: sync.OnceValue(declared), Problems: true,
		Unapplied: func() map[string]error { return nil }} // fixes are not printed
	report, err := doctor.Examine(ns, question)
	if err != nil {
		return nil, err
	}
	devices := report.Devices
	if o.named {
		if devices, err = ns.Counters(names...); err != nil {
			return nil, err
		}
	}
	reported := map[int]*netcfg.Device{}
	for _, d := range report.Devices {
		reported[d.Index] = d
	}
	asked := map[string]bool{"": true} // the errors of the machine
	for i, d := range devices {
		if d == nil {
			continue
		}
		asked[d.Name] = true
		devices[i] = cmp.Or(reported[d.Index], d)
	}
	found := map[string]int{}
	for _, f := range report.Findings {
		if f.Level == doctor.Error && asked[f.Device] {
			found[f.Check]++
		}
	}
	counts := metrics.Errors{}
	if isEverywhere(o.netns) {
		counts.Netns = called
	}
	for _, check := range doctor.Checks() {
		counts.ByCheck = append(counts.ByCheck, metrics.Count{Label: check, N: found[check]})
	}
	o.errors = append(o.errors, counts)
	return devices, nil
}

// compare compares the devices of this network namespace with the default files, as status does. It returns nil for
// another namespace, which these files do not declare.
func (o *metricsOptions) compare() (*metrics.Declared, error) {
	if o.netns != "" && !isEverywhere(o.netns) {
		return nil, nil
	}
	declared, err := o.files()
	if err != nil {
		return &metrics.Declared{}, nil
	}
	ns, err := netcfg.Open("")
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	run := &provision{changeOptions: &changeOptions{program: o.program}, namespace: ns, memory: &state.Memory{}}
	rows, err := run.compare(context.Background(), slices.Clone(declared))
	if err != nil {
		return nil, err
	}
	result := &metrics.Declared{Valid: true}
	for _, state := range []string{statusOK, statusMissing, statusChanged, statusError} {
		n := 0
		for _, r := range rows {
			if r.State == state {
				n++
			}
		}
		result.States = append(result.States, metrics.Count{Label: state, N: n})
	}
	return result, nil
}
