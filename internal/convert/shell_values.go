package convert

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/standin"
	"github.com/tunadm/tunadm/internal/words"
)

var (
	assignment = words.Pattern(`(?s)^([A-Za-z_][A-Za-z0-9_]*)(\+?)=(.*)$`)
	variable   = words.Pattern(`^\$(?:([A-Za-z_][A-Za-z0-9_]*|[0-9#?])|\{([A-Za-z_][A-Za-z0-9_]*|[0-9#?])\})$`)
	defaulted  = words.Pattern(`(?s)^\$\{([A-Za-z_][A-Za-z0-9_]*|[1-9])(:?)([-=])(.*)\}$`)
	element    = words.Pattern(`^\$\{(#?)([A-Za-z_][A-Za-z0-9_]*)\[(@|\*|[0-9]+)\]\}$`)
	arithmetic = words.Pattern(`^\$\(\(((?:\s*\$?[\w#]+\s*[-+*])*\s*\$?[\w#]+\s*)\)\)$`)
	captured   = words.Pattern("(?s)^(?:\\$\\(([^(].*)\\)|`([^`]*)`)$")
)

// expand returns the words of a command with the values that are known.
func (s *shell) expand(c standin.Command) []string { return c.Expand(c.Words, s.value) }

// give sets a variable to a known value.
func (s *shell) give(name, value string) {
	delete(s.unknown, name)
	delete(s.lists, name)
	s.variables[name] = value
}

// forget notes that a variable has a value that is not known.
func (s *shell) forget(name string) {
	delete(s.variables, name)
	delete(s.lists, name)
	s.unknown[name] = true
}

// value returns the value of an expansion, if it is known.
func (s *shell) value(text string) (value string, known bool) {
	if m := variable().FindStringSubmatch(text); m != nil {
		if name := m[1] + m[2]; name != "?" {
			value, known = s.variables[name]
			return value, known && !s.splits()
		}
		return map[truth]string{yes: "0", no: "1"}[s.last], s.last != maybe
	}
	if m := defaulted().FindStringSubmatch(text); m != nil {
		return s.orDefault(m[1], m[2] == ":", m[3] == "=", m[4])
	}
	if m := element().FindStringSubmatch(text); m != nil {
		list, known := s.lists[m[2]]
		n, err := strconv.Atoi(m[3])
		switch {
		case m[1] == "#" && err != nil:
			return itoa(len(list)), known
		case m[1] == "#" || !known || err == nil && n >= len(list):
			return "", false
		case err == nil:
			return list[n], true
		}
		return strings.Join(list, "\n"), true
	}
	if m := arithmetic().FindStringSubmatch(text); m != nil {
		return s.compute(m[1])
	}
	m := captured().FindStringSubmatch(text)
	if m == nil {
		return "", false
	}
	commands, err := standin.Commands(m[1] + m[2])
	if err != nil || len(commands) != 1 || commands[0].Odd != "" {
		return "", false
	}
	words := s.expand(commands[0])
	if !standin.Known(words...) || len(words) == 0 {
		return "", false
	}
	return s.output(prefixless(words))
}

// splits reports whether the script changes how the shell splits words.
func (s *shell) splits() bool {
	_, set := s.variables["IFS"]
	return set || s.unknown["IFS"]
}

// orDefault returns the value of a variable, or another one if the script does not set it. The environment is taken to
// have no variable that the script does not set.
func (s *shell) orDefault(name string, orEmpty, assign bool, text string) (string, bool) {
	if s.unknown[name] {
		return "", false
	}
	if value, set := s.variables[name]; set && (value != "" || !orEmpty) {
		return value, true
	}
	unquoted := strings.Trim(text, `"'`)
	commands, err := standin.Commands(`: "` + unquoted + `"`)
	if err != nil || len(commands) != 1 || commands[0].Odd != "" || strings.ContainsAny(unquoted, `"'`) {
		return "", false
	}
	words := commands[0].Expand(commands[0].Words[1:], s.value)
	if len(words) != 1 || !standin.Known(words...) {
		return "", false
	}
	if _, set := s.variables[name]; !set && !slices.Contains(s.defaults, name) {
		s.defaults = append(s.defaults, name)
	}
	if assign && s.mode == certain {
		s.give(name, words[0])
	}
	return words[0], true
}

// compute returns the value of an arithmetic expression of sums, differences and products.
func (s *shell) compute(expression string) (string, bool) {
	sum, known := int64(0), true
	for _, term := range strings.Split(strings.ReplaceAll(expression, "-", "+-"), "+") {
		product := int64(1)
		rest, negative := strings.CutPrefix(term, "-")
		for _, factor := range strings.Split(rest, "*") {
			n, ok := s.integer(strings.TrimSpace(factor))
			product, known = product*n, known && ok
		}
		if negative {
			product = -product
		}
		sum += product
	}
	return strconv.FormatInt(sum, 10), known
}

// integer returns the value of a number of 32 bits or of a variable.
func (s *shell) integer(text string) (int64, bool) {
	name, dollar := strings.CutPrefix(text, "$")
	if value, set := s.variables[name]; set && (dollar || name != "" && strings.Contains(letters, name[:1])) {
		text = value
	}
	n, err := strconv.ParseInt(text, 10, 32)
	return n, err == nil && (len(text) < 2 || text[0] != '0')
}

var declaring = []string{"export", "local", "readonly", "declare", "typeset"}

// assign sets the variables at the beginning of a command, and returns the words after them. The values of variables
// that one command alone gets, as in A=b command, are ignored.
func (s *shell) assign(t *token, words []string) (rest []string, assigned bool) {
	if len(words) == 0 {
		return nil, false
	}
	keyword := slices.Contains(declaring, words[0])
	if keyword {
		words0 := words[0]
		words, t.done = words[1:], true
		local := words0 != "export" && words0 != "readonly" && len(s.locals) > 0
		for len(words) > 0 && strings.HasPrefix(words[0], "-") {
			local = local && !strings.Contains(words[0], "g")
			words = words[1:]
		}
		for _, word := range words {
			if name, _, _ := strings.Cut(word, "="); local {
				s.local(name)
			}
		}
	}
	if len(words) > 0 && beginsArray().MatchString(words[0]) {
		s.array(t, words)
		return nil, true
	}
	n := 0
	for n < len(words) && assignment().MatchString(words[n]) {
		n++
	}
	switch {
	case n == 0 && !keyword:
		return words, false
	case n == len(words):
		for _, word := range words {
			m := assignment().FindStringSubmatch(word)
			s.set(t, m[1], m[3], m[2] != "")
		}
		return nil, true
	case keyword: // export NAME
		return nil, true
	}
	return words[n:], true
}

// array sets an array. Items with blanks are not known, because an expansion separates them.
func (s *shell) array(t *token, words []string) {
	name, rest, _ := strings.Cut(strings.Join(words, "\n"), "=")
	name, adds := strings.CutSuffix(name, "+")
	list := strings.Fields(strings.TrimSuffix(strings.TrimPrefix(rest, "("), ")"))
	known, all := s.mode == certain, []string(nil)
	if adds {
		known, all = known && s.lists[name] != nil, s.lists[name]
	}
	for _, item := range list {
		more, ok := braces(item)
		known, all = known && ok && !strings.Contains(item, "]="), append(all, more...)
	}
	if s.mode == dead {
		return
	}
	s.forget(name)
	if t.done = t.done || s.mode == certain; known && standin.Known(all...) {
		delete(s.unknown, name)
		s.lists[name] = all
	}
}

// set sets a variable, also to the name of a device that tunctl -b prints. If it is unknown whether the command runs,
// so is the value.
func (s *shell) set(t *token, name, value string, adds bool) {
	if s.mode == dead {
		return
	}
	before, known := s.variables[name]
	if adds {
		known = known && standin.Known(value)
		value = before + value
	} else {
		known = standin.Known(value)
	}
	if s.forget(name); s.mode == certain && t.command.Odd == "" && known {
		s.give(name, value)
		t.done = true
		return
	}
	_, written, _ := strings.Cut(t.command.Text, name+"=")
	m := captured().FindStringSubmatch(strings.Trim(written, `"`))
	if m == nil {
		t.done = t.done || s.mode == certain
		return
	}
	commands, err := standin.Commands(m[1] + m[2])
	if err != nil || len(commands) != 1 {
		return
	}
	words := prefixless(s.expand(commands[0]))
	line, err := standin.ReadLine(words)
	if err != nil || line.Act != standin.Creates || s.mode != certain {
		if err != nil || line.Act == standin.Creates {
			t.leave(s.source, "the name of the device is known only when the script runs")
		}
		return
	}
	devices := len(s.host.devices)
	inner := &token{first: t.first, last: t.last, command: commands[0]}
	if err := s.apply(inner, line, words); err != nil {
		t.leave(s.source, firstLine(err))
	} else if t.done = true; len(s.host.devices) > devices {
		s.give(name, s.host.devices[devices].Name)
	}
}
