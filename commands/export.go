package commands

import (
	"bufio"
	"errors"
	"fmt"
	"slices"

	"github.com/tunadm/tunadm/internal/declare"
	"github.com/tunadm/tunadm/internal/state"
	"github.com/tunadm/tunadm/internal/sysctl"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

var exportVerb = verb{
	name: "export", operands: "[NAME...]", operand: devicePattern, patterns: true,
	reads:   true,
	usage:   "print devices as a file for apply, or for another tool",
	command: func(p *program) command { return &exportOptions{program: p} },
}

type exportOptions struct {
	*program
	netns       string
	format      string // "": toml
	withBridges bool
}

func (o *exportOptions) flags() []*option {
	const usage = "`toml|ip|networkd`: a file for apply (default), commands of ip(8), or files of systemd-networkd"
	const bridges = "print also the bridges of the devices (default for toml)"
	return []*option{valueFlag("format", usage, parseFormat, &o.format),
		switchFlag("with-bridges", bridges, &o.withBridges), netnsFlag(&o.netns)}
}

// formats lists the values of --format.
var formats = []string{"toml", "ip", "networkd"}

func parseFormat(s string) (string, error) {
	if !slices.Contains(formats, s) {
		return "", fmt.Errorf("%q is none of toml, ip and networkd", s)
	}
	return s, nil
}

// run prints the devices. Properties that the format cannot express become comments.
func (o *exportOptions) run(names []string) error {
	devices, missing, err := readDevices(o.netns, names, (*netcfg.Namespace).Devices)
	if err != nil {
		return err
	}
	print := (*exporter).toml
	switch o.format {
	case "ip":
		print = (*exporter).ip
	case "networkd":
		print = (*exporter).networkd
	}
	e := &exporter{Writer: bufio.NewWriter(o.stdout), usual: sysctl.Usual{}}
	if missing, err = o.bridges(e, names, devices, missing); err != nil {
		return err
	}
	for _, d := range devices {
		e.separate()
		if !d.Persist {
			e.comment(d, "left out: it is not persistent, the kernel removes it with its last program")
			continue
		}
		spec, more := d.Spec()
		spec.Sysctls = e.usual.Changed(d.Name)
		print(e, d, spec)
		for _, text := range append(more, e.left[d.Index]...) {
			e.comment(d, text)
		}
	}
	return errors.Join(append(missing, e.Flush())...)
}

// An exporter prints devices in one of the formats.
type exporter struct {
	*bufio.Writer
	usual sysctl.Usual
	made  map[state.Created]state.Creation
	left  map[int][]string // of bridges and their ports, by their index
	more  bool             // something was printed
}

// separate begins a device with an empty line, except the first.
func (e *exporter) separate() {
	if e.more {
		e.WriteByte('\n')
	}
	e.more = true
}

// comment prints a comment about a device.
func (e *exporter) comment(d *netcfg.Device, text string) {
	fmt.Fprintf(e, "# %s: %s\n", words.Escape(d.Name), words.Escape(text))
}

func (e *exporter) toml(d *netcfg.Device, spec *netcfg.Spec) {
	text, err := declare.TOML(spec)
	if err != nil {
		e.comment(d, "cannot be declared: "+err.Error())
		return
	}
	e.WriteString(text)
}

// ip prints the plan of a new device, whose steps are commands of ip(8).
func (e *exporter) ip(d *netcfg.Device, spec *netcfg.Spec) {
	steps, err := netcfg.Plan(spec, nil)
	if err != nil {
		e.comment(d, err.Error())
	}
	for _, s := range steps {
		fmt.Fprintln(e, s)
	}
}
