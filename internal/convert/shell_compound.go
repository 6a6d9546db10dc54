package convert

import (
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/standin"
	"github.com/tunadm/tunadm/netcfg"
)

const (
	inLoop      = "it is in a loop whose values are known only when the script runs"
	inCondition = "whether it runs is known only when the script runs"
	inBranch    = "it does not run at boot"
)

// condition runs an if command.
func (s *shell) condition() {
	taken := no
	for {
		result := maybe
		count := 0
		for s.at < len(s.tokens) && s.tokens[s.at].keyword != "then" {
			count++
			result = s.one()
		}
		if count != 1 {
			result = maybe
		}
		s.at = min(s.at+1, len(s.tokens)) // then
		if taken == yes {
			result = no
		} else if taken == maybe {
			result = min(result, maybe)
		}
		next := s.branch(result)
		taken = max(taken, result)
		switch next {
		case "elif":
			continue
		case "else":
			s.branch(-taken)
		}
		return
	}
}

// branch runs the commands of a branch of an if command, and returns the keyword after them.
func (s *shell) branch(taken truth) (next string) {
	m := map[truth]mode{yes: certain, maybe: unsure, no: dead}[taken]
	s.in(m, map[mode]string{unsure: inCondition, dead: inBranch}[m], func() { next = s.list("elif", "else", "fi") })
	return next
}

// loop runs a for command for each of its values.
func (s *shell) loop(t *token) {
	words := s.expand(t.command)
	values, known := []string(nil), len(words) > 2 && words[2] == "in"
	if known {
		for _, word := range words[3:] {
			more, ok := braces(word)
			values, known = append(values, more...), known && ok
		}
		known = known && standin.Known(values...)
	}
	if !known || len(values) > stepsMax {
		if len(words) > 1 {
			delete(s.variables, words[1])
		}
		s.in(unsure, inLoop, func() { s.list("do"); s.list("done") })
		return
	}
	t.done = true
	s.steps += len(values)
	s.list("do")
	body := s.at
	if len(values) == 0 {
		s.in(dead, inBranch, func() { s.list("done") })
	}
	for _, value := range values {
		s.at = body
		if s.mode == certain {
			s.variables[words[1]] = value
		}
		s.list("done")
	}
}

// define stores a function, and skips its body.
func (s *shell) define(t *token) {
	t.done = true
	if s.at < len(s.tokens) && s.tokens[s.at].keyword == "{" {
		s.at++
	}
	s.functions[t.name] = s.at
	for depth := 1; s.at < len(s.tokens) && depth > 0; s.at++ {
		switch s.tokens[s.at].keyword {
		case "{":
			depth++
		case "}":
			depth--
		}
	}
}

// call runs a function.
func (s *shell) call(name string, arguments []string) {
	if s.calls > 20 {
		return
	}
	back := s.at
	before := map[string]string{}
	for _, n := range strings.Split("123456789", "") {
		if value, set := s.variables[n]; set {
			before[n] = value
		}
		delete(s.variables, n)
	}
	for i, a := range arguments {
		if i < 9 && standin.Known(a) {
			s.variables[string(rune('1'+i))] = a
		}
	}
	s.calls++
	s.at = s.functions[name]
	s.list("}")
	s.calls--
	s.returned = false
	s.at = back
	for _, n := range strings.Split("123456789", "") {
		delete(s.variables, n)
		if value, set := before[n]; set {
			s.variables[n] = value
		}
	}
}

// undoes reports whether a line only deletes or takes down devices and bridges of the host.
func (s *shell) undoes(text string) bool {
	commands, err := standin.Commands(text)
	return err == nil && len(commands) > 0 && !slices.ContainsFunc(commands, func(c standin.Command) bool {
		return !s.undoing(prefixless(s.expand(c)))
	})
}

// undoing reports whether a command deletes or takes down a device or a bridge of the host, or does nothing.
func (s *shell) undoing(words []string) bool {
	if len(words) == 1 && (words[0] == "true" || words[0] == ":") {
		return true
	}
	line, err := standin.ReadLine(words)
	if err != nil || !standin.Known(words...) {
		return false
	}
	ours := func(name string) bool { return s.host.spec(name) != nil }
	switch line.Act {
	case standin.Creates:
		return line.Request.Ask == standin.Delete
	case standin.Removes, standin.Leaves:
		return ours(line.Name) || slices.ContainsFunc(line.Ports, ours)
	case standin.Changes:
		var after netcfg.Spec
		return ours(line.Name) && line.Set(&after) == nil && after.Up != nil && !*after.Up
	}
	return false
}
