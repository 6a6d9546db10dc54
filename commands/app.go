package commands

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tunadm/tunadm/internal/fix"
)

// A verb is one row of the table of what the program can do.
type verb struct {
	name     string
	aliases  []string
	operands string                  // for the help
	usage    string                  // for the help, one line
	operand  func(word string) error // checks each operand, each may be given once; nil: the verb checks them itself
	patterns bool                    // the operands may be patterns of names
	page     string                  // the manual page that describes the flags; "": tunadm(8)
	verbatim bool                    // the words from the first operand on are another tool's command line
	lasting  bool                    // it runs until it is stopped, or in place of another program
	reads    bool                    // it changes nothing, and any signal ends it at once
	command  func(*program) command
}

// A command is the options of one verb: the flags that fill them in, and the run that uses them.
type command interface {
	flags() []*option
	run(operands []string) error
}

// A launcher is a command that runs a program, whose command line follows "--".
type launcher interface {
	command
	launches(line []string)
}

// verbs returns the table, in the order of the help.
func verbs() []verb {
	return []verb{
		addVerb, setVerb, deleteVerb, listVerb, showVerb, topVerb, applyVerb, statusVerb, teardownVerb, exportVerb,
		importVerb, doctorVerb, traceVerb, metricsVerb, watchVerb, execVerb, dumpVerb, echoVerb, holdVerb, loopVerb,
		tunnelVerb, asVerb,
	}
}

// A program is one run of the command line. It holds what all verbs share.
type program struct {
	stdout, stderr io.Writer
	version        string
	verb           string   // "": not known yet
	line           []string // the arguments of tunadm
	verbose, quiet bool
	progress       *progress // nil: not shown
}

// do finds the verb, arranges its arguments, and has urfave/cli parse them.
func (p *program) do(args []string) error {
	words, implied := args[1:], false
	p.line = words
	if len(words) == 0 {
		words = []string{listVerb.name}
	}
	switch first := words[0]; {
	case first == "help":
		return p.help(words[1:])
	case first == "--help" || first == "-h":
		return p.help(words[1:])
	case first == "--version" && len(words) > 1:
		return usage("--version takes no operand", "tunadm --version")
	case first == "--version":
		_, err := fmt.Fprintf(p.stdout, "tunadm version %s\n", p.version)
		return err
	case strings.HasPrefix(first, "-"): // flags of the verb that can be left out
		words, implied = append([]string{listVerb.name}, words...), true
	}
	v := findVerb(words[0])
	if v == nil { // the name of a device is short for show
		if !namesDevice(words) {
			return unknownVerb(words[0])
		}
		words = append([]string{showVerb.name}, words...)
		v = findVerb(showVerb.name)
	}
	p.verb = v.name
	return p.parse(v, words[1:], implied)
}

// parse parses the arguments of a verb, which may be implied, and runs it if none of them is wrong.
func (p *program) parse(v *verb, args []string, implied bool) error {
	c := v.command(p)
	flags := append(c.flags(), helpFlag())
	own, others := split(v, c, args)
	arranged, err := arrange(v, own, flags)
	if e := new(exitError); implied && errors.As(err, &e) && !e.near {
		e.fix = fix.Sentence("flags follow the verb: tunadm VERB FLAGS")
	} else if _, ok := c.(launcher); ok && errors.As(err, &e) && e.unknown && !slices.Contains(args, "--") {
		e.fix = fix.Sentence("the command to run follows --: tunadm " + v.name + " " + v.operands)
	}
	if err != nil {
		return err
	}
	named := arranged[:slices.Index(arranged, "--")]
	if slices.Contains(named, "--help=true") {
		return p.printHelp(func(width int) string { return verbHelp(v, flags, width) })
	}
	flags = slices.DeleteFunc(flags, func(f *option) bool {
		return !slices.ContainsFunc(named, func(word string) bool { return strings.HasPrefix(word, "--"+f.Name+"=") })
	})
	return p.app(v, c, flags).Run(slices.Concat([]string{"tunadm"}, arranged, others))
}

// split takes another program's command line off a verb's arguments: it starts at the first operand, or follows "--".
func split(v *verb, c command, args []string) (own, others []string) {
	if v.verbatim {
		if n := slices.IndexFunc(args, func(word string) bool { return !strings.HasPrefix(word, "-") }); n >= 0 {
			return args[:n], args[n:]
		}
	}
	if l, ok := c.(launcher); ok {
		if n := slices.Index(args, "--"); n >= 0 {
			l.launches(args[n+1:])
			return args[:n], nil
		}
	}
	return args, nil
}

// descriptorsNeeded is the lowest limit of open files under which each verb ends in order.
const descriptorsNeeded = 16

// roomForDescriptors returns an error if the limit of open files is too low. Go's runtime starts its poller with the
// first file, and ends the process with a stack trace if there is no descriptor for it.
func roomForDescriptors() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil && limit.Cur < descriptorsNeeded {
		return fmt.Errorf("open files are limited to %d: at least %d are required", limit.Cur, descriptorsNeeded)
	}
	return nil
}

func findVerb(name string) *verb {
	for _, v := range verbs() {
		if v.name == name || slices.Contains(v.aliases, name) {
			return &v
		}
	}
	return nil
}

func unknownVerb(name string) error {
	known := []string{"help"}
	for _, v := range verbs() {
		known = append(known, v.name)
	}
	return unknown("verb", name, "", known, "tunadm help")
}

func quote(s string) string { return strconv.Quote(s) }

// app returns the app of urfave/cli for one verb and the given flags. The verb is the app itself: a command of an app
// has a hidden command "help", and `tunadm delete h` would print help.
func (p *program) app(v *verb, c command, flags []*option) *cli.App {
	var wrong []error
	cli.HelpFlag = nil // the library would look for it with a regular expression
	app := &cli.App{
		Name: v.name, Writer: p.stdout, ErrWriter: p.stderr, HideHelp: true,
		Compiled:       time.Unix(0, 0), // the zero time would have the library read that of the program's file
		OnUsageError:   func(_ *cli.Context, err error, _ bool) error { return usagef("%v", err) },
		ExitErrHandler: func(*cli.Context, error) {}, // the library's own would end the process
	}
	for _, f := range flags {
		f.refuse = func(err error) { wrong = append(wrong, err) }
		app.Flags = append(app.Flags, f)
	}
	app.Action = func(context *cli.Context) error {
		operands := context.Args().Slice()
		if v.operand != nil {
			wrong = append(wrong, wrongOperands(operands, v.operand)...)
		}
		if len(wrong) > 0 {
			return errors.Join(wrong...)
		}
		if err := roomForDescriptors(); err != nil {
			return err
		}
		if v.reads {
			quitQuietly()
		}
		if !v.lasting {
			defer p.showProgress(operands)()
		}
		return c.run(operands)
	}
	return app
}
