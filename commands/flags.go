package commands

import (
	"errors"

	"github.com/urfave/cli/v2"
)

// A setter is the value of a flag that is parsed by a function. An error is kept for the action, since urfave/cli
// would bury it in words of its own.
type setter struct {
	flag string
	set  func(string) error
	errs *[]error
}

// Set parses the value.
func (s *setter) Set(value string) error {
	if err := s.set(value); err != nil {
		*s.errs = append(*s.errs, usagef("--%s: %v", s.flag, err))
	}
	return nil
}

// String is no default.
func (s *setter) String() string { return "" }

// valueFlag is a flag whose value is parsed into what store keeps. The word in `backquotes` in usage names the value.
func valueFlag[T any](p *program, name, usage string, parse func(string) (T, error), store func(T)) cli.Flag {
	set := func(value string) error {
		v, err := parse(value)
		if err == nil {
			store(v)
		}
		return err
	}
	return &cli.GenericFlag{Name: name, Usage: usage, Value: &setter{name, set, &p.errs}}
}

// boolFlag is a flag without a value.
func boolFlag(name, usage string, destination *bool, aliases ...string) cli.Flag {
	return &cli.BoolFlag{Name: name, Aliases: aliases, Usage: usage, Destination: destination, DisableDefaultText: true}
}

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
