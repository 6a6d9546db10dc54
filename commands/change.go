package commands

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// changeOptions are the options of the verbs that change devices.
type changeOptions struct {
	*program
	netns         string
	dryRun, check bool
	json          bool
	set           string // apply, teardown: the name of the set of devices; "": the operands name it

	said map[string]bool // the warnings of earlier attempts, which are not repeated; nil: there is one attempt
}

// The usage of --json, for verbs that take device names and for verbs that take files.
const (
	jsonPlan    = "with --dry-run or --check: print the steps as JSON"
	jsonOutcome = "print the result of each device as JSON; with --dry-run or --check, the steps"
)

// changeFlags returns the flags of changeOptions, with the usage of --json.
func (o *changeOptions) changeFlags(json string) []*option {
	return []*option{
		switchFlag("dry-run", "print the steps and change nothing", &o.dryRun),
		switchFlag("check", "like --dry-run, and exit 8 if there are steps", &o.check),
		switchFlag("json", json, &o.json),
		netnsFlag(&o.netns),
		verboseFlag(o.program, "print each completed step on standard error"),
		quietFlag(o.program, "print errors only"),
	}
}

// planOnly returns whether the steps are to be printed instead of done.
func (o *changeOptions) planOnly() bool { return o.dryRun || o.check }

// checkJSON returns an error if --json is given, but neither --dry-run nor --check.
func (o *changeOptions) checkJSON() error {
	if o.json && !o.planOnly() {
		return usagef("--json requires --dry-run or --check")
	}
	return nil
}

// change does the changes, or prints their plan. Each failure is a separate error. The engine calls announce, if it is
// not nil, with the names of devices that are as requested; for new devices, before they become permanent.
func (o *changeOptions) change(changes []netcfg.Change, announce func(names []string) error) ([]netcfg.Result, error) {
	ctx := o.signals()
	ns, err := netcfg.Open(o.netns)
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	return o.engage(ctx, ns, changes, netcfg.Options{Announce: announce})
}

// engage runs the engine, and prints its plan or its warnings.
func (o *changeOptions) engage(
	ctx context.Context, ns *netcfg.Namespace, changes []netcfg.Change, options netcfg.Options,
) ([]netcfg.Result, error) {
	options.DryRun, options.Planned = o.planOnly(), o.progress.plan
	options.Log = func(s netcfg.Step) {
		o.progress.step()
		o.logStep(s)
	}
	results, err := ns.Run(ctx, changes, options)
	if err != nil {
		return nil, err
	}
	var errs, followers []error
	plan := make([]*netcfg.Step, 0, countSteps(results))
	for i, r := range results {
		if cause.Of(r.Err) != cause.OtherFailed {
			for k := range r.Steps {
				plan = append(plan, &r.Steps[k])
			}
		}
		if r.Err == nil {
			for _, text := range append(r.Warnings, o.bridgeMTU(ns, changes[i], r)...) {
				o.warn(r.Name, text)
			}
		}
		errs = append(errs, outcome(r)...)
		if !options.Atomic && !changes[i].Heir && failedToo(r) {
			followers = follow(followers, r)
		}
		if r.PutBack && o.verbose {
			how := "put back as it was"
			switch {
			case r.Before == 0:
				how = "deleted again"
			case r.Remade:
				how = "re-created with all properties that were seen"
			}
			fmt.Fprintf(o.stderr, "# %s: %s\n", words.Escape(r.Name), how)
		}
	}
	errs = append(errs, followers...)
	if o.planOnly() {
		if err := renderPlan(o.stdout, lastAtEnd(plan), o.json); err != nil {
			errs = append(errs, err)
		}
		if o.check && len(plan) > 0 && len(errs) == 0 {
			errs = append(errs, errWouldChange)
		}
	}
	return results, errors.Join(errs...)
}

// bridgeMTU warns that a bridge has taken the MTU of a port, or that it keeps its own: the kernel tells only afterwards
// whether that was set explicitly.
func (o *changeOptions) bridgeMTU(ns *netcfg.Namespace, c netcfg.Change, r netcfg.Result) []string {
	if r.Follows == nil || c.Want.MTU == nil {
		return nil
	}
	own, was, bridge := *c.Want.MTU, r.Follows.MTU, words.Escape(r.Follows.Name)
	if o.planOnly() {
		return []string{fmt.Sprintf("mtu %d: the MTU of %s changes from %d to %[1]d, unless it was set explicitly",
			own, bridge, was)}
	}
	br, err := ns.AnyLink(0, r.Follows.Name)
	switch {
	case err != nil || br == nil:
		return nil
	case br.MTU != was:
		return []string{fmt.Sprintf("mtu %d: the MTU of %s changed from %d to %d, the smallest of its ports", own,
			bridge, was, br.MTU)}
	case own < was:
		return []string{fmt.Sprintf("mtu %d: %s keeps its MTU of %d, which was set explicitly: "+
			"it drops longer packets to this port", own, bridge, was)}
	}
	return []string{fmt.Sprintf("mtu %d: %s keeps its MTU of %d, which was set explicitly", own, bridge, was)}
}

// warn prints a warning about a device once.
func (o *changeOptions) warn(device, text string) {
	if o.said[device+" "+text] {
		return
	}
	if o.said != nil {
		o.said[device+" "+text] = true
	}
	o.sayOf(device, "warning: "+text)
}

// failedToo reports whether a device lacks its changes because another one failed.
func failedToo(r netcfg.Result) bool {
	return cause.Of(r.Err) == cause.OtherFailed && (r.Before == 0 || len(r.Steps) > 0)
}

// follow adds to the errors that of a device that failed because of another one. Devices that follow from the same one
// share an error.
func follow(errs []error, r netcfg.Result) []error {
	e, shared := new(cause.Error), new(cause.Error)
	errors.As(r.Err, &e)
	for _, err := range errs {
		if errors.As(err, &shared) && shared.Detail == e.Detail {
			shared.Device += ", " + r.Name
			return errs
		}
	}
	one := *e
	return append(errs, &one)
}

// outcome returns the errors to report for one change: its own failure and a failed undo. [follow] has the failures
// that only follow from another device's.
func outcome(r netcfg.Result) (errs []error) {
	if r.Err != nil && cause.Of(r.Err) != cause.OtherFailed {
		errs = append(errs, r.Err)
	}
	if r.UndoErr != nil {
		how := "put back as it was"
		if r.Before == 0 {
			how = "deleted again"
		}
		errs = append(errs, fmt.Errorf("could not be %s: %w", how, r.UndoErr))
	}
	return errs
}

func countSteps(results []netcfg.Result) (n int) {
	for i := range results {
		n += len(results[i].Steps)
	}
	return n
}

// lastAtEnd moves the steps that run after all others to the end.
func lastAtEnd(steps []*netcfg.Step) []*netcfg.Step {
	if !slices.ContainsFunc(steps, (*netcfg.Step).Last) {
		return steps
	}
	others, last := steps[:0:0], steps[:0:0]
	for _, s := range steps {
		if s.Last() {
			last = append(last, s)
		} else {
			others = append(others, s)
		}
	}
	return append(others, last...)
}

// renderPlan prints steps as the commands of ip(8) that they are short for, or as JSON.
func renderPlan(to io.Writer, steps []*netcfg.Step, json bool) error {
	if json {
		return renderArray(to, steps, toStep)
	}
	out := bufio.NewWriter(to)
	for _, s := range steps {
		out.WriteString(s.String())
		out.WriteByte('\n')
	}
	return out.Flush()
}
