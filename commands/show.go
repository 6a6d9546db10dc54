package commands

import (
	"errors"

	"github.com/tunadm/tunadm/netcfg"
)

var showVerb = verb{
	name: "show", operands: "[NAME...]", operand: devicePattern, patterns: true,
	reads:   true,
	usage:   "show all details of devices, a block each",
	command: func(p *program) command { return &showOptions{program: p} },
}

type showOptions struct {
	*program
	json         bool
	color, netns string
}

func (o *showOptions) flags() []*option {
	return []*option{switchFlag("json", "print JSON", &o.json), colorFlag(&o.color), netnsFlag(&o.netns)}
}

func (o *showOptions) run(names []string) error {
	devices, missing, err := readDevices(o.netns, names, (*netcfg.Namespace).Devices)
	if err != nil {
		return err
	}
	if o.json {
		err = renderJSON(o.stdout, devices)
	} else {
		err = renderBlocks(o.stdout, devices, screen{width: terminalWidth(o.stdout), color: inColor(o.color, o.stdout)})
	}
	return errors.Join(append(missing, err)...)
}
