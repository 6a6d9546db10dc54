package commands

import (
	"errors"
	"io/fs"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/netcfg"
)

var deleteVerb = verb{
	name: "delete", aliases: []string{"del", "rm"}, operands: "NAME...", operand: devicePattern, patterns: true,
	usage:   "delete TUN/TAP devices that no program uses",
	command: func(p *program) command { return &deleteOptions{changeOptions: changeOptions{program: p}} },
}

type deleteOptions struct {
	changeOptions
	mode     link.Mode // zero: any
	ifExists bool
	force    bool
}

func (o *deleteOptions) flags() []*option {
	return append([]*option{
		valueFlag("mode", "delete the device only if it is a `tun|tap`", link.ParseMode, &o.mode),
		switchFlag("if-exists", "succeed if the device or the namespace does not exist", &o.ifExists),
		switchFlag("force", "delete a device even if a program uses it", &o.force),
	}, o.changeFlags(jsonOutcome)...)
}

// run deletes the devices that the operands name.
func (o *deleteOptions) run(operands []string) error {
	err := o.delete(operands)
	if o.ifExists && absentNamespace(err) { // then neither do its devices
		if o.json {
			return encode(o.stdout, []jsonResult{})
		}
		return nil
	}
	return err
}

func (o *deleteOptions) delete(operands []string) error {
	if len(operands) == 0 {
		return usage("no device is named", "tunadm delete NAME...")
	}
	names, missing, err := o.devices(operands)
	if err != nil {
		return err
	}
	if o.ifExists {
		missing = nil
	}
	changes := make([]netcfg.Change, len(names))
	for i, name := range names {
		like := &netcfg.Spec{Mode: o.mode}
		changes[i] = netcfg.Change{Name: name, Expect: netcfg.Present, Like: like, Force: o.force}
		if o.ifExists {
			changes[i].Expect = netcfg.PresentOrNot
		}
	}
	results, err := o.change(changes, nil)
	if o.json && !o.planOnly() && (results != nil || err == nil) {
		err = errors.Join(err, o.renderOutcomes(changes, results, nil))
	}
	return errors.Join(append(missing, err)...)
}

// absentNamespace reports whether an error is that of a network namespace that does not exist.
func absentNamespace(err error) bool {
	return cause.Of(err) == cause.NoNamespace && errors.Is(err, fs.ErrNotExist)
}
