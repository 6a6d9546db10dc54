package commands

import (
	"github.com/urfave/cli/v2"

	"github.com/tunadm/tunadm/netcfg"
)

var deleteVerb = verb{
	name: "delete", aliases: []string{"del", "rm"}, operands: "NAME...",
	usage: "remove TUN/TAP devices that nobody uses",
	flags: func(p *program) []cli.Flag {
		return append([]cli.Flag{
			modeFlag(p, "delete only what is a `tun|tap`"),
			boolFlag("if-exists", "a device that is absent is as good as one deleted", &p.tolerant),
			boolFlag("force", "take a device from the program that uses it", &p.force),
		}, changeFlags(p, jsonPlan)...)
	},
	run: (*program).delete,
}

// delete removes the devices.
func (p *program) delete(names []string) error {
	if len(names) == 0 {
		return &usageError{text: "no device is named", hint: "tunadm delete NAME..."}
	}
	if err := checkNames(names, netcfg.CheckName); err != nil {
		return err
	}
	changes := make([]netcfg.Change, len(names))
	for i, name := range names {
		changes[i] = netcfg.Change{Name: name, Expect: netcfg.Present, Like: &netcfg.Spec{Mode: p.properties.spec.Mode}, Force: p.force}
		if p.tolerant {
			changes[i].Expect = netcfg.PresentOrNot
		}
	}
	_, err := p.change(changes)
	return err
}
