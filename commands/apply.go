package commands

import (
	"context"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/tunadm/tunadm/internal/declare"
	"github.com/tunadm/tunadm/netcfg"
)

var applyVerb = verb{
	name: "apply", operands: "[FILE|DIR...]",
	usage: "make the devices as the files declare them",
	flags: func(p *program) []cli.Flag {
		return append([]cli.Flag{
			boolFlag("prune", "delete what an earlier apply of the same operands created and they declare no more", &p.prune),
			boolFlag("atomic", "if one device fails, put all back", &p.atomic),
			boolFlag("replace", "delete and make anew a device that can never be as declared, if nobody uses it", &p.replace),
			boolFlag("defer-master", "leave a master out that does not exist yet", &p.deferMaster),
		}, changeFlags(p, jsonOutcome)...)
	},
	run: (*program).apply,
}

// apply makes the declared devices. Nothing is touched if there is a mistake in a file.
func (p *program) apply(operands []string) error {
	o := netcfg.Options{Atomic: p.atomic, DeferMaster: p.deferMaster}
	return p.provision(operands, p.prune, o, func(ctx context.Context, r *provision) ([]netcfg.Change, error) {
		var directory netcfg.Directory
		declared, err := untilSignal(ctx, func() ([]declare.Declaration, error) {
			declared, err := declare.Read(operands) // now that no other run is under way
			if err == nil {
				var names []netcfg.AccessNames
				for _, d := range declared {
					names = append(names, d.Access)
				}
				directory.LookUp(names)
			}
			return declared, err
		})
		if err != nil {
			return nil, err
		}
		changes := p.wanted(declared, &directory)
		if p.prune {
			changes = append(changes, r.undeclared(declared)...)
		}
		return changes, nil
	})
}

// wanted are the changes that make the devices as they are declared. A user that does not exist fails his devices, not the run.
func (p *program) wanted(declared []declare.Declaration, directory *netcfg.Directory) []netcfg.Change {
	changes := make([]netcfg.Change, len(declared))
	for i := range declared {
		spec := &declared[i].Spec
		access, err := directory.Access(declared[i].Access)
		spec.Access, spec.Replace = access, p.replace
		changes[i] = netcfg.Change{Name: spec.Name, Want: spec, Expect: netcfg.PresentOrNot, Fail: forDevices(err, spec.Name)}
	}
	return changes
}

// undeclared are the changes that delete what is remembered and not declared.
func (r *provision) undeclared(declared []declare.Declaration) []netcfg.Change {
	names := map[string]bool{}
	for _, d := range declared {
		names[d.Spec.Name] = true
	}
	return slices.DeleteFunc(r.remembered(), func(c netcfg.Change) bool { return names[c.Name] })
}
