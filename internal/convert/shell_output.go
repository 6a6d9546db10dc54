package convert

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/standin"
	"github.com/tunadm/tunadm/internal/words"
)

// output returns the output of a command in a command substitution, if it is known.
func (s *shell) output(words []string) (text string, known bool) {
	switch {
	case slices.Contains([]string{"id -u", "id -g"}, strings.Join(words, " ")):
		return "0", true
	case slices.Contains([]string{"whoami", "id -un", "id -nu", "id -u -n", "id -gn", "id -ng"},
		strings.Join(words, " ")):
		return "root", !s.changesUser()
	case words[0] == "seq" && s.steps <= stepsMax:
		list, known := numbers(words[1:])
		s.steps += len(list) / 4
		return list, known
	case words[0] == "echo" && len(words) > 1 && words[1] != "-e":
		if words = words[1:]; words[0] == "-n" {
			words = words[1:]
		}
		return strings.Join(words, " "), true
	case len(words) == 2 && words[0] == "which", len(words) == 3 && words[0] == "command" && words[1] == "-v":
		name := words[len(words)-1]
		return name, slices.Contains(required, name)
	case words[0] == "printf" && len(words) > 1:
		return printed(words[1], words[2:])
	case words[0] == "expr" && len(words) > 1:
		return s.compute(strings.Join(words[1:], " "))
	}
	line, err := standin.ReadLine(words)
	if err == nil && line.Act == standin.Reads && s.shows(words) == no {
		return "", true
	}
	return "", false
}

// changesUser reports whether the script calls sudo: another user than root then runs it.
func (s *shell) changesUser() bool {
	return slices.ContainsFunc(s.tokens, func(t *token) bool {
		return slices.Contains(t.command.Words, "sudo") || slices.Contains(t.command.Words, "doas")
	})
}

var conversion = words.Pattern(`%(0?[0-9]?)([sdxX%])`)

// printed returns the output of printf(1) for the formats of strings and whole numbers.
func printed(format string, values []string) (text string, known bool) {
	known = !strings.ContainsRune(conversion().ReplaceAllString(format, ""), '%') &&
		!strings.ContainsRune(strings.TrimSuffix(format, `\n`), '\\')
	text = conversion().ReplaceAllStringFunc(strings.TrimSuffix(format, `\n`), func(one string) string {
		verb := one[len(one)-1]
		if verb == '%' {
			return "%"
		}
		value := ""
		if len(values) > 0 {
			value, values = values[0], values[1:]
		}
		if verb == 's' {
			return fmt.Sprintf(one, value)
		}
		n, err := strconv.ParseInt(value, 10, 32)
		known = known && err == nil && n >= 0 && (len(value) < 2 || value[0] != '0')
		return fmt.Sprintf(one, n)
	})
	return text, known && len(values) == 0
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
