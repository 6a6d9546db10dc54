package commands

import (
	"bufio"
	"errors"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/tunadm/tunadm/netcfg"
)

var addVerb = verb{
	name: "add", aliases: []string{"a"}, operands: "[NAME...]",
	usage:      "create persistent devices, all or nothing for each",
	repeatable: repeatableProperties,
	flags: func(p *program) []cli.Flag {
		ifMissing := boolFlag("if-missing", "a device that is there and as asked is as good as a new one", &p.tolerant)
		return slices.Concat(newFlags(p), propertyFlags(p), []cli.Flag{ifMissing}, changeFlags(p, jsonPlan))
	},
	run: (*program).add,
}

// add creates the devices that the operands name.
func (p *program) add(names []string) error {
	spec, err := p.properties.resolve(names)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		if spec.Mode == 0 {
			return &usageError{text: "neither a name nor a mode", hint: "tunadm add tun77, or tunadm add --mode tap for the next free number"}
		}
		names = []string{spec.Mode.String() + "%d"}
	}
	if err := checkNames(names, netcfg.CheckTemplate); err != nil {
		return err
	}
	if len(names) > 1 && spec.MAC != nil {
		return usagef("--mac goes with one device")
	}
	if spec.Access == nil {
		spec.Access = netcfg.Root()
	}
	changes := make([]netcfg.Change, len(names))
	for i, name := range names {
		want := *spec
		want.Name = name
		if err := want.CheckNew(); err != nil {
			return forDevices(err, name)
		}
		changes[i] = netcfg.Change{Name: name, Want: &want, Expect: netcfg.Absent}
		if p.tolerant {
			changes[i].Expect = netcfg.AbsentOrSame
		}
	}
	return p.create(changes)
}

// create makes the devices, and prints the name of each before it is there for good: one whose name nobody gets is not made.
func (p *program) create(changes []netcfg.Change) error {
	printed := map[string]bool{}
	results, err := p.announce(changes, func(names []string) error {
		for _, name := range names {
			printed[name] = true
		}
		return p.printNames(names)
	})
	if p.dryRun || p.check {
		return err
	}
	var rest []string // there was nothing to make
	for _, r := range results {
		if r.Err == nil && !printed[r.Name] {
			rest = append(rest, r.Name)
		}
	}
	return errors.Join(append(each(err), p.printNames(rest))...)
}

// printNames prints names as they are: the caller may want to use them.
func (p *program) printNames(names []string) error {
	if p.quiet {
		return nil
	}
	out := bufio.NewWriter(p.stdout)
	for _, name := range names {
		fmt.Fprintln(out, name)
	}
	return out.Flush()
}
