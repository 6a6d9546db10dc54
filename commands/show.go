package commands

import (
	"errors"

	"github.com/urfave/cli/v2"
)

var showVerb = verb{
	name: "show", operands: "[NAME...]",
	usage: "show everything known of devices, a block each",
	flags: func(p *program) []cli.Flag {
		return []cli.Flag{jsonFlag(p, "print it as JSON"), netnsFlag(p)}
	},
	run: (*program).show,
}

func (p *program) show(names []string) error {
	devices, missing, err := p.devices(names)
	if err != nil {
		return err
	}
	if p.json {
		err = p.renderJSON(devices)
	} else {
		err = p.renderBlocks(devices)
	}
	return errors.Join(append(missing, err)...)
}
