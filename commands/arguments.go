package commands

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/words"
)

// arrange returns the arguments in the order that urfave/cli requires, because it stops at the first operand: flags as
// --name=value, then "--", then operands. It refuses flags that the verb does not have, and spellings that only
// package flag accepts.
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

// stray refuses words of ip(8)'s command lines, and parts of a value without quotes, in place of a device name. A
// device of such a name can follow "--".
func stray(word string, flags []*option) error {
	_, notIP := netip.ParseAddr(word)
	switch {
	case find(flags, "--"+word) != nil:
		e := usage(quote(word)+" in place of a device name",
			"did you mean --"+word+"? A device of that name follows --")
		e.near = true
		return e
	case word == "via" || word == "peer" || word == "metric" || word == "table" || notIP == nil:
		hint := "quote a value of several words: --route '10.1.0.0/16 via 10.0.0.2'"
		return usage(quote(word)+" in place of a device name", hint)
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
	otherwise := ""
	if !strings.HasPrefix(name, "--") {
		otherwise = "a name that begins with - follows --"
	}
	return unknown("flag", name, known, otherwise)
}

// unknown returns the error for an unknown word, with the best of the hints.
func unknown(kind, word string, known []string, otherwise string) error {
	e := usage("unknown "+kind+" "+quote(word), otherwise)
	property, hint := words.Property(word)
	meant := cmp.Or(synonyms[word], "--"+property)
	if !slices.Contains(known, meant) {
		meant = ""
	}
	hint = cmp.Or(elsewhere[word], hint)
	if meant == "" && hint == "" {
		meant = words.Nearest(word, known)
	}
	switch {
	case meant != "":
		e.fix, e.near = fix.Sentence("did you mean "+meant+"?"), true
	case hint != "":
		e.fix, e.near = fix.Sentence(hint), true
	}
	return e
}

// synonyms are words of other tools, each with the flag or the verb of the same meaning. Those of properties are in
// package words, because files have them too.
var synonyms = map[string]string{
	"-u": "--user", "-g": "--group", "-f": "--force", "-n": "--netns", "-j": "--json", "-o": "--json",
	"--output": "--json", "--format": "--json",
	"create": "add", "new": "add", "remove": "delete", "destroy": "delete", "monitor": "watch", "capture": "dump",
	"ping": "echo", "check": "doctor", "diagnose": "doctor", "change": "set", "mod": "set", "run": "exec",
}

// elsewhere are hints for words of other tools, and for flags of other verbs.
var elsewhere = map[string]string{
	"-t": "a name needs no flag: tunadm add tap0", "-d": "tunadm delete NAME", "-V": "tunadm --version",
	"--dev": "a name needs no flag: tunadm add tap0", "-i": "a name needs no flag: tunadm dump tap0",
	"-a": "tunadm list prints all devices", "--all": "tunadm list prints all devices",
	"--mode":        "the mode cannot be changed after creation: tunadm delete NAME, then add it again",
	"--multi-queue": "it cannot be changed after creation: tunadm delete NAME, then add it again",
	"version":       "tunadm --version", "up": "tunadm set NAME --up", "down": "tunadm set NAME --down",
	"rename": "tunadm set NAME --name NEW", "stats": "tunadm list --stats",
	"attach": "tunadm exec NAME -- PROGRAM runs a program with the device; dump, echo and tunnel attach too",
	"tunctl": "tunadm as tunctl", "openvpn": "tunadm as openvpn", "ip": "tunadm as ip", "tuntap": "tunadm as ip tuntap",
}

// deviceName checks the name of a device that may exist.
func deviceName(name string) error {
	err := link.CheckName(name)
	if err != nil && link.IsPattern(name) {
		return fmt.Errorf("%q is a pattern or a range: one name is required", name)
	}
	return nameError(name, err)
}

// deviceTemplate checks the name of a new device, in which %d is a free number.
func deviceTemplate(name string) error { return nameError(name, link.CheckTemplate(name)) }

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
			errs = append(errs, usagef("%v", err))
		}
	}
	return errs
}
