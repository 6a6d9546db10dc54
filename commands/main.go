// Package commands is the command line: one file a verb, each from flags to a netcfg.Spec, through the engine, to a line of output.
package commands

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tunadm/tunadm/internal/declare"
	"github.com/tunadm/tunadm/internal/standin"
	"github.com/tunadm/tunadm/netcfg"
)

// The exit codes, which scripts rely on.
const (
	exitDone         = 0
	exitFailed       = 1 // anything that has no code of its own
	exitUsage        = 2
	exitNoDevice     = 3
	exitExists       = 4
	exitInUse        = 5
	exitNotPermitted = 6
	exitNoDriver     = 7
	exitWouldChange  = 8

	// Those of exec, as env(1) has them: all others are its program's.
	exitNotExecuted   = 125 // exec itself failed
	exitNotExecutable = 126
	exitNoProgram     = 127
)

// exits are the codes of the causes that have one of their own.
var exits = map[netcfg.Cause]int{
	netcfg.BadRequest:       exitUsage,
	netcfg.NoDevice:         exitNoDevice,
	netcfg.Exists:           exitExists,
	netcfg.Differs:          exitExists,
	netcfg.OtherKind:        exitExists,
	netcfg.WrongMode:        exitExists,
	netcfg.WrongQueues:      exitExists,
	netcfg.MTUBounds:        exitUsage,
	netcfg.TunHasNoMAC:      exitUsage,
	netcfg.InUse:            exitInUse,
	netcfg.NotPermitted:     exitNotPermitted,
	netcfg.NotOwner:         exitNotPermitted,
	netcfg.NodeForbidden:    exitNotPermitted,
	netcfg.ForeignNamespace: exitNotPermitted,
	netcfg.NodeMissing:      exitNoDriver,
	netcfg.NodeWrong:        exitNoDriver,
	netcfg.DriverMissing:    exitNoDriver,
	netcfg.NotExecutable:    exitNotExecutable,
	netcfg.NoProgram:        exitNoProgram,
}

// A usageError is a command line that cannot be understood.
type usageError struct{ text, hint string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{text: fmt.Sprintf(format, args...)} }

// errWouldChange is the outcome of a --check that found something to do. It has no words: the plan has been printed.
var errWouldChange = errors.New("would change")

// Main runs one command line and gives back the exit code.
func Main(args []string, version string, stdout, stderr io.Writer) int {
	p := &program{stdout: stdout, stderr: stderr, version: version}
	if args[0] == netcfg.Examiner {
		return p.complain(netcfg.Examine(args[1:], stdout))
	}
	if standin.Named(args[0]) {
		args = slices.Concat([]string{"tunadm", asVerb.name}, args)
	}
	return p.complain(p.do(args))
}

// complain prints each error with at most one hint under it, and chooses the exit code: the errors' own if they agree.
func (p *program) complain(err error) int {
	code, mistakes := exitDone, 0
	for _, err := range each(err) {
		c := exitCode(err)
		if p.verb == execVerb.name && c < exitNotExecuted {
			c = exitNotExecuted
		}
		if code == exitDone {
			code = c
		} else if code != c {
			code = exitFailed
		}
		if e := new(commandExit); errors.Is(err, errWouldChange) || errors.Is(err, errFaults) || errors.As(err, &e) && e.err == nil {
			continue
		}
		if errors.As(err, new(*declare.Mistake)) {
			if mistakes++; mistakes > mistakesShown {
				continue
			}
		}
		fmt.Fprintf(p.stderr, "tunadm: %s%s\n", p.subject(err), netcfg.Printable(err.Error()))
		p.pointAt(err)
		if hint := hintOf(err); hint != "" {
			fmt.Fprintf(p.stderr, "tunadm: hint: %s\n", netcfg.Printable(hint))
		}
	}
	if more := mistakes - mistakesShown; more > 0 {
		fmt.Fprintf(p.stderr, "tunadm: %s: more mistakes in the files: %d\n", p.verb, more)
	}
	return code
}

// mistakesShown is how many mistakes in files are printed: nobody reads more at a time, and one slip may be a thousand mistakes.
const mistakesShown = 50

// pointAt prints the line of a file in which a mistake is, and a caret under it.
func (p *program) pointAt(err error) {
	m := new(declare.Mistake)
	if !errors.As(err, &m) || m.Source == "" {
		return
	}
	column := utf8.RuneCountInString(netcfg.Escape(untab(m.Source[:m.Caret])))
	fmt.Fprintf(p.stderr, "    %s\n    %*s\n", netcfg.Escape(untab(m.Source)), column+1, "^")
}

func untab(s string) string { return strings.ReplaceAll(s, "\t", " ") }

// each is the list of errors that were joined.
func each(err error) (all []error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			all = append(all, each(one)...)
		}
		return all
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

func exitCode(err error) int {
	var e *netcfg.Error
	var usage *usageError
	var old *oldError
	var command *commandExit
	switch {
	case errors.As(err, &command):
		return command.code
	case errors.As(err, &old):
		return old.code
	case errors.Is(err, errWouldChange):
		return exitWouldChange
	case errors.As(err, &usage), errors.As(err, new(*declare.Mistake)):
		return exitUsage
	case errors.As(err, &e):
		if code, ok := exits[e.Cause]; ok {
			return code
		}
	}
	return exitFailed
}

func hintOf(err error) string {
	var usage *usageError
	var hint *usageHint
	switch {
	case errors.As(err, &hint):
		return hint.hint
	case errors.As(err, &usage):
		return usage.hint
	}
	return netcfg.HintOf(err).String()
}

// subject is "verb device: " as far as they are known.
func (p *program) subject(err error) string {
	var words []string
	if p.verb != "" {
		words = append(words, p.verb)
	}
	var e *netcfg.Error
	if errors.As(err, &e) && e.Device != "" {
		words = append(words, netcfg.Escape(e.Device))
	}
	if len(words) == 0 {
		return ""
	}
	return strings.Join(words, " ") + ": "
}
