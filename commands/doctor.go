package commands

import (
	"bufio"
	"errors"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/tunadm/tunadm/internal/declare"
	"github.com/tunadm/tunadm/internal/doctor"
	"github.com/tunadm/tunadm/netcfg"
)

var doctorVerb = verb{
	name: "doctor", operands: "[NAME]",
	usage: "say why a device does not work, and what mends it",
	flags: func(p *program) []cli.Flag {
		return []cli.Flag{
			valueFlag(p, "user", "answer for user `U`: may he attach?", parseAsked, func(u string) { p.user = u }),
			jsonFlag(p, "print the findings as JSON"),
			netnsFlag(p),
			boolFlag("verbose", "print also what is right", &p.verbose, "v"),
		}
	},
	run: (*program).doctor,
}

// parseAsked refuses an empty word: a variable that is not set would ask about somebody else.
func parseAsked(user string) (string, error) {
	if user == "" {
		return "", errors.New("the name is empty")
	}
	return user, nil
}

// errFaults is the outcome of a doctor that found a fault. It has no words: the findings have been printed.
var errFaults = errors.New("faults")

func (p *program) doctor(names []string) error {
	if len(names) > 1 {
		return &usageError{text: "one device at a time, or all of them", hint: "tunadm doctor " + netcfg.Word(names[0])}
	}
	if err := checkNames(names, netcfg.CheckName); err != nil {
		return err
	}
	ns, err := netcfg.Open(p.netns)
	if err != nil {
		return err
	}
	defer ns.Close()
	question := doctor.Question{User: p.user, Netns: p.netns, Declared: declared()}
	if len(names) > 0 {
		question.Device = names[0]
	}
	findings, err := doctor.Examine(ns, question)
	if err != nil {
		return err
	}
	if !p.verbose {
		findings = slices.DeleteFunc(findings, func(f doctor.Finding) bool { return f.Level == doctor.OK })
	}
	if p.json {
		err = p.renderFindingsJSON(findings)
	} else {
		err = p.renderFindings(findings)
	}
	if err == nil && slices.ContainsFunc(findings, func(f doctor.Finding) bool { return f.Level == doctor.Fault }) {
		err = errFaults
	}
	return err
}

// declared finds what the default files say of a device. Files that cannot be read, or have mistakes, say nothing.
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

// renderFindings prints two lines for each: what it is, and what mends it.
func (p *program) renderFindings(findings []doctor.Finding) error {
	out := bufio.NewWriter(p.stdout)
	for _, f := range findings {
		fmt.Fprintf(out, "%s  %s  ", f.Level, f.Check)
		if f.Device != "" {
			fmt.Fprintf(out, "%s: ", netcfg.Escape(f.Device))
		}
		out.WriteString(netcfg.Printable(f.What))
		if f.Means != "" {
			out.WriteString(": " + netcfg.Printable(f.Means))
		}
		out.WriteByte('\n')
		for _, fix := range f.Fixes {
			fmt.Fprintf(out, "    mend: %s\n", netcfg.Printable(fix.String()))
		}
	}
	return out.Flush()
}

func (p *program) renderFindingsJSON(findings []doctor.Finding) error {
	list := make([]jsonFinding, len(findings))
	for i, f := range findings {
		list[i] = jsonFinding{Check: f.Check, Level: f.Level.String(), What: f.What, Means: f.Means, Mend: []string{}}
		for _, fix := range f.Fixes {
			list[i].Mend = append(list[i].Mend, fix.String())
		}
		if f.Device != "" {
			list[i].Device = &f.Device
		}
	}
	return encode(p.stdout, list)
}
