package commands

import (
	"bufio"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/doctor"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/words"
)

// render prints the findings on lines of at most the width of the terminal, each with its fixes below it. If there is
// no problem, it prints one line. With --verbose, the stages that each packet passes come last, in the kernel's order.
func (o *doctorOptions) render(r *doctor.Report, named bool) error {
	out := findingPrinter{bufio.NewWriter(o.stdout), terminalWidth(o.stdout)}
	problem := func(f doctor.Finding) bool { return f.Level <= doctor.Warning }
	sound := !slices.ContainsFunc(r.Findings, problem)
	if !sound || o.verbose {
		for _, g := range fold(o.shown(r.Findings)) {
			if g.Level != doctor.OK || g.Way == "" {
				out.finding(g)
			}
		}
	}
	if sound && !o.quiet {
		out.line("", o.summary(r, named))
	}
	if o.verbose {
		out.trail(r.Trail)
	}
	return out.Flush()
}

// summary returns the line of an examination without a problem: what was seen, and what was not examined.
func (o *doctorOptions) summary(r *doctor.Report, named bool) string {
	text := "no problem found on " + count(len(r.Devices), "device")
	switch {
	case len(r.Devices) == 0:
		text = "no problem found: there is no TUN/TAP device"
	case named && len(r.Devices) == 1:
		d := r.Devices[0]
		text = words.Escape(d.Name) + ": no problem found: "
		switch {
		case o.user != "": // with a program of this user that is attached
			for _, f := range r.Findings {
				if f.Check == "attach" {
					text += f.What
				}
			}
		default:
			if d.InUse() {
				text += d.UsedBy() + ": "
			}
			text += fmt.Sprintf("%s to the program, %d from it", count(int(d.Stats.TxPackets), "packet"),
				d.Stats.RxPackets)
		}
	}
	var unknown []string
	examined := func(f doctor.Finding) bool { return f.Level != doctor.Unknown }
	for _, g := range fold(slices.DeleteFunc(slices.Clone(r.Findings), examined)) {
		what := g.What
		if !named && g.Device != "" {
			what = g.label() + ": " + what
		}
		unknown = append(unknown, what)
	}
	if len(unknown) > 0 {
		text += "; not examined: " + strings.Join(unknown, "; ")
	}
	return words.Printable(text)
}

// count returns a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

// A findingPrinter prints on lines of at most width characters. With a width of 0, a finding and a fix are a line each.
type findingPrinter struct {
	*bufio.Writer
	width int
}

// line prints a text that hangs from its first words.
func (p findingPrinter) line(first, text string) {
	if p.width == 0 {
		fmt.Fprintln(p, first+text)
	} else {
		_, _ = p.WriteString(hang(first, text, p.width))
	}
}

// finding prints a finding and its fixes.
func (p findingPrinter) finding(g group) {
	const indent = "    fix: "
	text := words.Printable(g.What)
	if g.Device != "" {
		text = g.label() + ": " + text
	}
	if g.Means != "" {
		text += ": " + words.Printable(g.Means)
	}
	p.line(fmt.Sprintf("%s  %s  ", g.Level, g.Check), text)
	for _, fix := range g.fixes() {
		lines := []string{fix.String()}
		if p.width > 0 {
			lines = fix.Lines(p.width - len(indent))
		}
		for i, line := range lines {
			before := indent
			if i > 0 {
				before = strings.Repeat(" ", len(indent))
			}
			fmt.Fprintln(p, before+words.Printable(line))
		}
	}
}

// trail prints the stages of each packet.
func (p findingPrinter) trail(stages []doctor.Finding) {
	before := ""
	for _, f := range stages {
		if way := words.Escape(f.Device) + ": " + words.Printable(f.Way); way != before {
			p.line("trail  ", way)
			before = way
		}
		p.line(fmt.Sprintf("    %-7s  %s  ", f.Level, f.Check), words.Printable(f.What))
	}
}

// A group is a finding, and the devices that have an equal one.
type group struct {
	doctor.Finding
	names []string
}

// fold joins findings that differ only in the name of their device.
func fold(findings []doctor.Finding) (groups []group) {
	known := map[string]int{}
	for _, f := range findings {
		if f.Device == "" {
			groups = append(groups, group{f, nil})
			continue
		}
		key := f.Check + "\n" + f.What + "\n" + f.Means
		for _, fix := range f.Fixes {
			key += "\n" + fix.String()
		}
		key = strings.ReplaceAll(key, f.Device, "\x00") + f.Level.String()
		i, there := known[key]
		if !there {
			i, known[key] = len(groups), len(groups)
			groups = append(groups, group{f, nil})
		}
		if n := groups[i].names; len(n) == 0 || n[len(n)-1] != f.Device { // those of a device are together
			groups[i].names = append(groups[i].names, f.Device)
		}
	}
	return groups
}

// label names the devices of a group.
func (g group) label() string {
	const few = 3
	names := make([]string, len(g.names))
	for i, n := range g.names {
		names[i] = words.Escape(n)
	}
	switch {
	case len(names) == 0:
		return words.Escape(g.Device)
	case len(names) <= few:
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s ... %s (%d)", names[0], names[len(names)-1], len(names))
}

// fixes returns the fixes for all devices of a group: a command of tunadm gets all names.
func (g group) fixes() []fix.Fix {
	if len(g.names) < 2 {
		return g.Fixes
	}
	all := slices.Clone(g.Fixes)
	for i, f := range all {
		all[i] = f.Likewise(g.Device, g.names)
	}
	return all
}
