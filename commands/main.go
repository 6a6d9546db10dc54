// Package commands is the command line. It has a file for each verb: its options, its flags, and a run that passes a
// netcfg.Spec to the engine and prints the result.
package commands

import (
	"io"
	"slices"

	"github.com/tunadm/tunadm/internal/guard"
	"github.com/tunadm/tunadm/internal/holders"
	"github.com/tunadm/tunadm/internal/standin"
)

// Main runs one command line and returns the exit code.
func Main(args []string, version string, stdout, stderr io.Writer) int {
	p := &program{stdout: stdout, stderr: stderr, version: version}
	if args[0] == holders.Examiner {
		quitQuietly()
		return p.complain(holders.Examine(args[1:], stdout))
	}
	if args[0] == guard.Name && len(args) == 2 {
		return p.complain(guard.Watch(args[1]))
	}
	if standin.Named(args[0]) {
		args = slices.Concat([]string{"tunadm", asVerb.name}, args)
	}
	return p.complain(p.do(args))
}
