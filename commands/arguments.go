package commands

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/words"
)

// arrange returns the arguments of a verb in the order that urfave/cli requires, because it stops at the first operand:
// flags as --name=value, then "--", then operands. It refuses flags that the verb does not have, and spellings that
// only package flag accepts.
func arrange(v *verb, args []string, flags []*option) ([]string, error) {
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
			return nil, unknownFlag(v, name, flags)
		case flag.isSwitch && hasValue:
			return nil, usagef("--%s takes no value", flag.Name)
		case flag.isSwitch:
			value = "true"
		case !hasValue && flag.implied != "":
			value = flag.implied
		case !hasValue && i+1 == len(args):
			return nil, usagef("--%s needs a value", flag.Name)
		case !hasValue:
			i++
			if value = args[i]; strings.HasPrefix(value, "--") && !flag.anyText {
				return nil, usage("--"+flag.Name+" needs a value, not "+quote(value),
					"a value that begins with -- follows =: --"+flag.Name+"="+words.Escape(value))
			}
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
	case find(flags, "--route") == nil:
		return nil
	case word == "broadcast":
		return usage(quote(word)+" in place of a device name",
			"quote a value of several words: --address '10.0.0.1/24 broadcast +'")
	case word == "via" || word == "peer" || word == "metric" || word == "table" || notIP == nil:
		hint := "quote a value of several words: --route '10.1.0.0/16 via 10.0.0.2'"
		if word == "peer" {
			hint = "quote a value of several words: --address '10.0.0.1 peer 10.0.0.2'"
		}
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

func unknownFlag(v *verb, name string, flags []*option) error {
	var known []string
	for _, f := range flags {
		known = append(known, "--"+f.Name)
	}
	otherwise := "tunadm help " + v.name + " lists the flags"
	if !strings.HasPrefix(name, "--") && v.operand != nil {
		otherwise += "; a name that begins with - follows --"
	}
	return unknown("flag", name, v.name, known, otherwise)
}
