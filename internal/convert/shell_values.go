package convert

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/standin"
)

var (
	assignment = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)=(.*)$`)
	variable   = regexp.MustCompile(`^\$(?:([A-Za-z_][A-Za-z0-9_]*|[0-9])|\{([A-Za-z_][A-Za-z0-9_]*|[0-9])\})$`)
	arithmetic = regexp.MustCompile(`^\$\(\(((?:\s*\$?\w+\s*[-+*])*\s*\$?\w+\s*)\)\)$`)
	captured   = regexp.MustCompile("^(?:\\$\\(([^(].*)\\)|`([^`]*)`)$")
)

// expand returns the words of a command with the values that are known.
func (s *shell) expand(c standin.Command) []string { return c.Expand(c.Words, s.value) }

// value returns the value of an expansion, if it is known.
func (s *shell) value(text string) (value string, known bool) {
	if m := variable.FindStringSubmatch(text); m != nil {
		value, known = s.variables[m[1]+m[2]]
		return value, known
	}
	if m := arithmetic.FindStringSubmatch(text); m != nil {
		return s.compute(strings.ReplaceAll(m[1], "$", ""))
	}
	m := captured.FindStringSubmatch(text)
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
	switch {
	case strings.Join(words, " ") == "id -u":
		return "0", true
	case words[0] == "seq" && s.steps <= stepsMax:
		list, known := numbers(words[1:])
		s.steps += len(list) / 4
		return list, known
	}
	return "", false
}

// numbers returns the output of seq(1) for one to three whole numbers.
func numbers(words []string) (list string, known bool) {
	bounds := []int64{1, 1, 1}
	for i, word := range words {
		n, err := strconv.ParseInt(word, 10, 32)
		if err != nil || i > 2 {
			return "", false
		}
		bounds[i] = n
	}
	first, step, last := int64(1), int64(1), bounds[0]
	switch len(words) {
	case 1:
	case 2:
		first, last = bounds[0], bounds[1]
	case 3:
		first, step, last = bounds[0], bounds[1], bounds[2]
	default:
		return "", false
	}
	if step < 1 || (last-first)/step > valuesMax {
		return "", false
	}
	var all []string
	for n := first; n <= last; n += step {
		all = append(all, strconv.FormatInt(n, 10))
	}
	return strings.Join(all, "\n"), true
}

// valuesMax is the largest number of values of one loop.
const valuesMax = 1024

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
	if value, set := s.variables[text]; set {
		text = value
	}
	n, err := strconv.ParseInt(text, 10, 32)
	return n, err == nil && (len(text) < 2 || text[0] != '0')
}

// assign sets the variables at the beginning of a command, and returns the words after them. The values of variables
// that one command alone gets, as in A=b command, are ignored.
func (s *shell) assign(t *token, words []string) (rest []string, assigned bool) {
	if len(words) == 0 {
		return nil, false
	}
	keyword := slices.Contains([]string{"export", "local", "readonly", "declare"}, words[0])
	if keyword {
		words, t.done = words[1:], true
	}
	n := 0
	for n < len(words) && assignment.MatchString(words[n]) {
		n++
	}
	switch {
	case n == 0 && !keyword:
		return words, false
	case n == len(words):
		for _, word := range words {
			m := assignment.FindStringSubmatch(word)
			s.set(t, m[1], m[2])
		}
		return nil, true
	case keyword: // export NAME
		return nil, true
	}
	return words[n:], true
}

// set sets a variable, also to the name of a device that tunctl -b prints. If it is unknown whether the command runs,
// so is the value.
func (s *shell) set(t *token, name, value string) {
	if s.mode == dead {
		return
	}
	delete(s.variables, name)
	if s.mode == certain && t.command.Odd == "" && standin.Known(value) {
		s.variables[name] = value
		t.done = true
		return
	}
	m := captured.FindStringSubmatch(strings.Trim(strings.TrimPrefix(t.command.Text, name+"="), `"`))
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
	before := len(s.host.devices)
	inner := &token{first: t.first, last: t.last, command: commands[0]}
	if err := s.apply(inner, line, words); err != nil {
		t.leave(s.source, firstLine(err))
	} else if t.done = true; len(s.host.devices) > before {
		s.variables[name] = s.host.devices[before].Name
	}
}
