package commands

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/netcfg"
)

var setVerb = verb{
	name: "set", operands: "NAME...", operand: devicePattern, patterns: true,
	usage:   "change the given properties, and no others",
	command: func(p *program) command { return &setOptions{changeOptions: changeOptions{program: p}} },
}

type setOptions struct {
	changeOptions
	properties
}

// parseNewName refuses a word that would mean several devices, or a number of the kernel's choice.
func parseNewName(s string) (string, error) {
	switch {
	case link.IsPattern(s):
		return "", fmt.Errorf("%q is a pattern or a range: one name is required", s)
	case link.IsTemplate(s):
		return "", fmt.Errorf("%q leaves the number to the kernel: one name is required", s)
	}
	return s, deviceName(s)
}

func (o *setOptions) flags() []*option {
	s := &o.spec
	return slices.Concat(o.propertyFlags(), []*option{
		valueFlag("name", "rename the device to `NEW`", parseNewName, &s.Rename),
		listFlag("add-address", "add `ADDRESS`; can be repeated", netcfg.ParseAddress, &s.AddAddresses),
		listFlag("remove-address", "remove `ADDRESS`; can be repeated", netcfg.ParseAddress, &s.RemoveAddresses),
		listFlag("add-route", "add `ROUTE`; can be repeated", netcfg.ParseRoute, &s.AddRoutes),
		listFlag("remove-route", "remove `ROUTE`; can be repeated", netcfg.ParseRoute, &s.RemoveRoutes),
	}, o.changeFlags(jsonPlan))
}

// run changes the devices. A device that cannot be changed as requested stays as it was.
func (o *setOptions) run(operands []string) error {
	if len(operands) == 0 {
		return usage("no device is named", "tunadm set NAME... FLAGS")
	}
	if err := o.checkJSON(); err != nil {
		return err
	}
	names, missing, err := o.devices(operands)
	if err != nil {
		return err
	}
	spec, err := o.resolve(names)
	if err != nil {
		return err
	}
	if len(names) > 1 && spec.MAC != nil {
		return usagef("--mac requires a single device")
	}
	if len(names) > 1 && spec.Rename != "" {
		return usagef("--name requires a single device")
	}
	if reflect.DeepEqual(*spec, netcfg.Spec{}) {
		return usage("no property is given", "tunadm help set")
	}
	if err := spec.Check(); err != nil {
		return forDevices(err, names...)
	}
	changes, wrong := make([]netcfg.Change, len(names)), []error(nil)
	for i, name := range names {
		changes[i] = netcfg.Change{Name: name, Want: spec, Expect: netcfg.Present}
		named := *spec
		named.Name = name
		wrong = append(wrong, contradictions(&named, true))
	}
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	_, err = o.change(changes, nil)
	return errors.Join(append(missing, err)...)
}
