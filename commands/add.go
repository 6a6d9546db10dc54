package commands

import (
	"bufio"
	"errors"
	"fmt"
	"slices"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/netcfg"
)

var addVerb = verb{
	name: "add", aliases: []string{"a"}, operands: "[NAME...]", operand: newDevices,
	usage: "create persistent devices",
	command: func(p *program) command {
		return &addOptions{changeOptions: changeOptions{program: p}, properties: properties{creates: true}}
	},
}

type addOptions struct {
	changeOptions
	properties
	multiQueue bool
	ifMissing  bool

	rootOwned bool // no owner is given
}

func (o *addOptions) flags() []*option {
	return slices.Concat(
		[]*option{
			valueFlag("mode", "`tun|tap`: packets or Ethernet frames; by default from the name", link.ParseMode,
				&o.spec.Mode),
			switchFlag("multi-queue", "allow several queues at the same time", &o.multiQueue),
			switchFlag("vnet-hdr", "start with virtio headers; each program that attaches sets its own",
				&o.spec.VnetHdr),
			switchFlag("pi", "start with packet information; each program that attaches sets its own", &o.spec.PI),
		},
		o.propertyFlags(),
		[]*option{switchFlag("if-missing", "succeed if the device already exists with these properties", &o.ifMissing)},
		o.changeFlags(jsonPlan),
	)
}

// run creates the devices that the operands name.
func (o *addOptions) run(operands []string) error {
	names, err := newNames(operands)
	if err = errors.Join(err, o.checkJSON()); err != nil {
		return err
	}
	spec, err := o.resolve(names)
	if err != nil {
		return err
	}
	if o.multiQueue {
		spec.MultiQueue = &o.multiQueue
	}
	if len(names) == 0 {
		if spec.Mode == 0 {
			return usage("neither a name nor a mode",
				"tunadm add tun77, or tunadm add --mode tap for the next free number")
		}
		names = []string{spec.Mode.String() + "%d"}
	}
	if len(names) > 1 && spec.MAC != nil {
		return usagef("--mac requires a single device")
	}
	if o.rootOwned = spec.Access == nil; o.rootOwned {
		spec.Access = users.Root()
	}
	changes, wrong := make([]netcfg.Change, len(names)), []error(nil)
	for i, name := range names {
		want := *spec
		want.Name = name
		if err := want.CheckNew(); err != nil {
			return forDevices(err, name)
		}
		changes[i] = netcfg.Change{Name: name, Want: &want, Expect: netcfg.Absent}
		if o.ifMissing {
			changes[i].Expect = netcfg.AbsentOrSame
		}
		wrong = append(wrong, contradictions(&want, o.ifMissing))
	}
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	return o.create(changes)
}

// create creates the devices. It prints each name before the device becomes permanent, and removes the device if that
// fails.
func (o *addOptions) create(changes []netcfg.Change) error {
	printed := map[string]bool{}
	results, err := o.change(changes, func(names []string) error {
		for _, name := range names {
			printed[name] = true
		}
		return o.printNames(names)
	})
	if err = o.hintOwner(err); o.planOnly() {
		return err
	}
	var rest []string // devices that existed already
	for _, r := range results {
		if r.Err == nil && !printed[r.Name] {
			rest = append(rest, r.Name)
		}
	}
	if failed := o.printNames(rest); failed != nil {
		err = errors.Join(err, fmt.Errorf("the devices exist, but their names cannot be printed: %w", failed))
	}
	return err
}

// hintOwner gives the error of --if-missing the flags that accept the device's owner, if none is given and root is not
// the owner. The set of the usual hint would lack the owner too.
func (o *addOptions) hintOwner(err error) error {
	all := each(err)
	for i, one := range all {
		e := new(cause.Error)
		if !o.rootOwned || !errors.As(one, &e) || e.Cause != cause.Differs {
			continue
		}
		found, _, readErr := readDevices(o.netns, []string{e.Device}, (*netcfg.Namespace).Devices)
		if readErr != nil || len(found) != 1 || found[0].Access.Same(*users.Root()) {
			continue
		}
		hinted, flags := *e, fix.Command{Words: found[0].Access.Flags()}
		hinted.Fix = fix.Fix{Before: "add ", Commands: []fix.Command{flags},
			After: ": without a user or a group, the owner must be root"}
		all[i] = &hinted
	}
	return errors.Join(all...)
}

// printNames prints names unescaped, since the caller may use them.
func (o *addOptions) printNames(names []string) error {
	if o.quiet {
		return nil
	}
	out := bufio.NewWriter(o.stdout)
	for _, name := range names {
		fmt.Fprintln(out, name)
	}
	return out.Flush()
}
