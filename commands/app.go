package commands

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tunadm/tunadm/internal/loop"
	"github.com/tunadm/tunadm/netcfg"
)

// A verb is one row of the table of what the program can do.
type verb struct {
	name       string
	aliases    []string
	operands   string // as the help shows them
	usage      string // one line
	flags      func(*program) []cli.Flag
	repeatable []string // flags that may be given several times with several values
	verbatim   bool     // what follows the first operand is another program's line, not flags of this one
	hands      bool     // what follows "--" is the line of a program that gets the queues
	run        func(p *program, operands []string) error
}

// verbs is the table, in the order of the help.
func verbs() []verb {
	return []verb{addVerb, setVerb, deleteVerb, listVerb, showVerb, applyVerb, teardownVerb, exportVerb, doctorVerb, watchVerb, execVerb, dumpVerb, echoVerb, loopVerb, tunnelVerb, asVerb}
}

// A program is one run of the command line.
type program struct {
	stdout, stderr io.Writer
	version        string
	verb           string // "" until it is known

	netns   string
	json    bool
	names   bool
	format  string // of export
	dryRun  bool
	check   bool
	verbose bool
	quiet   bool

	properties properties
	tolerant   bool // --if-missing, --if-exists
	force      bool

	prune, atomic, replace, deferMaster bool // of apply

	node    string // of the driver, where a line that as was given names one
	explain bool   // of as
	user    string // of doctor and exec: "": who runs the program

	attachment    netcfg.Attachment
	command       []string     // of exec: the program's line
	ambient       []capability // of exec
	newPrivileges bool         // of exec

	count    int      // of dump: how many packets; 0: all
	hex      bool     // of dump
	write    string   // of dump: a file, "-" or ""
	captured *os.File // of dump: that file; nil: standard output, or none

	plain, udp      bool           // of tunnel
	listen, connect string         // of tunnel: "host:port"
	peer            netip.AddrPort // of tunnel; invalid: the first

	ends  [2]loop.End // of loop
	clean bool
}

// run finds the verb, arranges its arguments, and has urfave/cli parse them.
func (p *program) run(args []string) error {
	words, implied := args[1:], false
	if len(words) == 0 {
		words = []string{listVerb.name}
	}
	switch first := words[0]; {
	case first == "help":
		return p.help(words[1:])
	case first == "--help" || first == "-h":
		return p.help(nil)
	case first == "--version":
		_, err := fmt.Fprintf(p.stdout, "tunadm version %s\n", p.version)
		return err
	case strings.HasPrefix(first, "-"): // flags of the verb that can be left out
		words, implied = append([]string{listVerb.name}, words...), true
	}
	v := findVerb(words[0])
	if v == nil {
		return unknownVerb(words[0])
	}
	p.verb = v.name
	return p.parse(v, words[1:], implied)
}

// parse parses the arguments of a verb, which may be implied, and runs it if none of them is wrong.
func (p *program) parse(v *verb, args []string, implied bool) error {
	flags := append(v.flags(p), helpFlag())
	own, others := p.split(v, args)
	arranged, err := arrange(own, flags)
	if usage := new(usageError); implied && errors.As(err, &usage) && !strings.HasPrefix(usage.hint, "did you mean") {
		usage.hint = "flags follow the verb: tunadm VERB FLAGS"
	}
	if err != nil {
		return err
	}
	if slices.Contains(arranged[:slices.Index(arranged, "--")], "--help=true") {
		arranged, others = []string{"--help"}, nil // with names, urfave/cli would look for commands that are called so
	}
	return p.app(v, flags).Run(slices.Concat([]string{"tunadm"}, arranged, others))
}

// descriptorsNeeded is the lowest limit of open files under which each verb ends in order.
const descriptorsNeeded = 16

// roomForDescriptors returns an error if the limit of open files is too low. Go's runtime starts its poller with the first
// file, and ends the process with a stack trace, anywhere, if there is no descriptor for it.
func roomForDescriptors() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil && limit.Cur < descriptorsNeeded {
		return fmt.Errorf("open files are limited to %d: at least %d are required", limit.Cur, descriptorsNeeded)
	}
	return nil
}

// split takes another program's line off a verb's arguments: one that belongs to the operands, or the one behind "--".
func (p *program) split(v *verb, args []string) (own, others []string) {
	n := -1
	if v.verbatim {
		n = slices.IndexFunc(args, func(word string) bool { return !strings.HasPrefix(word, "-") })
	} else if v.hands {
		n = slices.Index(args, "--")
	}
	switch {
	case n < 0:
		return args, nil
	case v.hands:
		p.command = args[n+1:]
		return args[:n], nil
	}
	return args[:n], args[n:]
}

// help prints the table of verbs, or the flags of one verb.
func (p *program) help(operands []string) error {
	switch {
	case len(operands) > 1:
		return &usageError{text: "help is of one verb at a time", hint: "tunadm help VERB"}
	case len(operands) == 0 || operands[0] == "help" || operands[0] == "--help" || operands[0] == "-h":
		return p.table().Run([]string{"tunadm", "--help"})
	}
	v := findVerb(operands[0])
	if v == nil {
		return unknownVerb(operands[0])
	}
	return p.parse(v, []string{"--help"}, false)
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
	hint := elsewhere[name]
	if hint == "" {
		hint = didYouMean(name, known)
	}
	if hint == "" {
		hint = "tunadm help"
	}
	return &usageError{text: "unknown verb " + quote(name), hint: hint}
}

func quote(s string) string { return strconv.Quote(s) }

// app is the app of urfave/cli for one verb. The verb is the app itself: as a command of one it would have a hidden command
// "help", and `tunadm delete h` would print help.
func (p *program) app(v *verb, flags []cli.Flag) *cli.App {
	var wrong []error
	for _, f := range flags {
		o := f.(*option)
		o.repeatable = slices.Contains(v.repeatable, o.Name)
		o.refuse = func(err error) { wrong = append(wrong, err) }
	}
	return &cli.App{
		Name: v.name, Usage: v.usage, UsageText: "tunadm " + v.name + " [FLAGS] " + v.operands, Writer: p.stdout, ErrWriter: p.stderr,
		Flags: flags, HideHelp: true, CustomAppHelpTemplate: verbHelp,
		Compiled:       time.Unix(0, 0), // else the library reads the time of the program's file
		OnUsageError:   func(_ *cli.Context, err error, _ bool) error { return usagef("%v", err) },
		ExitErrHandler: func(*cli.Context, error) {},
		Action: func(c *cli.Context) error {
			if len(wrong) > 0 {
				return errors.Join(wrong...)
			}
			if err := roomForDescriptors(); err != nil {
				return err
			}
			return v.run(p, c.Args().Slice())
		},
	}
}

// table is the app of urfave/cli that prints the table of verbs.
func (p *program) table() *cli.App {
	app := &cli.App{
		Name: "tunadm", Usage: "persistent TUN/TAP devices: make, change, look at, delete",
		UsageText: "tunadm [VERB] [FLAGS] [NAME...]", Writer: p.stdout, ErrWriter: p.stderr,
		HideHelpCommand: true, HideVersion: true, Compiled: time.Unix(0, 0), CustomAppHelpTemplate: appHelp,
	}
	for _, v := range verbs() {
		app.Commands = append(app.Commands, &cli.Command{Name: v.name, Aliases: v.aliases, Usage: v.usage})
	}
	return app
}

const appHelp = `tunadm - {{.Usage}}

Usage: {{.UsageText}}

Verbs:
{{range .VisibleCommands}}  {{join .Names ", " | printf "%-16s"}} {{.Usage}}
{{end}}
'tunadm help VERB' shows the flags of a verb; without a verb, tunadm lists the devices. Exit codes and all else: man 8 tunadm.
`

const verbHelp = `tunadm {{.Name}} - {{.Usage}}

Usage: {{.UsageText}}

Flags:
{{range .VisibleFlags}}  {{.}}
{{end}}`
