package commands

import (
	"errors"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// namesDevice reports whether the first word of a command line, if it is not a verb, means a device: a pattern, a name
// with a number at its end, or the name of a device of any kind in the namespace that the line names.
func namesDevice(line []string) bool {
	if devicePattern(line[0]) != nil {
		return false
	}
	if link.IsPattern(line[0]) || strings.TrimRight(line[0], "0123456789") != line[0] {
		return true
	}
	if roomForDescriptors() != nil {
		return false
	}
	ns, err := netcfg.Open(namespaceIn(line[1:]))
	if err != nil {
		return false
	}
	defer ns.Close()
	found, err := ns.Links(line[0])
	return err == nil && found[0] != nil
}

// namespaceIn returns the value of --netns on a command line, or "".
func namespaceIn(line []string) string {
	for i, word := range line {
		if value, ok := strings.CutPrefix(word, "--netns="); ok {
			return value
		}
		if word == "--netns" && i+1 < len(line) {
			return line[i+1]
		}
		if word == "--" {
			break
		}
	}
	return ""
}

// absentHint returns a function that returns the hint for a name that no device has, or "": a device with a similar
// name, unless the device was deleted just now, and how to create the device; for delete, the flag that accepts its
// absence. The function reads the existing names once.
func (p *program) absentHint() func(err error) string {
	var existing []string
	return func(err error) string {
		e := new(cause.Error)
		if !errors.As(err, &e) || e.Cause != cause.NoDevice || e.Device == "" || link.IsPattern(e.Device) {
			return ""
		}
		if strings.HasPrefix(e.Device, "--") {
			return "a word after -- is a name: flags come before it"
		}
		others := []string{asVerb.name, applyVerb.name, teardownVerb.name}
		netns, flags, after := namespaceIn(p.line), []string{}, " creates the device"
		if isEverywhere(netns) || slices.Contains(others, p.verb) {
			return ""
		}
		if netns != "" {
			flags = append(flags, "--netns", netns)
		}
		if link.ModeOf(e.Device) == 0 {
			flags, after = append(flags, "--mode", "tap"), " creates a tap, --mode tun a tun"
		}
		hint := fix.Fix{Commands: []fix.Command{fix.Tunadm("add", e.Device, flags...)}, After: after}
		if p.verb == deleteVerb.name {
			hint = fix.Sentence("add --if-exists to accept this")
		}
		if e.Existed() { // a similar name is not the one that was meant
			return hint.String()
		}
		if existing == nil {
			existing = tunNames(netns)
		}
		switch near := words.Nearest(e.Device, existing); {
		case near != "" && p.verb == deleteVerb.name:
			hint.Before = "did you mean " + words.Escape(near) + "?"
		case near != "":
			hint.Before = "did you mean " + words.Escape(near) + "? "
		}
		return hint.String()
	}
}

// tunNames returns the names of the TUN/TAP devices of a network namespace, as far as they can be read.
func tunNames(netns string) []string {
	names := []string{}
	ns, err := netcfg.Open(netns)
	if err != nil {
		return names
	}
	defer ns.Close()
	links, _ := ns.AllLinks()
	for _, l := range links {
		if l.Kind == "tun" {
			names = append(names, l.Name)
		}
	}
	return names
}
