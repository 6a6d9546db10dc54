package commands

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/netcfg"
)

var listVerb = verb{
	name: "list", aliases: []string{"ls"}, operands: "[NAME...]", operand: deviceName,
	usage:   "list devices, one per line",
	command: func(p *program) command { return &listOptions{program: p} },
}

type listOptions struct {
	*program
	json, names bool
	netns       string
}

func (o *listOptions) flags() []*option {
	return []*option{
		switchFlag("json", "print all details of each device as JSON", &o.json),
		switchFlag("names", "print the names only", &o.names),
		netnsFlag(&o.netns),
	}
}

func (o *listOptions) run(names []string) error {
	if o.json && o.names {
		return usagef("--json and --names exclude each other")
	}
	read := (*netcfg.Namespace).Devices
	if o.names { // shell completions wait for these: nothing is read that is not printed
		read = (*netcfg.Namespace).Links
	}
	devices, missing, err := readDevices(o.netns, names, read)
	if err != nil {
		return err
	}
	switch {
	case o.json:
		err = renderJSON(o.stdout, devices)
	case o.names:
		err = renderNames(o.stdout, devices)
	default:
		err = renderTable(o.stdout, devices)
	}
	return errors.Join(append(missing, err)...)
}

// readDevices returns the named devices, or all if none is named, and an error for each name that is absent or of
// another kind.
func readDevices(
	netns string, names []string, read func(*netcfg.Namespace, ...string) ([]*netcfg.Device, error),
) (devices []*netcfg.Device, missing []error, err error) {
	ns, err := netcfg.Open(netns)
	if err != nil {
		return nil, nil, err
	}
	defer ns.Close()
	found, err := read(ns, names...)
	if err != nil {
		return nil, nil, err
	}
	for i, d := range found {
		switch {
		case d == nil:
			missing = append(missing, &cause.Error{Device: names[i], Cause: cause.NoDevice})
		case d.Kind != "tun":
			detail := fmt.Sprintf("it is %s, not a TUN/TAP device", d.KindWords())
			missing = append(missing, &cause.Error{Device: names[i], Cause: cause.OtherKind, Detail: detail})
		default:
			devices = append(devices, d)
		}
	}
	return slices.Clip(devices), missing, nil
}
