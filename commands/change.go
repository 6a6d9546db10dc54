package commands

import (
	"context"
	"errors"
	"fmt"

	"github.com/tunadm/tunadm/netcfg"
)

// change runs the changes and prints the plan of a dry run. Each failure is an error of its own.
func (p *program) change(changes []netcfg.Change) ([]netcfg.Result, error) {
	return p.announce(changes, nil)
}

// announce is a change that tells the names of devices that are as asked, and of new ones before they are there for good.
func (p *program) announce(changes []netcfg.Change, told func(names []string) error) ([]netcfg.Result, error) {
	if p.json && !p.planOnly() {
		return nil, usagef("--json goes with --dry-run or --check")
	}
	ctx := signals()
	ns, err := netcfg.Open(p.netns)
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	if p.node != "" {
		if err := ns.UseNode(p.node); err != nil {
			return nil, err
		}
	}
	return p.engage(ctx, ns, changes, netcfg.Options{Announce: told})
}

// planOnly says that nothing is to be done.
func (p *program) planOnly() bool { return p.dryRun || p.check }

// engage runs the engine, and prints what it has to say.
func (p *program) engage(ctx context.Context, ns *netcfg.Namespace, changes []netcfg.Change, o netcfg.Options) ([]netcfg.Result, error) {
	o.DryRun, o.Log = p.planOnly(), p.log
	results, err := ns.Run(ctx, changes, o)
	if err != nil {
		return nil, err
	}
	var errs []error
	var plan []netcfg.Step
	for _, r := range results {
		plan = append(plan, r.Steps...)
		if r.Err == nil {
			p.warn(r)
		}
		errs = append(errs, outcome(r)...)
		if r.PutBack && p.verbose {
			how := map[bool]string{true: "made anew, with all that was seen of it", false: "put back as it was"}[r.Remade]
			fmt.Fprintf(p.stderr, "# %s: %s\n", netcfg.Escape(r.Name), how)
		}
	}
	if p.planOnly() {
		if err := p.renderPlan(plan); err != nil {
			errs = append(errs, err)
		}
		if p.check && len(plan) > 0 && len(errs) == 0 {
			errs = append(errs, errWouldChange)
		}
	}
	return results, errors.Join(errs...)
}

// outcome is why a change failed, and why it could not be undone if that is so. That others failed is no news.
func outcome(r netcfg.Result) (errs []error) {
	if e := new(netcfg.Error); r.Err != nil && !(errors.As(r.Err, &e) && e.Cause == netcfg.OtherFailed) {
		errs = append(errs, r.Err)
	}
	if r.UndoErr != nil {
		errs = append(errs, fmt.Errorf("could not be put back as it was: %w", r.UndoErr))
	}
	return errs
}

// log prints a step that was done, with -v.
func (p *program) log(s netcfg.Step) {
	if p.verbose {
		fmt.Fprintln(p.stderr, s)
	}
}

// say prints a line that is about the run, not about a device.
func (p *program) say(text string) {
	if !p.quiet {
		fmt.Fprintf(p.stderr, "tunadm: %s: %s\n", p.verb, netcfg.Printable(text))
	}
}

// sayOf prints a line that is about a device.
func (p *program) sayOf(device, text string) {
	if !p.quiet {
		fmt.Fprintf(p.stderr, "tunadm: %s %s: %s\n", p.verb, netcfg.Escape(device), netcfg.Printable(text))
	}
}

func (p *program) warn(r netcfg.Result) {
	for _, text := range r.Warnings {
		p.sayOf(r.Name, "warning: "+text)
	}
}

// checkNames refuses operands that can be no device, and one that stands twice.
func checkNames(names []string, check func(string) error) error {
	seen := map[string]bool{}
	for _, name := range names {
		if err := check(name); err != nil {
			return &usageError{text: fmt.Sprintf("%q is no device name: %v", name, err)}
		}
		if seen[name] {
			return usagef("%q is named twice", name)
		}
		seen[name] = true
	}
	return nil
}
