package convert

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/standin"
)

// run runs a simple command.
func (s *shell) run(t *token) truth {
	c := t.command
	s.defaults = nil
	words := s.expand(c)
	negated := s.negated
	for s.negated = false; len(words) > 0 && words[0] == "!"; negated = !negated {
		words = words[1:]
	}
	result := s.simple(t, prefixless(words))
	if len(s.defaults) > 0 && t.done && s.mode == certain {
		s.source.note(t.first, t.last, "imported with the default of "+strings.Join(s.defaults, ", "))
	}
	if s.piped, s.pipedFrom = words, t; c.Then == "|" {
		s.negated = negated // the last command of the pipeline has the result
		return result
	}
	if negated {
		return -result
	}
	return result
}

// prefixless removes words that run the rest of a command.
func prefixless(words []string) []string {
	runners := []string{"sudo", "doas", "exec", "command", "nohup", "time", "env"}
	for len(words) > 1 && slices.Contains(runners, words[0]) {
		words = words[1:]
		for len(words) > 1 && slices.Contains([]string{"-E", "-n", "-H", "-S", "-A", "--"}, words[0]) {
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
	if s.writes(t, words) {
		return yes
	}
	if result, builtin := s.builtin(t, words); builtin {
		return result
	}
	if _, defined := s.functions[words[0]]; defined {
		t.done = true
		s.call(words[0], words[1:])
		return s.last
	}
	return s.configure(t, words)
}

// configure runs a line of a tool that configures links.
func (s *shell) configure(t *token, words []string) truth {
	line, err := standin.ReadLine(words)
	switch {
	case err == nil && line.Act == standin.Unrelated:
		return s.unrelated(t, words)
	case err == nil && line.Act == standin.Reads:
		t.done = true
		return s.shows(words)
	case s.mode == dead:
		t.done, t.why = t.done || s.undoing(words), s.why
		return yes
	case s.mode == unsure:
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
		if flushes(line) && standin.Known(line.Name) {
			s.flushed = append(s.flushed, flush{t, line.Name})
		}
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
