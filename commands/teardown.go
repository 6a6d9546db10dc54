package commands

import (
	"context"
	"errors"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/tunadm/tunadm/internal/declare"
	"github.com/tunadm/tunadm/netcfg"
)

var teardownVerb = verb{
	name: "teardown", operands: "[FILE|DIR...]",
	usage: "delete what apply created, all in one go",
	flags: func(p *program) []cli.Flag {
		return append([]cli.Flag{
			boolFlag("force", "take devices from the programs that use them, and declared ones that apply did not create", &p.force),
		}, changeFlags(p, jsonOutcome)...)
	},
	run: (*program).teardown,
}

// teardown deletes what is remembered, whatever the files look like by now.
func (p *program) teardown(operands []string) error {
	var mistakes error
	err := p.provision(operands, true, netcfg.Options{}, func(ctx context.Context, r *provision) ([]netcfg.Change, error) {
		declared, wrong := untilSignal(ctx, func() ([]declare.Declaration, error) { return declare.Read(operands) })
		if ctx.Err() != nil {
			return nil, wrong
		}
		if mistakes = wrong; wrong != nil && len(r.memory.Devices()) > 0 {
			r.say("the files have mistakes; what apply created goes all the same")
		}
		strangers, err := r.strangers(declared)
		changes := r.remembered()
		for _, d := range strangers {
			if p.force {
				changes = append(changes, r.removal(d.Name, d.Index))
			} else {
				r.keep(d.Name)
			}
		}
		return changes, err
	})
	return errors.Join(mistakes, err)
}

// remembered are the changes that delete what an earlier apply of the same operands made.
func (r *provision) remembered() []netcfg.Change {
	var changes []netcfg.Change
	for index, name := range r.memory.Devices() {
		changes = append(changes, r.removal(name, index))
	}
	slices.SortFunc(changes, func(a, b netcfg.Change) int { return a.Index - b.Index })
	return changes
}

// removal deletes the very device, if it is there.
func (r *provision) removal(name string, index int) netcfg.Change {
	return netcfg.Change{Name: name, Index: index, Expect: netcfg.PresentOrNot, Force: r.force}
}

// strangers are devices that are declared and there, and that apply did not create.
func (r *provision) strangers(declared []declare.Declaration) ([]*netcfg.Device, error) {
	names := make([]string, len(declared))
	for i, d := range declared {
		names[i] = d.Spec.Name
	}
	if len(names) == 0 {
		return nil, nil
	}
	live, err := r.namespace.Links(names...)
	seen := map[int]bool{}
	return slices.DeleteFunc(live, func(d *netcfg.Device) bool {
		if d == nil || d.Kind != "tun" || r.memory.Devices()[d.Index] == d.Name || seen[d.Index] {
			return true
		}
		seen[d.Index] = true // it may be declared by its other name too
		return false
	}), err
}

// keep leaves a device alone, and says so.
func (r *provision) keep(name string) {
	why := "apply did not create it"
	r.warn(netcfg.Result{Name: name, Warnings: []string{why + ": it is kept, --force takes it"}})
	r.kept = append(r.kept, jsonResult{Device: name, Result: "kept", Steps: toSteps(nil), Error: &why})
}
