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
	text := "no problem found on " + words.Count(len(r.Devices), "device")
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
			text += fmt.Sprintf("%s to the program, %d from it", words.Count(int(d.Stats.TxPackets), "packet"),
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
	text := words.Printable(g.everywhere(g.What))
	if g.Device != "" {
		text = g.label() + ": " + text
	}
	if g.Means != "" {
		text += ": " + words.Printable(g.everywhere(g.Means))
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
	names  []string
	places []string // of the devices, each once; empty: the texts have none
}

// fold joins findings that differ only in the name of their device, and in its place. Those of one device that differ
// in the place stay apart, as each has its own fix.
func fold(findings []doctor.Finding) (groups []group) {
	known := map[string]int{}
	repeated := map[string]int{}
	for _, f := range findings {
		if f.Device == "" {
			groups = append(groups, group{Finding: f})
			continue
		}
		key := f.Check + "\n" + f.What + "\n" + f.Means
		for _, fix := range f.Fixes {
			key += "\n" + fix.String()
		}
		if f.Place != "" {
			key = strings.ReplaceAll(key, f.Place, "\x01")
		}
		key = strings.ReplaceAll(key, f.Device, "\x00") + f.Level.String()
		if f.Place != "" {
			of := key + f.Device
			key += strconv.Itoa(repeated[of])
			repeated[of]++
		}
		i, there := known[key]
		if !there {
			i, known[key] = len(groups), len(groups)
			groups = append(groups, group{Finding: f})
		}
		groups[i].names = appendNew(groups[i].names, f.Device) // those of a device are together
		if f.Place != "" {
			groups[i].places = appendNew(groups[i].places, f.Place)
		}
	}
	return groups
}

// appendNew appends a text that differs from the last one.
func appendNew(list []string, text string) []string {
	if n := len(list); n > 0 && list[n-1] == text {
		return list
	}
	return append(list, text)
}

// label names the devices of a group.
func (g group) label() string {
	if len(g.names) == 0 {
		return words.Escape(g.Device)
	}
	names := make([]string, len(g.names))
	for i, n := range g.names {
		names[i] = words.Escape(n)
	}
	text := abridge(names)
	if len(names) > few {
		text += fmt.Sprintf(" (%d)", len(names))
	}
	return text
}

// everywhere returns a text of the finding with the places of all devices.
func (g group) everywhere(text string) string {
	if len(g.places) < 2 {
		return text
	}
	return strings.ReplaceAll(text, g.Place, abridge(g.places))
}

// few is the length up to which a list is printed in full.
const few = 3

// abridge returns a list of a few texts, or the first and the last one.
func abridge(list []string) string {
	if len(list) <= few {
		return strings.Join(list, ", ")
	}
	return list[0] + " ... " + list[len(list)-1]
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
