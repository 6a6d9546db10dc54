package commands

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tunadm/tunadm/netcfg"
)

// arrange returns the arguments in the order that urfave/cli requires, as it stops to parse at the first name: flags as
// --name=value, then "--", then names. It refuses flags that the verb does not have, and spellings that package flag
// would tolerate.
func arrange(args []string, flags []cli.Flag) ([]string, error) {
	var options, names []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			names = append(names, args[i+1:]...)
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			if err := stray(arg, flags); err != nil {
				return nil, err
			}
			names = append(names, arg)
			continue
		}
		name, value, hasValue := strings.Cut(arg, "=")
		flag := find(flags, name)
		if flag == nil {
			return nil, unknownFlag(name, flags)
		}
		long := "--" + flag.Names()[0]
		switch takes := flag.(cli.DocGenerationFlag).TakesValue(); {
		case !takes && hasValue:
			return nil, usagef("%s takes no value", long)
		case !takes:
			value = "true"
		case !hasValue && i+1 == len(args):
			return nil, usagef("%s needs a value", long)
		case !hasValue:
			i++
			value = args[i]
		}
		options = append(options, long+"="+value)
	}
	return slices.Concat(options, []string{"--"}, names), nil
}

// stray refuses words of ip(8)'s command lines, and values that fell apart for want of quotes, where a name stands. A device that is
// really called so can be named behind "--".
func stray(word string, flags []cli.Flag) error {
	_, notIP := netip.ParseAddr(word)
	switch {
	case find(flags, "--"+word) != nil:
		return &usageError{text: quote(word) + " stands where a device is named", hint: "did you mean --" + word + "? A device of that name stands behind --"}
	case word == "via" || word == "peer" || word == "metric" || word == "table" || notIP == nil:
		return &usageError{text: quote(word) + " stands where a device is named", hint: "a value of several words is quoted: --route '10.1.0.0/16 via 10.0.0.2'"}
	}
	return nil
}

// find is the flag of that spelling: two dashes and its first name or a long one, or one dash and a letter, as the help shows it.
func find(flags []cli.Flag, spelled string) cli.Flag {
	for _, f := range flags {
		for i, name := range f.Names() {
			if (len(name) > 1 || i == 0) && spelled == "--"+name || len(name) == 1 && spelled == "-"+name {
				return f
			}
		}
	}
	return nil
}

func unknownFlag(name string, flags []cli.Flag) error {
	var known []string
	for _, f := range flags {
		known = append(known, "--"+f.Names()[0])
	}
	hint := elsewhere[name]
	if meant, ok := strings.CutPrefix(hint, "did you mean --"); ok && find(flags, "--"+strings.TrimSuffix(meant, "?")) == nil {
		hint = "" // the verb has none
	}
	if hint == "" {
		hint = didYouMean(name, known)
	}
	if hint == "" && !strings.HasPrefix(name, "--") {
		hint = "a name that begins with - stands behind --"
	}
	return &usageError{text: "unknown flag " + quote(name), hint: hint}
}

// elsewhere are words that other tools have, or other verbs, with what they are called here.
var elsewhere = map[string]string{
	"-u": "did you mean --user?", "-g": "did you mean --group?", "-f": "did you mean --force?", "-n": "did you mean --netns?",
	"-t": "a name stands alone: tunadm add tap0", "-d": "tunadm delete NAME", "-V": "tunadm --version",
	"--mode": "a mode is for life: tunadm delete NAME, then add it again", "--multi-queue": "for life: tunadm delete NAME, then add it again",
	"create": "did you mean add?", "remove": "did you mean delete?", "destroy": "did you mean delete?", "version": "tunadm --version",
	"monitor": "did you mean watch?", "up": "tunadm set NAME --up", "down": "tunadm set NAME --down",
}

// didYouMean is the known word that is nearest to one that is not, as a hint; "" where none is near.
func didYouMean(word string, known []string) string {
	best := netcfg.Nearest(word, known)
	if best == "" {
		return ""
	}
	return "did you mean " + best + "?"
}
