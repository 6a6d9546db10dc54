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

	"github.com/urfave/cli/v2"

	"github.com/tunadm/tunadm/internal/packet"
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
	errs       []error // of values that cannot be parsed
	tolerant   bool    // --if-missing, --if-exists
	force      bool

	prune, atomic, replace, deferMaster bool // of apply

	node    string // of the driver, where a line that as was given names one
	explain bool   // of as
	user    string // of doctor and exec: "": who runs the program

	attachment    netcfg.Attachment
	command       []string            // of exec: the program's line
	ambient       []netcfg.Capability // of exec
	newPrivileges bool                // of exec

	count    int      // of dump: how many packets; 0: all
	hex      bool     // of dump
	write    string   // of dump: a file, "-" or ""
	captured *os.File // of dump: that file; nil: standard output, or none

	plain, udp      bool           // of tunnel
	listen, connect string         // of tunnel: "host:port"
	peer            netip.AddrPort // of tunnel; invalid: the first

	ends  [2]packet.LoopEnd // of loop
	clean bool
}

// run finds the verb, puts the arguments in order, and lets urfave/cli parse them.
func (p *program) run(args []string) error {
	app, implied := p.app(), false
	if len(args) < 2 {
		args = []string{"tunadm", listVerb.name}
	}
	switch first := args[1]; {
	case first == "help":
		return help(app, args[2:])
	case first == "--help" || first == "-h" || first == "--version":
		return app.Run([]string{"tunadm", first})
	case strings.HasPrefix(first, "-"): // flags of the verb that may be left out
		args, implied = append([]string{"tunadm", listVerb.name}, args[1:]...), true
	}
	v := findVerb(args[1])
	if v == nil {
		return unknownVerb(args[1])
	}
	p.verb = v.name
	own, others := p.split(v, args[2:])
	rest, err := arrange(own, append(v.flags(p), cli.HelpFlag), v.repeatable)
	if usage := new(usageError); errors.As(err, &usage) && implied && !strings.HasPrefix(usage.hint, "did you mean") {
		usage.hint = "flags stand behind the verb: tunadm VERB FLAGS"
	}
	if err != nil {
		return err
	}
	if slices.Contains(rest[:slices.Index(rest, "--")], "--help=true") {
		return help(app, []string{v.name})
	}
	if err := roomForDescriptors(); err != nil {
		return err
	}
	return app.Run(slices.Concat([]string{"tunadm", v.name}, rest, others))
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

// help prints the table of verbs, or the flags of one.
func help(app *cli.App, operands []string) error {
	switch {
	case len(operands) > 1:
		return &usageError{text: "help is of one verb at a time", hint: "tunadm help VERB"}
	case len(operands) == 0 || operands[0] == "help" || operands[0] == "--help" || operands[0] == "-h":
		return app.Run([]string{"tunadm", "--help"})
	case findVerb(operands[0]) == nil:
		return unknownVerb(operands[0])
	}
	return app.Run([]string{"tunadm", operands[0], "--help"})
}

func findVerb(name string) *verb {
	for _, v := range verbs() {
		for _, n := range append(v.aliases, v.name) {
			if n == name {
				return &v
			}
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

// app is the table as urfave/cli wants it.
func (p *program) app() *cli.App {
	asIs := func(_ *cli.Context, err error, _ bool) error { return usagef("%v", err) }
	app := &cli.App{
		Name: "tunadm", Usage: "persistent TUN/TAP devices: make, change, look at, delete",
		UsageText: "tunadm [VERB] [FLAGS] [NAME...]",
		Version:   p.version, Writer: p.stdout, ErrWriter: p.stderr,
		HideHelpCommand: true, OnUsageError: asIs,
		ExitErrHandler:        func(*cli.Context, error) {},
		CustomAppHelpTemplate: appHelp,
	}
	for _, v := range verbs() {
		app.Commands = append(app.Commands, &cli.Command{
			Name: v.name, Aliases: v.aliases, Usage: v.usage, UsageText: "tunadm " + v.name + " [FLAGS] " + v.operands,
			Flags: v.flags(p), HideHelpCommand: true, OnUsageError: asIs, CustomHelpTemplate: verbHelp,
			Action: func(c *cli.Context) error {
				if len(p.errs) > 0 {
					return p.errs[0]
				}
				return v.run(p, c.Args().Slice())
			},
		})
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
