package convert

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/standin"
	"github.com/tunadm/tunadm/internal/words"
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
		m := map[truth]mode{no: certain, maybe: unsure, yes: dead}[taken]
		s.in(m, map[mode]string{unsure: inCondition, dead: inBranch}[m], func() { s.list("then") })
		result := s.last
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

// choose runs a case command.
func (s *shell) choose(t *token) {
	value, known := "", true
	if words := s.expand(t.command); len(words) > 2 {
		value, known = words[1], standin.Known(words[1])
	}
	t.done = true
	taken, next := no, ""
	for s.at < len(s.tokens) && next != "esac" {
		pattern := s.tokens[s.at]
		if s.at++; pattern.keyword != "pattern" {
			next = pattern.keyword
			continue
		}
		result := maybe
		if known {
			result = s.fits(pattern.name, value)
		}
		switch taken {
		case yes:
			result = no
		case maybe:
			result = min(result, maybe)
		}
		taken = max(taken, result)
		m := map[truth]mode{yes: certain, maybe: unsure, no: dead}[result]
		why := map[mode]string{unsure: "it runs only in one case of several", dead: inBranch}[m]
		s.in(m, why, func() { next = s.list(";;", "esac") })
	}
}

// fits reports whether a value fits one of the patterns of a case, which are separated by bars.
func (s *shell) fits(patterns, value string) truth {
	result := no
	for _, pattern := range strings.Split(patterns, "|") {
		pattern = strings.TrimSpace(pattern)
		if strings.ContainsAny(pattern, "$`") {
			result = max(result, maybe)
			continue
		}
		literal := strings.NewReplacer(`"`, "", "'", "")
		slash := strings.NewReplacer("/", "\x01") // which an asterisk matches, too
		ok, err := path.Match(slash.Replace(literal.Replace(pattern)), slash.Replace(value))
		if err != nil {
			result = max(result, maybe)
		}
		if ok {
			return yes
		}
	}
	return result
}

// subshell runs the commands in parentheses, whose variables are their own.
func (s *shell) subshell() {
	variables, unknown, lists := maps.Clone(s.variables), maps.Clone(s.unknown), maps.Clone(s.lists)
	ended, returned := s.ended, s.returned
	s.list(")")
	s.variables, s.unknown, s.lists = variables, unknown, lists
	s.ended, s.returned = ended, returned
}

// firstArgument matches a use of the first argument.
var firstArgument = words.Pattern(`\$(1\b|\{1\})`)

// argument sets the first argument of a script that has a case or a test for it: an init script runs with start.
func (s *shell) argument() {
	var use *token
	decides := false
	words := map[string]bool{}
	for _, t := range s.tokens {
		test := len(t.command.Words) > 3 && slices.Contains([]string{"[", "[[", "test"}, t.command.Words[0])
		if firstArgument().MatchString(t.command.Text) && (use == nil || !decides && (test || t.keyword == "case")) {
			use, decides = t, test || t.keyword == "case"
		}
		if t.keyword == "pattern" {
			for _, one := range strings.Split(t.name, "|") {
				words[strings.Trim(one, ` "'`)] = true
			}
		} else if test {
			for _, one := range t.command.Words {
				words[one] = true
			}
		}
	}
	for _, value := range []string{"start", "up"} {
		if use != nil && words[value] {
			s.variables["1"], s.variables["#"] = value, "1"
			s.source.note(use.first, use.last, "read with the argument "+value)
			return
		}
	}
}

// define stores a function, and skips its body.
func (s *shell) define(t *token) {
	t.done = true
	if s.at < len(s.tokens) && s.tokens[s.at].keyword == "{" {
		s.at++
	}
	s.functions[t.name] = s.at
	s.skip("}")
}

// call runs a function.
func (s *shell) call(name string, arguments []string) {
	if s.calls > 20 {
		return
	}
	back := s.at
	places := strings.Split("123456789#", "")
	before, unknown := map[string]string{}, map[string]bool{}
	for _, n := range places {
		if value, set := s.variables[n]; set {
			before[n] = value
		}
		unknown[n] = s.unknown[n]
		s.forget(n)
	}
	within := s.mode
	s.mode = certain
	s.arguments(arguments)
	s.mode = within
	for i, a := range arguments {
		if i < 9 && standin.Known(a) {
			s.give(places[i], a)
		}
	}
	s.calls++
	s.locals = append(s.locals, map[string]*string{})
	s.at = s.functions[name]
	s.list("}")
	s.calls--
	for name, value := range s.locals[len(s.locals)-1] {
		if value != nil {
			s.give(name, *value)
		} else {
			s.forget(name)
		}
	}
	s.locals = s.locals[:len(s.locals)-1]
	s.returned = false
	s.at = back
	for _, n := range places {
		delete(s.variables, n)
		if value, set := before[n]; set {
			s.variables[n] = value
		}
		s.unknown[n] = unknown[n]
	}
}

// local keeps the value of a variable of the caller.
func (s *shell) local(name string) {
	own := s.locals[len(s.locals)-1]
	if _, kept := own[name]; kept {
		return
	}
	own[name] = nil
	if value, set := s.variables[name]; set {
		own[name] = &value
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
