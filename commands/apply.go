package commands

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tunadm/tunadm/internal/declare"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/netcfg"
)

var applyVerb = verb{
	name: "apply", operands: "[FILE|DIR...]",
	usage:   "create and change devices as files declare them",
	command: func(p *program) command { return &applyOptions{changeOptions: changeOptions{program: p}} },
}

type applyOptions struct {
	changeOptions
	prune, atomic, replace, deferMaster bool
	wait                                time.Duration // for masters, ports and users that appear late
}

// setFlag returns --set, the name under which apply remembers devices, and teardown finds them.
func (o *changeOptions) setFlag(usage string) *option {
	return valueFlag("set", usage, parseSet, &o.set)
}

func parseSet(s string) (string, error) {
	if s == "" || len(s) > 64 || !isPlain(s) {
		return "", fmt.Errorf("%q is not 1 to 64 letters, digits, dots, hyphens and underscores", s)
	}
	return s, nil
}

func (o *applyOptions) flags() []*option {
	return append([]*option{
		switchFlag("prune", "delete undeclared devices that an earlier apply of these operands created", &o.prune),
		o.setFlag("remember the devices as the set `NAME`, not by the operands"),
		switchFlag("atomic", "if one device fails, put all devices back", &o.atomic),
		switchFlag("replace", "re-create a device that cannot be changed as declared, if it is not in use", &o.replace),
		switchFlag("defer-master", "ignore a master that does not exist yet", &o.deferMaster),
		valueFlag("wait", "wait up to `DURATION` for masters, ports and users to appear", parseWait, &o.wait),
	}, o.changeFlags(jsonOutcome)...)
}

// run creates and changes the declared devices. It changes nothing if there is a mistake in a file.
func (o *applyOptions) run(operands []string) error {
	if o.prune && o.set == "" && slices.Contains(operands, declare.Stdin) {
		return usage("--prune and - require --set NAME: other input would count as the same files",
			"tunadm apply --prune --set NAME -")
	}
	if o.wait > 0 && slices.Contains(operands, declare.Stdin) {
		return usagef("--wait and - exclude each other: standard input can be read only once")
	}
	ctx := o.signals()
	return o.retry(ctx, func() error { return o.apply(ctx, operands) })
}

// apply creates and changes the declared devices once.
func (o *applyOptions) apply(ctx context.Context, operands []string) error {
	options := netcfg.Options{Atomic: o.atomic, DeferMaster: o.deferMaster}
	plan := func(ctx context.Context, r *provision) ([]netcfg.Change, error) {
		// Under the lock: another run must not act on older files.
		declared, err := untilSignal(ctx, func() ([]declare.Declaration, error) { return r.read(operands) })
		if err != nil {
			return nil, err
		}
		if len(declared) == 0 && len(operands) > 0 {
			o.say("these files declare no device")
		}
		changes := wanted(declared, &r.namespace.Directory, o.replace)
		if o.prune {
			changes = append(changes, r.undeclared(declared)...)
		}
		return changes, nil
	}
	return o.provision(ctx, operands, o.prune, options, plan)
}

// read returns the declarations, and looks up their users and groups at once.
func (r *provision) read(operands []string) ([]declare.Declaration, error) {
	declared, err := declare.Read(operands)
	if err == nil {
		var names []users.Names
		for _, d := range declared {
			names = append(names, d.Access)
		}
		r.namespace.Directory.LookUp(names)
	}
	return declared, err
}

// wanted returns a change for each declared device. A user that does not exist fails the device, not the run.
func wanted(declared []declare.Declaration, directory *users.Directory, replace bool) []netcfg.Change {
	changes := slices.Grow(bridges(declared), len(declared))
	for i := range declared {
		spec := &declared[i].Spec
		if spec.Kind == netcfg.Bridge {
			continue
		}
		access, err := directory.Access(declared[i].Access)
		spec.Access, spec.Replace = access, replace
		changes = append(changes, netcfg.Change{Name: spec.Name, Want: spec, Expect: netcfg.PresentOrNot,
			Fail: forDevices(err, spec.Name)})
	}
	return changes
}

// bridges returns a change for each declared bridge, and one for each of its ports.
func bridges(declared []declare.Declaration) (changes []netcfg.Change) {
	for i := range declared {
		spec := &declared[i].Spec
		if spec.Kind != netcfg.Bridge {
			continue
		}
		changes = append(changes, netcfg.Change{Name: spec.Name, Want: spec, Expect: netcfg.PresentOrNot})
		for _, port := range spec.Ports {
			joins := &netcfg.Spec{Name: port, Kind: netcfg.Port, Master: &netcfg.Master{Name: spec.Name}}
			changes = append(changes, netcfg.Change{Name: port, Want: joins, Expect: netcfg.Present})
		}
	}
	return changes
}

// undeclared returns the changes that delete remembered devices that are not declared.
func (r *provision) undeclared(declared []declare.Declaration) []netcfg.Change {
	names := map[string]bool{}
	for _, d := range declared {
		names[d.Spec.Name] = true
	}
	return slices.DeleteFunc(r.remembered(false, declared), func(c netcfg.Change) bool { return names[c.Name] })
}
