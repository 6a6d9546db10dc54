package convert

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/standin"
	"github.com/tunadm/tunadm/internal/words"
)

// variableName matches the name of a variable. The shell refuses a loop with another one.
var variableName = words.Pattern(`^[A-Za-z_]\w*$`)

// valuesMax is the largest number of values of one loop.
const valuesMax = 1024

func itoa(n int) string { return strconv.Itoa(n) }

// loop runs a for command for each of its values.
func (s *shell) loop(t *token) {
	words := s.expand(t.command)
	values, known := []string(nil), len(words) > 2 && words[2] == "in" && variableName().MatchString(words[1])
	if known {
		for _, word := range words[3:] {
			more, ok := braces(word)
			values, known = append(values, more...), known && ok
		}
		known = known && standin.Known(values...)
	}
	if !known || len(values) > stepsMax {
		if len(words) > 1 {
			s.forget(words[1])
		}
		s.in(unsure, inLoop, func() { s.list("do"); s.body() })
		return
	}
	t.done = true
	s.steps += len(values)
	s.list("do")
	body := s.at
	if len(values) == 0 {
		s.in(dead, inBranch, func() { s.body() })
	}
	before, set := s.variables[words[1]]
	for _, value := range values {
		s.at = body
		if s.variables[words[1]] = value; s.body() {
			return
		}
	}
	switch {
	case s.mode == unsure:
		s.forget(words[1])
	case s.mode == dead && set:
		s.variables[words[1]] = before
	case s.mode == dead:
		delete(s.variables, words[1])
	}
}

// body runs the commands of a loop, and reports whether it ends the loop.
func (s *shell) body() bool {
	s.list("done")
	if s.broken != "" && s.levels > 1 { // it is about the loop around this one, too
		s.levels--
		return true
	}
	ends := s.broken == "break" || s.ended || s.returned
	s.broken = ""
	return ends
}

// repeat runs a while or until command, as long as its condition is known and its commands change a variable.
func (s *shell) repeat(t *token) {
	start := s.at
	for range valuesMax {
		s.at = start
		s.list("do")
		result := s.last
		if t.keyword == "until" {
			result = -result
		}
		if s.mode != certain || s.forever(start) {
			result = maybe
		}
		if result != yes {
			m := map[truth]mode{maybe: unsure, no: dead}[result]
			s.in(m, map[mode]string{unsure: inLoop, dead: inBranch}[m], func() { s.body() })
			return
		}
		before := maps.Clone(s.variables)
		if s.body() || maps.Equal(before, s.variables) || s.steps > stepsMax {
			return
		}
	}
}

const letters = "$abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"

// forever reports whether the condition at a token is always true.
func (s *shell) forever(at int) bool {
	if at+1 >= len(s.tokens) || s.tokens[at+1].keyword != "do" {
		return false
	}
	words := s.tokens[at].command.Words
	return len(words) == 1 && (words[0] == ":" || words[0] == "true")
}

var (
	countingLoop = words.Pattern(`^(\s*)for\s*\(\(` +
		`\s*([A-Za-z_]\w*)\s*=\s*(\d+|\$?[A-Za-z_]\w*)\s*;` +
		`\s*([A-Za-z_]\w*)\s*(<=?)\s*(\d+|\$?[A-Za-z_]\w*|\$[1-9])\s*;` +
		`\s*(?:([A-Za-z_]\w*)\+\+|\+\+([A-Za-z_]\w*))\s*\)\)`)
	otherLoop = words.Pattern(`^(\s*)for\s*\(\(.*?\)\)`)
	sequence  = words.Pattern(`^([^{}]*)\{(\d+)\.\.(\d+)\}([^{}]*)$`)
)

// counted replaces the head of a loop like for ((i=0; i<4; i++)) by a list of its values, or by seq(1) if one of its
// bounds is a variable.
func counted(line string) string {
	m := countingLoop().FindStringSubmatch(line)
	if m == nil {
		return otherLoop().ReplaceAllString(line, "${1}for _ in $$(unknown)")
	}
	first, err := strconv.ParseInt(m[3], 10, 32)
	last, err2 := strconv.ParseInt(m[6], 10, 32)
	if m[5] == "<" {
		last--
	}
	same := m[2] == m[4] && m[2] == m[7]+m[8]
	if (err != nil || err2 != nil) && same && strings.ContainsAny(m[3]+m[6], letters) {
		less := map[string]string{"<": "-1"}[m[5]]
		return fmt.Sprintf("%sfor %s in $(seq $((%s)) $((%s%s)))", m[1], m[2], m[3], m[6], less) + line[len(m[0]):]
	}
	if !same || err != nil || err2 != nil || last-first > valuesMax {
		return otherLoop().ReplaceAllString(line, "${1}for _ in $$(unknown)")
	}
	head := fmt.Sprintf("%sfor %s in", m[1], m[2])
	for n := first; n <= last; n++ {
		head += " " + strconv.FormatInt(n, 10)
	}
	return head + line[len(m[0]):]
}

// braces returns the words of a list with a sequence like tap{0..3}.
func braces(word string) (words []string, ok bool) {
	m := sequence().FindStringSubmatch(word)
	if m == nil {
		return []string{word}, !strings.ContainsAny(word, "{}*?[~$`()")
	}
	first, err := strconv.ParseInt(m[2], 10, 32)
	last, err2 := strconv.ParseInt(m[3], 10, 32)
	if err != nil || err2 != nil || last < first || last-first > valuesMax || len(m[2]) > 1 && m[2][0] == '0' {
		return nil, false
	}
	for n := first; n <= last; n++ {
		words = append(words, m[1]+strconv.FormatInt(n, 10)+m[4])
	}
	return words, true
}
