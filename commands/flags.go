package commands

import (
	"errors"
	"flag"
	"strconv"

	"github.com/urfave/cli/v2"
)

// An option is a flag of a verb. It replaces the flag types of urfave/cli, which run a regular expression for each look-up
// of a name, stop at the first wrong value, and silently take the last of several values.
type option struct {
	cli.GenericFlag
	names      []string // the long name, then letters
	isSwitch   bool     // it takes no value
	repeatable bool     // its values add up; any other option can be repeated with the same value only
	set        func(value string) error
	given      *string // the last value on the command line; nil: none
	refuse     func(error)
}

// Names returns the spellings without dashes.
func (o *option) Names() []string { return o.names }

// TakesValue returns false for a switch.
func (o *option) TakesValue() bool { return !o.isSwitch }

// GetDefaultText returns "": no option has a default that the help would print.
func (o *option) GetDefaultText() string { return "" }

// String returns the line of the help.
func (o *option) String() string { return cli.FlagStringer(o) }

// Apply adds the option to the set that parses the command line, in which arrange spells each option by its long name.
func (o *option) Apply(set *flag.FlagSet) error {
	set.Var(value{o}, o.names[0], o.Usage)
	return nil
}

// A value is the part of an option that package flag calls while it parses.
type value struct{ *option }

// Set parses and stores one value. A wrong value is reported through refuse, so that parsing goes on behind it.
func (v value) Set(text string) error {
	var err error
	switch {
	case v.repeatable || v.given == nil:
		if err = v.set(text); err != nil {
			err = usagef("--%s: %v", v.names[0], err)
		}
	case *v.given != text:
		err = usagef("--%s is given twice, as %q and as %q", v.names[0], *v.given, text)
	}
	v.given = &text
	if err != nil {
		v.refuse(err)
	}
	return nil
}

// String returns whether a switch is given, as urfave/cli asks for --help.
func (v value) String() string { return strconv.FormatBool(v.given != nil) }

// IsBoolFlag returns true for a switch, which package flag then gives the value "true".
func (v value) IsBoolFlag() bool { return v.isSwitch }

// valueFlag is a flag whose value is parsed into what store keeps. The word in `backquotes` in usage names the value.
func valueFlag[T any](p *program, name, usage string, parse func(string) (T, error), store func(T)) cli.Flag {
	set := func(value string) error {
		v, err := parse(value)
		if err == nil {
			store(v)
		}
		return err
	}
	return &option{GenericFlag: cli.GenericFlag{Name: name, Usage: usage}, names: []string{name}, set: set}
}

// boolFlag is a flag without a value.
func boolFlag(name, usage string, destination *bool, letters ...string) cli.Flag {
	set := func(string) error { *destination = true; return nil }
	return &option{GenericFlag: cli.GenericFlag{Name: name, Usage: usage}, names: append([]string{name}, letters...), isSwitch: true, set: set}
}

// helpFlag is a flag of every verb. urfave/cli looks it up by its name.
func helpFlag() cli.Flag { return boolFlag("help", "show help", new(bool), "h") }

// netnsFlag is a flag of every verb that touches the kernel.
func netnsFlag(p *program) cli.Flag {
	parse := func(s string) (string, error) {
		if s == "" {
			return "", errors.New("an empty name is no network namespace")
		}
		return s, nil
	}
	return valueFlag(p, "netns", "work inside the network namespace `NS`: a name, a path, or a process", parse, func(ns string) { p.netns = ns })
}

func jsonFlag(p *program, usage string) cli.Flag {
	return boolFlag("json", usage, &p.json)
}

// What --json prints: of a verb that names the devices itself, and of one that takes them from files.
const (
	jsonPlan    = "with --dry-run or --check: the steps as JSON"
	jsonOutcome = "what became of each device as JSON; with --dry-run or --check: the steps"
)

// changeFlags are the flags of the verbs that change devices.
func changeFlags(p *program, json string) []cli.Flag {
	return []cli.Flag{
		boolFlag("dry-run", "print the steps, and do nothing", &p.dryRun),
		boolFlag("check", "as --dry-run, and exit 8 if there is anything to do", &p.check),
		jsonFlag(p, json),
		netnsFlag(p),
		boolFlag("verbose", "print each step on standard error as it is done", &p.verbose, "v"),
		boolFlag("quiet", "print errors only", &p.quiet, "q"),
	}
}
