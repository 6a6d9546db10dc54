package commands

import (
	"context"
	"errors"
	"slices"

	"github.com/tunadm/tunadm/internal/declare"
	"github.com/tunadm/tunadm/netcfg"
)

var teardownVerb = verb{
	name: "teardown", operands: "[FILE|DIR...]",
	usage:   "delete the devices that apply created",
	command: func(p *program) command { return &teardownOptions{changeOptions: changeOptions{program: p}} },
}

type teardownOptions struct {
	changeOptions
	force bool
}

func (o *teardownOptions) flags() []*option {
	return append([]*option{
		o.setFlag("delete the devices of the set `NAME`"),
		switchFlag("force", "delete also devices in use, and declared devices that apply did not create", &o.force),
	}, o.changeFlags(jsonOutcome)...)
}

// run deletes the remembered devices, even if the files have changed since or have mistakes.
func (o *teardownOptions) run(operands []string) error {
	var mistakes error
	err := o.provision(operands, true, netcfg.Options{},
		func(ctx context.Context, r *provision) ([]netcfg.Change, error) {
			declared, wrong := untilSignal(ctx, func() ([]declare.Declaration, error) {
				if o.set != "" && len(operands) == 0 { // the default files need not be those of the set
					return nil, nil
				}
				return declare.Read(operands)
			})
			if ctx.Err() != nil {
				return nil, wrong
			}
			if mistakes = wrong; wrong != nil && len(r.memory.Devices()) > 0 {
				r.say("the files have mistakes; the devices that apply created are deleted nevertheless")
			}
			strangers, err := r.strangers(declared)
			changes := r.remembered(o.force)
			for _, d := range strangers {
				if o.force {
					changes = append(changes, removal(d.Name, d.Index, true))
				} else {
					r.keep(d.Name)
				}
			}
			return changes, err
		})
	return errors.Join(mistakes, err)
}

// remembered returns the changes that delete the devices that an earlier apply of the same operands created.
func (r *provision) remembered(force bool) []netcfg.Change {
	var changes []netcfg.Change
	for index, name := range r.memory.Devices() {
		changes = append(changes, removal(name, index, force))
	}
	slices.SortFunc(changes, func(a, b netcfg.Change) int { return a.Index - b.Index })
	return changes
}

// removal returns the change that deletes the device of this name and index, if it exists.
func removal(name string, index int, force bool) netcfg.Change {
	return netcfg.Change{Name: name, Index: index, Expect: netcfg.PresentOrNot, Force: force}
}

// strangers returns the existing devices that are declared and that apply did not create.
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
		seen[d.Index] = true // it may be declared by an alternative name too
		return false
	}), err
}

// keep reports that a device is not deleted.
func (r *provision) keep(name string) {
	why := "apply did not create it"
	r.sayOf(name, "warning: "+why+": it is kept, --force deletes it")
	r.kept = append(r.kept, jsonResult{Device: name, Result: "kept", Steps: toSteps(nil), Error: &why})
}
