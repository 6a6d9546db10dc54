package commands

import (
	"errors"
	"strings"

	"github.com/tunadm/tunadm/netcfg"
)

var showVerb = verb{
	name: "show", operands: "[NAME...]", operand: devicePattern, patterns: true,
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

// exists reports whether the first word of a command line is the name of a device in the namespace that the line names.
func exists(line []string) bool {
	netns := ""
	for i, word := range line[1:] {
		if value, ok := strings.CutPrefix(word, "--netns="); ok {
			netns = value
		} else if word == "--netns" && i+2 < len(line) {
			netns = line[i+2]
		}
	}
	if deviceName(line[0]) != nil || roomForDescriptors() != nil {
		return false
	}
	ns, err := netcfg.Open(netns)
	if err != nil {
		return false
	}
	defer ns.Close()
	found, err := ns.Links(line[0])
	return err == nil && found[0] != nil && found[0].Kind == "tun"
}

func (o *showOptions) run(names []string) error {
	devices, missing, err := readDevices(o.netns, names, (*netcfg.Namespace).Devices)
	if err != nil {
		return err
	}
	if o.json {
		err = renderJSON(o.stdout, devices)
	} else {
		err = renderBlocks(o.stdout, devices, inColor(o.color, o.stdout))
	}
	return errors.Join(append(missing, err)...)
}
