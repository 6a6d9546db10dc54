package convert

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/standin"
)

// A token is a keyword of the shell, or a command.
type token struct {
	first, last int    // lines
	keyword     string // "": a command
	name        string // of a function
	command     standin.Command
	done        bool // it is imported, or has a remark
}

// leave adds a remark that the command is not imported.
func (t *token) leave(s *Source, why string) {
	t.done = true
	s.leave(t.first, t.last, "%s", t.command.Reveal(why))
}

// keywords are the words of the shell that begin and end compound commands.
var keywords = []string{"if", "then", "elif", "else", "fi", "while", "until", "do", "done", "{", "}", "esac"}

// tokenize reads the commands of a script that begins at a line.
func (s *shell) tokenize(text string, first int) {
	sections := standin.Split(text)
	for i := 0; i < len(sections); i++ {
		section, last := sections[i], first+sections[i].Lines-1
		if section.Document {
			s.source.leave(first, last, "a here-document")
			first = last + 1
			continue
		}
		commands, err := standin.Commands(counted(section.Text))
		for n := i + 1; errors.Is(err, standin.ErrOpen) && n < len(sections) && n < i+openMax; n++ {
			section.Text += sections[n].Text
			section.Lines += sections[n].Lines
			if commands, err = standin.Commands(section.Text); err == nil {
				i, last = n, first+section.Lines-1
			}
		}
		if errors.Is(err, standin.ErrOpen) {
			s.source.leave(first, len(s.source.lines), "%v", err)
			return
		}
		if err != nil && !scriptEmpty(strings.TrimSpace(section.Text)) {
			s.source.leave(first, last, "%v", err)
		}
		for _, c := range commands {
			s.token(c, first, last)
		}
		first = last + 1
	}
}

// openMax is the largest number of lines in one quoted text.
const openMax = 50

// token adds the tokens of a command.
func (s *shell) token(c standin.Command, first, last int) {
	add := func(keyword, name string) {
		t := &token{first: first, last: last, keyword: keyword, name: name, done: true}
		if t.command = c; keyword != "" && len(c.Words) > 1 {
			t.command.Then = ""
		}
		t.done = keyword != "" && keyword != "for" && keyword != "case"
		s.tokens = append(s.tokens, t)
	}
	for len(c.Words) > 0 {
		word := c.Words[0]
		switch {
		case word == "for" || word == "case":
			add(word, "")
			return
		case word == "function" && len(c.Words) > 1:
			add("function", strings.TrimSuffix(c.Words[1], "()"))
			c.Words = c.Words[2:]
		case strings.HasSuffix(word, "()") && len(word) > 2:
			add("function", strings.TrimSuffix(word, "()"))
			c.Words = c.Words[1:]
		case len(c.Words) > 1 && c.Words[1] == "()":
			add("function", word)
			c.Words = c.Words[2:]
		case slices.Contains(keywords, word):
			add(word, "")
			c.Words = c.Words[1:]
		case strings.HasSuffix(word, ")") && !strings.Contains(word, "(") && len(s.tokens) > 0: // of a case
			c.Words = c.Words[1:]
		default:
			add("", "")
			return
		}
	}
}

// finish adds the remarks about commands that were not run, and about those without an effect on a TUN/TAP device that
// share a line with imported ones.
func (s *shell) finish() {
	imported := map[int]bool{} // lines
	for _, t := range s.tokens {
		if t.done && t.keyword == "" {
			imported[t.first] = true
		}
		if t.done && !s.source.read[t.first-1] {
			s.source.said(t.first, t.last)
		}
	}
	why := "the script does not run it at boot"
	if s.steps > stepsMax {
		why = tooLong
	}
	for _, t := range s.tokens {
		switch {
		case t.done || t.keyword != "":
		case s.relevant(t):
			t.leave(s.source, why)
		case imported[t.first]:
			what := strconv.Quote(oneLine(t.command.Text))
			s.source.without(t.first, t.last, what, "it is not about a TUN/TAP device")
		case s.source.read[t.first-1]:
			s.source.read[t.first-1] = false // only keywords of the line have been read
		}
	}
}

// oneLine returns a text without the ends of lines.
func oneLine(text string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(text, "\\\n", " ")), " ")
}

// relevant reports whether a command that was not run creates a TUN/TAP device, or configures one of the host's links.
func (s *shell) relevant(t *token) bool {
	words := prefixless(s.expand(t.command))
	line, err := standin.ReadLine(words)
	if err != nil {
		return true
	}
	return line.Act == standin.Creates || line.Act != standin.Unrelated && line.Act != standin.Reads &&
		(!standin.Known(line.Name) || s.host.spec(line.Name) != nil)
}

var (
	countingLoop = regexp.MustCompile(`^(\s*)for\s*\(\(\s*([A-Za-z_]\w*)\s*=\s*(\d+)\s*;` +
		`\s*([A-Za-z_]\w*)\s*(<=?)\s*(\d+)\s*;\s*(?:([A-Za-z_]\w*)\+\+|\+\+([A-Za-z_]\w*))\s*\)\)`)
	otherLoop = regexp.MustCompile(`^(\s*)for\s*\(\(.*?\)\)`)
	sequence  = regexp.MustCompile(`^([^{}]*)\{(\d+)\.\.(\d+)\}([^{}]*)$`)
)

// counted replaces the head of a loop like for ((i=0; i<4; i++)) by a list of its values.
func counted(line string) string {
	m := countingLoop.FindStringSubmatch(line)
	if m == nil {
		return otherLoop.ReplaceAllString(line, "${1}for _ in $$(unknown)")
	}
	first, err := strconv.ParseInt(m[3], 10, 32)
	last, err2 := strconv.ParseInt(m[6], 10, 32)
	if m[5] == "<" {
		last--
	}
	if m[2] != m[4] || m[2] != m[7]+m[8] || err != nil || err2 != nil || last-first > valuesMax {
		return otherLoop.ReplaceAllString(line, "${1}for _ in $$(unknown)")
	}
	head := fmt.Sprintf("%sfor %s in", m[1], m[2])
	for n := first; n <= last; n++ {
		head += " " + strconv.FormatInt(n, 10)
	}
	return head + line[len(m[0]):]
}

// braces returns the words of a list with a sequence like tap{0..3}.
func braces(word string) (words []string, ok bool) {
	m := sequence.FindStringSubmatch(word)
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
