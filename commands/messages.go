package commands

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/declare"
	"github.com/tunadm/tunadm/internal/fix"
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

// complain prints each error, and its hint below it. It returns their exit code: 1 if they have different ones.
func (p *program) complain(err error) int {
	code, mistakes, absent := exitDone, 0, p.absentHint()
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
		if e := new(exitError); errors.As(err, &e) && e.err == nil {
			continue
		}
		if errors.As(err, new(*declare.Mistake)) {
			if mistakes++; mistakes > mistakesShown {
				continue
			}
		}
		fmt.Fprintf(p.stderr, "tunadm: %s%s\n", p.subject(err), words.Printable(err.Error()))
		p.pointAt(err)
		hint := cmp.Or(p.ownerHint(err), p.everywhereHint(err), fix.HintOf(err).String(), p.patternHint(err),
			absent(err))
		if hint != "" {
			fmt.Fprintf(p.stderr, "tunadm: hint: %s\n", words.Printable(hint))
		}
	}
	if more := mistakes - mistakesShown; more > 0 {
		fmt.Fprintf(p.stderr, "tunadm: %s: more mistakes in the files: %d\n", p.verb, more)
	}
	return code
}

// mistakesShown is how many mistakes in files are printed. One slip may cause thousands.
const mistakesShown = 50

// ownerHint returns the command line as the owner of a device runs it, if the user is another one; or "".
func (p *program) ownerHint(err error) string {
	e := new(cause.Error)
	if !errors.As(err, &e) || e.Cause != cause.NotOwner || e.Owner == "" || os.Geteuid() == 0 {
		return ""
	}
	as := []string{"sudo", "-u", e.Owner, "tunadm"}
	if e.Owner == "root" {
		as = []string{"sudo", "tunadm"}
	} else if strings.Trim(e.Owner, "0123456789") == "" {
		as[2] = "#" + e.Owner
	}
	line := fix.Command{Words: slices.Concat(as, p.line)}
	return fix.Fix{Before: "it belongs to " + words.Escape(e.Owner) + ": ", Commands: []fix.Command{line}}.String()
}

// pointAt prints the line of a file that contains a mistake, and a caret below the mistake.
func (p *program) pointAt(err error) {
	m := new(declare.Mistake)
	if !errors.As(err, &m) || m.Source == "" {
		return
	}
	column := utf8.RuneCountInString(words.Escape(untab(m.Source[:m.Caret])))
	fmt.Fprintf(p.stderr, "    %s\n    %*s\n", words.Escape(untab(m.Source)), column+1, "^")
}

func untab(s string) string { return strings.ReplaceAll(s, "\t", " ") }

// each returns the errors that were joined.
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

// subject returns "verb device: ", or the part of it that is known.
func (p *program) subject(err error) string {
	var parts []string
	if p.verb != "" {
		parts = append(parts, p.verb)
	}
	var e *cause.Error
	if errors.As(err, &e) && e.Device != "" {
		parts = append(parts, words.Escape(e.Device))
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, " ") + ": "
}
