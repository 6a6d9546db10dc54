package convert

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/standin"
)

// A shell runs the commands of a script on a [host], as far as it can tell with certainty what the script does at boot:
// variables that the script sets, loops over known values, functions, and tests for devices that it creates itself.
type shell struct {
	host   *host
	source *Source

	tokens    []*token
	at        int               // the next token
	variables map[string]string // the known ones
	functions map[string]int    // the token after the brace
	mode      mode
	why       string // of unsure and dead
	ended     bool   // by exit
	returned  bool
	calls     int
	steps     int
}

// A mode is how commands are taken.
type mode uint8

const (
	certain mode = iota
	unsure       // whether they run is known only when the script runs
	dead         // they do not run
)

// stepsMax is the largest number of commands that are run, so that no loop takes long.
const stepsMax = 10000

const tooLong = "the script is too long"

// A truth is the result of a command, as far as it is known.
type truth int8

const (
	no    truth = -1
	maybe truth = 0
	yes   truth = 1
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// scripts imports shell scripts, each with variables of its own.
func scripts(h *host, all []*Source) []*Source {
	for _, s := range all {
		sh := newShell(h, s)
		sh.tokenize(s.Text, 1)
		for sh.at < len(sh.tokens) {
			sh.list()
		}
		sh.finish()
	}
	return nil
}

func newShell(h *host, s *Source) *shell {
	root := map[string]string{"UID": "0", "EUID": "0"}
	return &shell{host: h, source: s, variables: root, functions: map[string]int{}}
}

// in runs a function in another mode. A more certain mode within a less certain one has no effect.
func (s *shell) in(m mode, why string, run func()) {
	before, reason := s.mode, s.why
	if m > s.mode {
		s.mode, s.why = m, why
	}
	run()
	s.mode, s.why = before, reason
}

// list runs commands up to one of the keywords, and returns this keyword.
func (s *shell) list(until ...string) string {
	last, operator := yes, ""
	for s.at < len(s.tokens) {
		t := s.tokens[s.at]
		if slices.Contains(until, t.keyword) && t.keyword != "" {
			s.at++
			return t.keyword
		}
		if s.ended || s.returned || s.steps > stepsMax {
			s.at++
			continue
		}
		s.steps++
		run := func() { last = s.one() }
		switch {
		case operator == "&&" && last == no, operator == "||" && last == yes:
			kept, result := last, map[truth]string{yes: "fails", no: "succeeds"}[last]
			s.in(dead, "it runs only if the command before it "+result, run)
			last = kept
		case (operator == "&&" || operator == "||") && last == maybe:
			s.in(unsure, "whether it runs depends on the command before it", run)
		default:
			run()
		}
		operator = ""
		if s.at > 0 {
			operator = s.tokens[s.at-1].command.Then
		}
	}
	return ""
}

// one runs the next command, which may be a compound one.
func (s *shell) one() truth {
	t := s.tokens[s.at]
	s.at++
	switch t.keyword {
	case "":
		return s.run(t)
	case "if":
		s.condition()
	case "for":
		s.loop(t)
	case "while", "until":
		s.in(unsure, inLoop, func() { s.list("do"); s.list("done") })
	case "case":
		s.in(unsure, "it runs only in one case of several", func() { s.list("esac") })
	case "{":
		s.list("}")
	case "function":
		s.define(t)
	}
	return yes
}

// run runs a simple command.
func (s *shell) run(t *token) truth {
	c := t.command
	words := s.expand(c)
	negated := false
	for len(words) > 0 && words[0] == "!" {
		words, negated = words[1:], !negated
	}
	result := s.simple(t, prefixless(words))
	if negated {
		return -result
	}
	return result
}

// prefixless removes words that run the rest of a command.
func prefixless(words []string) []string {
	for len(words) > 1 && slices.Contains([]string{"sudo", "exec", "command", "nohup", "time", "env"}, words[0]) {
		words = words[1:]
		for len(words) > 1 && slices.Contains([]string{"-E", "-n", "-H", "--"}, words[0]) {
			words = words[1:]
		}
	}
	return words
}

// simple runs a command without its prefixes.
func (s *shell) simple(t *token, words []string) truth {
	if rest, assigned := s.assign(t, words); assigned {
		if len(rest) == 0 {
			return yes
		}
		words = prefixless(rest)
	}
	if len(words) == 0 {
		return yes
	}
	if result, builtin := s.builtin(t, words); builtin {
		return result
	}
	if _, defined := s.functions[words[0]]; defined {
		t.done = true
		s.call(words[0], words[1:])
		return yes
	}
	return s.configure(t, words)
}

// configure runs a line of a tool that configures links.
func (s *shell) configure(t *token, words []string) truth {
	line, err := standin.ReadLine(words)
	switch {
	case err == nil && line.Act == standin.Unrelated:
		return s.unrelated(t, words[0])
	case err == nil && line.Act == standin.Reads:
		t.done = true
		return s.shows(words)
	case s.mode != certain:
		t.leave(s.source, s.why)
		return yes
	case t.command.Odd != "":
		t.leave(s.source, t.command.Odd)
		return yes
	case err != nil && !standin.Known(words...):
		t.leave(s.source, unknownValue)
		return yes
	case err != nil:
		t.leave(s.source, firstLine(err))
		return yes
	}
	if err := s.apply(t, line, words); errors.Is(err, errOther) {
		return yes
	} else if err != nil {
		t.leave(s.source, firstLine(err))
	}
	return yes
}

const unknownValue = "a value is known only when the script runs"

// apply runs a line that could be read on the host.
func (s *shell) apply(t *token, line *standin.Line, words []string) error {
	if line.Act == standin.Creates {
		if !standin.Known(line.Name) {
			return errors.New(unknownValue)
		}
	} else if !standin.Known(words...) {
		return errors.New(unknownValue)
	}
	if err := s.host.run(line); err != nil {
		return err
	}
	t.done = true
	for _, what := range line.Without {
		s.source.without(t.first, t.last, what, "a file cannot declare it")
	}
	if r := line.Request; r != nil && r.Ask == standin.Add {
		for _, id := range []*string{r.Access.User, r.Access.Group} {
			if id != nil && !standin.Known(*id) {
				what := strconv.Quote(t.command.Written(*id))
				s.source.without(t.first, t.last, what, "its value is known only when the script runs")
			}
		}
	}
	return nil
}

// firstLine returns the first line of an error.
func firstLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}
