package commands

import (
	"errors"
	"flag"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

// An option is a flag of a verb. It replaces the flag types of urfave/cli, which run a regular expression for each
// look-up of a name, stop at the first wrong value, and silently take the last of several values.
type option struct {
	cli.GenericFlag
	names      []string // the long name, then letters
	isSwitch   bool     // it takes no value
	implied    string   // its value if none is given after "="; "": it needs one
	repeatable bool     // its values add up; any other option can be repeated with the same value only
	anyText    bool     // the next argument is its value, also if it begins with "--"; a name never does
	set        func(value string) error
	given      *string // the last value on the command line; nil: none
	refuse     func(error)
}

// newOption returns an option with a long name. A word in `backquotes` in usage names the value. set parses and stores
// a value.
func newOption(name, usage string, set func(value string) error) *option {
	return &option{GenericFlag: cli.GenericFlag{Name: name, Usage: usage}, names: []string{name}, set: set}
}

// Names returns the spellings without hyphens.
func (o *option) Names() []string { return o.names }

// TakesValue returns false for a switch.
func (o *option) TakesValue() bool { return !o.isSwitch }

// describe returns the spellings of the option with the name of its value, and its usage, for the help.
func (o *option) describe() (spelled, text string) {
	spelled = "--" + o.names[0]
	for _, letter := range o.names[1:] {
		spelled += ", -" + letter
	}
	before, rest, quoted := strings.Cut(o.Usage, "`")
	if !quoted {
		return spelled, o.Usage
	}
	value, after, _ := strings.Cut(rest, "`")
	if o.implied != "" {
		return spelled + "[=" + value + "]", before + value + after
	}
	return spelled + " " + value, before + value + after
}

// Apply adds the option to the set that parses the command line, in which arrange spells each option by its long name.
func (o *option) Apply(set *flag.FlagSet) error {
	set.Var(value{o}, o.names[0], o.Usage)
	return nil
}

// A value is the part of an option that package flag calls while it parses.
type value struct{ *option }

// Set parses and stores one value. It reports a wrong value through refuse and returns nil, so that parsing continues.
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

// String returns "true" if the option is given. Package flag asks for the default.
func (v value) String() string { return strconv.FormatBool(v.given != nil) }

// IsBoolFlag returns true for a switch. Package flag gives it the value "true".
func (v value) IsBoolFlag() bool { return v.isSwitch }

// valueFlag returns an option that stores its parsed value.
func valueFlag[T any](name, usage string, parse func(string) (T, error), to *T) *option {
	return newOption(name, usage, func(text string) (err error) {
		*to, err = parse(text)
		return err
	})
}

// pointerFlag returns an option that stores a pointer to its parsed value; nil means that the option is not given.
func pointerFlag[T any](name, usage string, parse func(string) (T, error), to **T) *option {
	return newOption(name, usage, func(text string) error {
		v, err := parse(text)
		*to = &v
		return err
	})
}

// impliedFlag returns an option that stores its parsed value, which follows "=" or is the implied one.
func impliedFlag[T any](name, usage, implied string, parse func(string) (T, error), to *T) *option {
	o := valueFlag(name, usage, parse, to)
	o.implied = implied
	return o
}

// listFlag returns a repeatable option that appends each parsed value.
func listFlag[T any](name, usage string, parse func(string) (T, error), to *[]T) *option {
	o := newOption(name, usage, func(text string) error {
		v, err := parse(text)
		*to = append(*to, v)
		return err
	})
	o.repeatable = true
	return o
}

// exactFlag returns a repeatable option that stores a complete list: nil means that the option is not given, and the
// empty word is an empty list.
func exactFlag[T any](name, usage string, parse func(string) (T, error), to **[]T) *option {
	o := newOption(name, usage, func(text string) error {
		if *to == nil {
			*to = new([]T)
		}
		if text == "" {
			return nil
		}
		v, err := parse(text)
		**to = append(**to, v)
		return err
	})
	o.repeatable = true
	return o
}

// switchFlag returns an option without a value.
func switchFlag(name, usage string, to *bool, letters ...string) *option {
	o := newOption(name, usage, func(string) error { *to = true; return nil })
	o.names, o.isSwitch = append(o.names, letters...), true
	return o
}

// A pair is two flags that contradict each other, and whether both are given.
type pair struct {
	both bool
	a, b string
}

// exclusive returns an error for each pair that is given.
func exclusive(pairs []pair) error {
	var errs []error
	for _, p := range pairs {
		if p.both {
			errs = append(errs, usagef("%s and %s exclude each other", p.a, p.b))
		}
	}
	return errors.Join(errs...)
}

// helpFlag returns --help, which every verb has.
func helpFlag() *option { return switchFlag("help", "show help", new(bool), "h") }

// netnsOfDevice returns --netns of a verb whose other part stays in the network namespace of the caller.
func netnsOfDevice(to *string, other string) *option {
	o := netnsFlag(to)
	o.Usage = "attach in the network namespace `NS`: a name, a path, or a PID; " + other + " not in it"
	return o
}

// netnsFlag returns --netns, which every verb has that reads or changes the kernel.
func netnsFlag(to *string) *option {
	return valueFlag("netns", "work inside the network namespace `NS`: a name, a path, or a PID", parseNotEmpty, to)
}

func verboseFlag(p *program, usage string) *option {
	return switchFlag("verbose", usage, &p.verbose, "v")
}

func quietFlag(p *program, usage string) *option {
	return switchFlag("quiet", usage, &p.quiet, "q")
}
