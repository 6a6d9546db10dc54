package commands

import (
	"fmt"

	"github.com/tunadm/tunadm/netcfg"
)

// logStep prints a completed step, with --verbose.
func (p *program) logStep(s fmt.Stringer) {
	if p.verbose {
		fmt.Fprintln(p.stderr, s)
	}
}

// say prints a line about the run, unless --quiet is given.
func (p *program) say(text string) {
	if !p.quiet {
		fmt.Fprintf(p.stderr, "tunadm: %s: %s\n", p.verb, netcfg.Printable(text))
	}
}

// sayOf prints a line about a device, unless --quiet is given.
func (p *program) sayOf(device, text string) {
	if !p.quiet {
		fmt.Fprintf(p.stderr, "tunadm: %s %s: %s\n", p.verb, netcfg.Escape(device), netcfg.Printable(text))
	}
}
