package commands

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/netcfg"
)

// arrange returns the arguments in the order that urfave/cli requires, which stops to parse at the first operand: flags as
// --name=value, then "--", then operands. It refuses flags that the verb does not have, and spellings that package flag
// would accept.
func arrange(args []string, flags []*option) ([]string, error) {
	var options, operands []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			operands = append(operands, args[i+1:]...)
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			if err := stray(arg, flags); err != nil {
				return nil, err
			}
			operands = append(operands, arg)
			continue
		}
		name, value, hasValue := strings.Cut(arg, "=")
		flag := find(flags, name)
		switch {
		case flag == nil:
			return nil, unknownFlag(name, flags)
		case flag.isSwitch && hasValue:
			return nil, usagef("--%s takes no value", flag.Name)
		case flag.isSwitch:
			value = "true"
		case !hasValue && i+1 == len(args):
			return nil, usagef("--%s needs a value", flag.Name)
		case !hasValue:
			i++
			value = args[i]
		}
		options = append(options, "--"+flag.Name+"="+value)
	}
	return slices.Concat(options, []string{"--"}, operands), nil
}

// stray refuses words of ip(8)'s command lines, and parts of a value that is not quoted, in place of a device name. A device
// of such a name can be given after "--".
func stray(word string, flags []*option) error {
	_, notIP := netip.ParseAddr(word)
	switch {
	case find(flags, "--"+word) != nil:
		return &usageError{
			text: quote(word) + " in place of a device name",
			hint: "did you mean --" + word + "? A device of that name follows --",
		}
	case word == "via" || word == "peer" || word == "metric" || word == "table" || notIP == nil:
		return &usageError{
			text: quote(word) + " in place of a device name",
			hint: "quote a value of several words: --route '10.1.0.0/16 via 10.0.0.2'",
		}
	}
	return nil
}

// find returns the flag of a spelling as the help shows it: two hyphens and a long name, or one hyphen and a letter.
func find(flags []*option, spelled string) *option {
	for _, f := range flags {
		for i, name := range f.names {
			if (len(name) > 1 || i == 0) && spelled == "--"+name || len(name) == 1 && spelled == "-"+name {
				return f
			}
		}
	}
	return nil
}

func unknownFlag(name string, flags []*option) error {
	var known []string
	for _, f := range flags {
		known = append(known, "--"+f.Name)
	}
	hint := elsewhere[name]
	if meant, ok := strings.CutPrefix(hint, "did you mean --"); ok && find(flags, "--"+strings.TrimSuffix(meant, "?")) == nil {
		hint = "" // the verb does not have it
	}
	if hint == "" {
		hint = didYouMean(name, known)
	}
	if hint == "" && !strings.HasPrefix(name, "--") {
		hint = "a name that begins with - follows --"
	}
	return &usageError{text: "unknown flag " + quote(name), hint: hint}
}

// elsewhere are hints for words of other tools and of other verbs.
var elsewhere = map[string]string{
	"-u": "did you mean --user?", "-g": "did you mean --group?", "-f": "did you mean --force?", "-n": "did you mean --netns?",
	"-t": "a name needs no flag: tunadm add tap0", "-d": "tunadm delete NAME", "-V": "tunadm --version",
	"--mode":        "the mode cannot be changed after creation: tunadm delete NAME, then add it again",
	"--multi-queue": "it cannot be changed after creation: tunadm delete NAME, then add it again",
	"create":        "did you mean add?", "remove": "did you mean delete?", "destroy": "did you mean delete?",
	"version": "tunadm --version", "monitor": "did you mean watch?", "up": "tunadm set NAME --up", "down": "tunadm set NAME --down",
}

// didYouMean returns the known word that is nearest to an unknown one, as a hint; "" if none is near.
func didYouMean(word string, known []string) string {
	best := netcfg.Nearest(word, known)
	if best == "" {
		return ""
	}
	return "did you mean " + best + "?"
}

// deviceName checks the name of a device that may exist.
func deviceName(name string) error { return nameError(name, netcfg.CheckName(name)) }

// deviceTemplate checks the name of a new device, in which %d is a free number.
func deviceTemplate(name string) error { return nameError(name, netcfg.CheckTemplate(name)) }

func nameError(name string, err error) error {
	if err != nil {
		err = fmt.Errorf("%q is not a device name: %w", name, err)
	}
	return err
}

// wrongOperands returns an error for each operand that the check refuses, and for each that is repeated.
func wrongOperands(operands []string, check func(word string) error) (errs []error) {
	seen := map[string]int{}
	for _, word := range operands {
		seen[word]++
		if seen[word] == 2 {
			errs = append(errs, usagef("%q is named twice", word))
		} else if err := check(word); err != nil && seen[word] == 1 {
			errs = append(errs, &usageError{text: err.Error()})
		}
	}
	return errs
}
