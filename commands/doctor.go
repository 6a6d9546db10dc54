package commands

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/declare"
	"github.com/tunadm/tunadm/internal/doctor"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

var doctorVerb = verb{
	name: "doctor", page: "tunadm-doctor(8)", operands: "[NAME]", operand: devicePattern, patterns: true,
	usage:   "find out why a device does not work, and print fixes",
	command: func(p *program) command { return &doctorOptions{program: p} },
}

type doctorOptions struct {
	*program
	netns string
	user  string // "": the invoking user
	json  bool
}

func (o *doctorOptions) flags() []*option {
	return []*option{
		valueFlag("user", "check whether user `U` may attach", parseNotEmpty, &o.user),
		switchFlag("json", "print the findings as JSON", &o.json),
		netnsFlag(&o.netns),
		verboseFlag(o.program, "print passed checks too"),
	}
}

func (o *doctorOptions) run(names []string) error {
	if len(names) > 1 {
		return usage("name one device or pattern, or none for all", "tunadm doctor "+words.Quote(names[0]))
	}
	ns, err := netcfg.Open(o.netns)
	if err != nil {
		return err
	}
	defer ns.Close()
	question := doctor.Question{User: o.user, Netns: o.netns, Declared: declared()}
	devices, missing, err := matching(ns, names)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return errors.Join(missing...)
	}
	if len(devices) > 0 {
		question.Device, question.More = devices[0], devices[1:]
	}
	findings, err := doctor.Examine(ns, question)
	if err != nil {
		return err
	}
	if !o.verbose {
		findings = slices.DeleteFunc(findings, func(f doctor.Finding) bool { return f.Level == doctor.OK })
	}
	if o.json {
		err = renderFindingsJSON(o.stdout, findings)
	} else {
		err = renderFindings(o.stdout, findings, terminalWidth(o.stdout))
	}
	if err == nil && slices.ContainsFunc(findings, func(f doctor.Finding) bool { return f.Level == doctor.Error }) {
		err = errFindings
	}
	return err
}

// declared returns a function that returns how the default files declare a device; nil: not at all, or the files cannot
// be read or have mistakes.
func declared() func(device string) *netcfg.Spec {
	var declarations []declare.Declaration
	read := false
	return func(device string) *netcfg.Spec {
		if !read {
			read = true
			declarations, _ = declare.Read(nil)
		}
		for i, d := range declarations {
			if d.Spec.Name == device {
				return &declarations[i].Spec
			}
		}
		return nil
	}
}

// renderFindings prints each finding, and its fixes below it, on lines of at most width characters. With a width of 0,
// a finding and a fix are a line each.
func renderFindings(to io.Writer, findings []doctor.Finding, width int) error {
	const indent = "    fix: "
	out := bufio.NewWriter(to)
	for _, f := range findings {
		first, text := fmt.Sprintf("%s  %s  ", f.Level, f.Check), words.Printable(f.What)
		if f.Device != "" {
			text = words.Escape(f.Device) + ": " + text
		}
		if f.Means != "" {
			text += ": " + words.Printable(f.Means)
		}
		if width == 0 {
			fmt.Fprintln(out, first+text)
		} else {
			out.WriteString(hang(first, text, width))
		}
		for _, fix := range f.Fixes {
			lines := []string{fix.String()}
			if width > 0 {
				lines = fix.Lines(width - len(indent))
			}
			for i, line := range lines {
				before := indent
				if i > 0 {
					before = strings.Repeat(" ", len(indent))
				}
				fmt.Fprintln(out, before+words.Printable(line))
			}
		}
	}
	return out.Flush()
}

func renderFindingsJSON(to io.Writer, findings []doctor.Finding) error {
	list := make([]jsonFinding, len(findings))
	for i, f := range findings {
		list[i] = jsonFinding{Check: f.Check, Level: f.Level.String(), What: f.What, Means: f.Means, Fix: []string{}}
		for _, fix := range f.Fixes {
			list[i].Fix = append(list[i].Fix, fix.String())
		}
		if f.Device != "" {
			list[i].Device = &f.Device
		}
	}
	return encode(to, list)
}
