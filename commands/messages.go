package commands

import (
	"fmt"

	"github.com/tunadm/tunadm/internal/words"
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
		fmt.Fprintf(p.stderr, "tunadm: %s: %s\n", p.verb, words.Printable(text))
	}
}

// sayOf prints a line about a device, unless --quiet is given.
func (p *program) sayOf(device, text string) {
	if !p.quiet {
		fmt.Fprintf(p.stderr, "tunadm: %s %s: %s\n", p.verb, words.Escape(device), words.Printable(text))
	}
}
