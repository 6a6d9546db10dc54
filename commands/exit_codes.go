package commands

import (
	"errors"
	"fmt"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/declare"
	"github.com/tunadm/tunadm/internal/fix"
)

// The exit codes. Scripts rely on them.
const (
	exitDone         = 0
	exitFailed       = 1 // all other errors
	exitUsage        = 2
	exitNoDevice     = 3
	exitExists       = 4
	exitInUse        = 5
	exitNotPermitted = 6
	exitNoDriver     = 7
	exitWouldChange  = 8

	// The exit codes of exec, as of env(1). All others are those of its program.
	exitNotExecuted   = 125 // exec itself failed
	exitNotExecutable = 126
	exitNoProgram     = 127
)

// exits lists the exit codes of causes.
var exits = map[cause.Cause]int{
	cause.BadRequest:       exitUsage,
	cause.NoDevice:         exitNoDevice,
	cause.Exists:           exitExists,
	cause.Differs:          exitExists,
	cause.OtherKind:        exitExists,
	cause.WrongMode:        exitExists,
	cause.WrongQueues:      exitExists,
	cause.MTUBounds:        exitUsage,
	cause.TunHasNoMAC:      exitUsage,
	cause.InUse:            exitInUse,
	cause.NotPermitted:     exitNotPermitted,
	cause.NotOwner:         exitNotPermitted,
	cause.NodeForbidden:    exitNotPermitted,
	cause.ForeignNamespace: exitNotPermitted,
	cause.NodeMissing:      exitNoDriver,
	cause.NodeWrong:        exitNoDriver,
	cause.DriverMissing:    exitNoDriver,
	cause.NotExecutable:    exitNotExecutable,
	cause.NoProgram:        exitNoProgram,
}

// An exitError is an error with an exit code that does not follow from its cause.
type exitError struct {
	code int
	err  error   // nil: nothing is printed
	fix  fix.Fix // zero: that of err
	near bool    // the fix is a similar word

	unknown bool // a flag or a verb that does not exist
}

// errWouldChange is the outcome of a --check with steps. The plan has been printed.
var errWouldChange = &exitError{code: exitWouldChange}

// errFindings is the outcome of a doctor that found an error. The findings have been printed.
var errFindings = &exitError{code: exitFailed}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// Hint returns the fix to print below the error.
func (e *exitError) Hint() fix.Fix {
	if e.fix.IsZero() {
		return fix.HintOf(e.err)
	}
	return e.fix
}

// usage returns the error for a wrong command line, with a hint; "": none.
func usage(text, hint string) *exitError {
	return &exitError{code: exitUsage, err: errors.New(text), fix: fix.Sentence(hint)}
}

// usagef returns the error for a wrong command line, without a hint.
func usagef(format string, args ...any) error { return usage(fmt.Sprintf(format, args...), "") }

// exitCode returns the exit code of an error.
func exitCode(err error) int {
	var own *exitError
	var e *cause.Error
	switch {
	case errors.As(err, &own):
		return own.code
	case errors.As(err, new(*declare.Mistake)):
		return exitUsage
	case errors.As(err, &e) && e.Cause == cause.OtherFailed && e.Err != nil:
		return exitCode(e.Err)
	case e != nil:
		if code, ok := exits[e.Cause]; ok {
			return code
		}
	}
	return exitFailed
}
