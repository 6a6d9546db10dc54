package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/declare"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/state"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

var teardownVerb = verb{
	name: "teardown", operands: "[FILE|DIR...]",
	usage:   "delete the devices that apply created",
	command: func(p *program) command { return &teardownOptions{changeOptions: changeOptions{program: p}} },
}

type teardownOptions struct {
	changeOptions
	force, ifValid bool
}

func (o *teardownOptions) flags() []*option {
	return append([]*option{
		o.setFlag("delete the devices of the set `NAME`"),
		switchFlag("if-valid", "delete nothing if a file has a mistake, or names an unknown user", &o.ifValid),
		switchFlag("force", "delete also devices in use, and declared devices that apply did not create", &o.force),
	}, o.changeFlags(jsonOutcome)...)
}

// run deletes the remembered devices, even if the files have changed since or, without --if-valid, have mistakes.
func (o *teardownOptions) run(operands []string) error {
	var mistakes error
	err := o.provision(o.signals(), operands, true, netcfg.Options{},
		func(ctx context.Context, r *provision) ([]netcfg.Change, error) {
			if o.set != "" && len(operands) == 0 && len(r.memory.Devices()) == 0 {
				return nil, noSet(o.set)
			}
			declared, wrong := untilSignal(ctx, func() ([]declare.Declaration, error) {
				if o.set != "" && len(operands) == 0 { // the default files need not be those of the set
					return nil, nil
				}
				if o.ifValid {
					return r.valid(operands)
				}
				return declare.Read(operands)
			})
			if ctx.Err() != nil {
				return nil, wrong
			}
			if o.ifValid && wrong != nil {
				r.say("apply could not create the devices again, so --if-valid keeps them")
				return nil, wrong
			}
			if mistakes = wrong; wrong != nil && len(r.memory.Devices()) > 0 {
				r.say("the files have mistakes; the devices that apply created are deleted nevertheless")
			}
			strangers, err := r.strangers(declared)
			changes, others := r.remembered(o.force, declared), r.creations(strangers)
			for _, d := range strangers {
				if o.force && d.Kind == "tun" {
					changes = append(changes, removal(d.Name, d.Index, true))
				} else {
					r.keep(d, others[state.Created{Name: d.Name, Index: d.Index}].Operands)
				}
			}
			return changes, err
		})
	return errors.Join(mistakes, err)
}

// noSet returns the error for a set of which no device is recorded, and of which no operand declares one.
func noSet(name string) error {
	return &exitError{code: exitNoDevice, err: fmt.Errorf("set %s: no such set", name),
		fix: fix.Sentence("apply --set records the devices of a set, for one network namespace")}
}

// valid returns the declarations, and all errors in them that apply finds without looking at devices.
func (r *provision) valid(operands []string) ([]declare.Declaration, error) {
	declared, err := r.read(operands)
	for _, c := range wanted(declared, &r.namespace.Directory, false) {
		err = errors.Join(err, c.Fail)
	}
	return declared, err
}

// remembered returns the changes that delete the devices that an earlier apply of the same operands created.
func (r *provision) remembered(force bool, declared []declare.Declaration) []netcfg.Change {
	var changes []netcfg.Change
	var heirs []netcfg.Change
	ports := map[string][]string{}
	for _, d := range declared {
		ports[d.Spec.Name] = slices.Clip(d.Spec.Ports)
	}
	for index, name := range r.memory.Devices() {
		c := removal(name, index, force)
		if b := r.memory.Bridge(index); b != nil {
			c.Kind, c.Ports = netcfg.Bridge, ports[name]
			for i, port := range b.Ports {
				if c.Ports = append(c.Ports, string(port)); b.Moves && i == 0 {
					heirs = append(heirs, heir(string(port), name))
				}
			}
		}
		changes = append(changes, c)
	}
	slices.SortFunc(changes, func(a, b netcfg.Change) int { return a.Index - b.Index })
	return append(changes, heirs...)
}

// heir returns the change of the port to which the addresses and routes of a bridge go back.
func heir(port, bridge string) netcfg.Change {
	want := &netcfg.Spec{Name: port, Kind: netcfg.Port, Master: &netcfg.Master{Name: bridge}}
	return netcfg.Change{Name: port, Want: want, Expect: netcfg.PresentOrNot, Heir: true}
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
		other := d == nil || d.Kind != "tun" && !declaredBridge(declared, d)
		if other || r.memory.Devices()[d.Index] == d.Name || seen[d.Index] {
			return true
		}
		seen[d.Index] = true // it may be declared by an alternative name too
		return false
	}), err
}

// creations returns the records of other operands, if there are strangers.
func (r *provision) creations(strangers []*netcfg.Device) map[state.Created]state.Creation {
	if identity, err := r.namespace.Identity(); err == nil && len(strangers) > 0 {
		return state.Run.Creations(identity)
	}
	return nil
}

// declaredBridge reports whether the device is a bridge that is declared as one.
func declaredBridge(declared []declare.Declaration, d *netcfg.Device) bool {
	return d.Kind == netcfg.Bridge && slices.ContainsFunc(declared, func(o declare.Declaration) bool {
		return o.Spec.Kind == netcfg.Bridge && o.Spec.Name == d.Name
	})
}

// keep reports that a device is not deleted.
func (r *provision) keep(d *netcfg.Device, other []string) {
	why, by := "apply did not create it", []string{}
	if other != nil {
		operands := operandWords(other)
		why = strings.TrimSpace("apply "+operands) + " created it"
		if by = []string{strings.TrimSpace("tunadm teardown " + r.netnsWords() + operands)}; operands == "" {
			why = "apply without operands created it"
		}
	}
	if d.Kind != netcfg.Bridge {
		by = append(by, "--force")
	}
	how := ": it is kept"
	if len(by) > 0 {
		how += ", " + strings.Join(by, " or ") + " deletes it"
	}
	r.sayOf(d.Name, "warning: "+why+how)
	r.kept = append(r.kept, jsonResult{Device: d.Name, Result: "kept", Steps: toSteps(nil), Error: &why})
}

// operandWords returns the operands of a record as they are typed, "" for the default files.
func operandWords(recorded []string) string {
	if usual, err := declare.Absolute(nil); err == nil && slices.Equal(recorded, usual) {
		return ""
	}
	if name, isSet := strings.CutPrefix(recorded[0], setPrefix); isSet {
		return "--set " + words.Quote(name)
	}
	all := make([]string, len(recorded))
	for i, operand := range recorded {
		all[i] = words.Quote(operand)
	}
	return strings.Join(all, " ")
}

func (r *provision) netnsWords() string {
	if r.netns == "" {
		return ""
	}
	return "--netns " + words.Quote(r.netns) + " "
}
