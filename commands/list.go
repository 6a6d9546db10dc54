package commands

import (
	"errors"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/tunadm/tunadm/netcfg"
)

var listVerb = verb{
	name: "list", aliases: []string{"ls"}, operands: "[NAME...]",
	usage: "show devices, a line each",
	flags: func(p *program) []cli.Flag {
		return []cli.Flag{
			jsonFlag(p, "print everything known of each device, as JSON"),
			boolFlag("names", "print the names only", &p.names),
			netnsFlag(p),
		}
	},
	run: (*program).list,
}

func (p *program) list(names []string) error {
	if p.json && p.names {
		return usagef("--json and --names exclude each other")
	}
	devices, missing, err := p.devices(names)
	if err != nil {
		return err
	}
	switch {
	case p.json:
		err = p.renderJSON(devices)
	case p.names:
		err = p.renderNames(devices)
	default:
		err = p.renderTable(devices)
	}
	return errors.Join(append(missing, err)...)
}

// devices reads the named devices, or all. Those that are absent or of another kind are errors, and the others still shown.
func (p *program) devices(names []string) (devices []*netcfg.Device, missing []error, err error) {
	if err := checkNames(names, netcfg.CheckName); err != nil {
		return nil, nil, err
	}
	ns, err := netcfg.Open(p.netns)
	if err != nil {
		return nil, nil, err
	}
	defer ns.Close()
	read := ns.Devices
	if p.names { // as completions ask for: nobody waits for what is not printed
		read = ns.Links
	}
	found, err := read(names...)
	if err != nil {
		return nil, nil, err
	}
	for i, d := range found {
		switch {
		case d == nil:
			missing = append(missing, &netcfg.Error{Device: names[i], Cause: netcfg.NoDevice})
		case d.Kind != "tun":
			missing = append(missing, &netcfg.Error{Device: names[i], Cause: netcfg.OtherKind, Detail: fmt.Sprintf("it is %s, not a TUN/TAP device", d.KindWords())})
		default:
			devices = append(devices, d)
		}
	}
	return slices.Clip(devices), missing, nil
}
