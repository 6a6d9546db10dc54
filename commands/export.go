package commands

import (
	"bufio"
	"errors"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/tunadm/tunadm/internal/declare"
	"github.com/tunadm/tunadm/netcfg"
)

var exportVerb = verb{
	name: "export", operands: "[NAME...]",
	usage: "print live devices as a file for apply, or for another tool",
	flags: func(p *program) []cli.Flag {
		return []cli.Flag{
			valueFlag(p, "format", "`toml|ip|networkd`: a file for apply, commands of ip(8), or files of systemd-networkd; left out, toml",
				parseFormat, func(f string) { p.format = f }),
			netnsFlag(p),
		}
	},
	run: (*program).export,
}

// formats are what export can print.
var formats = []string{"toml", "ip", "networkd"}

func parseFormat(s string) (string, error) {
	if !slices.Contains(formats, s) {
		return "", fmt.Errorf("%q is none of toml, ip and networkd", s)
	}
	return s, nil
}

// export prints the devices. What a format cannot say is a comment.
func (p *program) export(names []string) error {
	devices, missing, err := p.devices(names)
	if err != nil {
		return err
	}
	print := (*exporter).toml
	switch p.format {
	case "ip":
		print = (*exporter).ip
	case "networkd":
		print = (*exporter).networkd
	}
	e := &exporter{Writer: bufio.NewWriter(p.stdout)}
	for i, d := range devices {
		if i > 0 {
			e.WriteByte('\n')
		}
		if !d.Persist {
			e.comment(d, "left out, since it is not persistent: it goes with the program that made it")
			continue
		}
		spec, more := d.Spec()
		print(e, d, spec)
		for _, text := range more {
			e.comment(d, text)
		}
	}
	return errors.Join(append(missing, e.Flush())...)
}

// An exporter prints devices in one of the formats.
type exporter struct{ *bufio.Writer }

// comment says something of a device that its format cannot.
func (e *exporter) comment(d *netcfg.Device, text string) {
	fmt.Fprintf(e, "# %s: %s\n", netcfg.Escape(d.Name), netcfg.Escape(text))
}

func (e *exporter) toml(d *netcfg.Device, spec *netcfg.Spec) {
	text, err := declare.TOML(spec)
	if err != nil {
		e.comment(d, "cannot be declared: "+err.Error())
		return
	}
	e.WriteString(text)
}

// ip prints the plan of a new device: it is made of the commands that ip(8) has.
func (e *exporter) ip(d *netcfg.Device, spec *netcfg.Spec) {
	steps, err := netcfg.Plan(spec, nil)
	if err != nil {
		e.comment(d, err.Error())
	}
	for _, s := range steps {
		fmt.Fprintln(e, s)
	}
}
