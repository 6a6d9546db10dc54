package commands

import (
	"reflect"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/tunadm/tunadm/netcfg"
)

var setVerb = verb{
	name: "set", operands: "NAME...",
	usage:      "change what is named, and leave the rest",
	repeatable: repeatableProperties,
	flags: func(p *program) []cli.Flag {
		return slices.Concat(propertyFlags(p), oneByOneFlags(p), changeFlags(p, jsonPlan))
	},
	run: (*program).set,
}

// set changes the devices. One that cannot be changed as asked is as it was.
func (p *program) set(names []string) error {
	spec, err := p.properties.resolve(names)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return &usageError{text: "no device is named", hint: "tunadm set NAME... FLAGS"}
	}
	if err := checkNames(names, netcfg.CheckName); err != nil {
		return err
	}
	if len(names) > 1 && spec.MAC != nil {
		return usagef("--mac goes with one device")
	}
	if reflect.DeepEqual(*spec, netcfg.Spec{}) {
		return &usageError{text: "nothing is to be changed", hint: "tunadm help set"}
	}
	if err := spec.Check(); err != nil {
		return forDevices(err, names...)
	}
	changes := make([]netcfg.Change, len(names))
	for i, name := range names {
		changes[i] = netcfg.Change{Name: name, Want: spec, Expect: netcfg.Present}
	}
	_, err = p.change(changes)
	return err
}
