package standin

import (
	"errors"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/netcfg"
)

// A translator translates a script line by line.
type translator struct {
	lines []translated
	open  []*addition // the additions to which the next line can add flags
}

// A translated line is printed when the whole script has been read.
type translated struct {
	text string    // with its comments
	add  *addition // the command in place of text
	end  string    // after the command
	head string    // before it
}

// An addition is a tunadm add, whose flags other commands extend.
type addition struct {
	command
	request Request
	prefix  string // the words before tunadm
}

// text returns the translation.
func (t *translator) text() string {
	var b strings.Builder
	for _, l := range t.lines {
		if b.WriteString(l.head + l.text); l.add != nil {
			b.WriteString(l.add.line())
		}
		b.WriteString(l.end)
	}
	return b.String()
}

// line returns the command of an addition.
func (a *addition) line() string {
	line, _ := a.request.explain(a.quote) // it had an explanation, and more flags do not change that
	return a.prefix + line + a.tail
}

// copy adds a text that remains as it is. It may do anything, so that no later line extends an earlier addition.
func (t *translator) copy(text string) {
	t.lines = append(t.lines, translated{text: text})
	t.open = nil
}

// line translates the commands of one line.
func (t *translator) line(line string) {
	text := strings.Trim(line, blanks)
	if text == "" || text[0] == '#' {
		t.lines = append(t.lines, translated{text: line})
		return
	}
	indent := line[:strings.Index(line, text)]
	var pieces []piece
	notes, done := []string(nil), false
	s := scanner{left: text}
	for s.left != "" && s.err == "" {
		c := s.command()
		if n := len(pieces); n > 0 && pieces[n-1].add.takes(c) {
			pieces[n-1].add.tail = c.tail
			continue
		}
		if len(pieces) == 0 && s.left == "" && s.err == "" && c.tail == "" && t.takes(c) {
			return
		}
		to, err := c.translate()
		done = done || err == nil
		if r := new(Refusal); errors.As(err, &r) && !r.foreign {
			to.Notes = []string{leftAlone + c.reveal(err.Error())}
		}
		pieces = append(pieces, newPiece(c, to))
		notes = append(notes, to.Notes...)
	}
	switch {
	case s.err != "" && oldWords().MatchString(text):
		notes = []string{leftAlone + s.err}
	case s.err != "":
	case done:
		t.add(comments(indent, notes)+indent, pieces, line[len(indent)+len(text):])
		return
	case len(notes) > 0:
	case oldWords().MatchString(text):
		notes = []string{leftAlone + "a line of " + Lines() + " in a form that is not supported"}
	}
	t.copy(comments(indent, notes) + line)
}

// add adds a line with translated commands.
func (t *translator) add(head string, pieces []piece, end string) {
	if len(pieces) == 1 && pieces[0].add != nil {
		add := pieces[0].add
		t.lines = append(t.lines, translated{head: head, add: add, end: end})
		if add.tail == "" {
			t.open = append(t.open, add)
		} else {
			t.open = nil
		}
		return
	}
	text := ""
	for _, p := range pieces {
		if p.add != nil {
			p.text = p.add.line()
		}
		text += p.text
	}
	t.copy(head + text + end)
}

// A piece is one command of a line.
type piece struct {
	text string
	add  *addition // nil: another command
}

func newPiece(c command, to Explanation) piece {
	p := piece{text: to.Line}
	if r := to.request; r != nil && r.Ask == Add && r.Netns == "" && to.prefix+strings.TrimSpace(to.Line) != "" &&
		strings.HasPrefix(to.Line, to.prefix+"tunadm add") {
		p.add = &addition{command: c, request: *r, prefix: to.prefix}
	}
	return p
}

// takes reports whether one of the open additions takes a command as flags.
func (t *translator) takes(c command) bool {
	return slices.ContainsFunc(t.open, func(a *addition) bool { return a.tail == "" && a.extend(c) })
}

// takes reports whether an addition takes the next command of its line as flags.
func (a *addition) takes(c command) bool {
	joined := a != nil && (a.then == "&&" || a.then == ";") && strings.TrimSpace(a.tail) == a.then
	if joined && a.extend(c) {
		a.then = c.then
		return true
	}
	return false
}

// extend adds the flags for a command to an addition, if the command only configures this device.
func (a *addition) extend(c command) bool {
	words, opaque := c.inTermsOf(a.opaque)
	runs := strings.Fields(a.prefix)
	if slices.ContainsFunc(runs, func(word string) bool {
		return slices.Contains([]string{"if", "while", "until", "!", "exec"}, word)
	}) || strings.HasPrefix(a.prefix, "Exec") && len(words) > 0 && !strings.HasPrefix(words[0], a.prefix) {
		return false
	}
	if unit := execution().FindString(a.prefix); unit != "" {
		words[0] = words[0][len(unit):]
		runs = nil
	}
	for _, word := range runs {
		switch {
		case word == "do" || word == "then" || word == "else":
		case len(words) > 0 && words[0] == word:
			words = words[1:]
		default:
			return false
		}
	}
	l, err := ReadLine(words)
	if err != nil || len(l.Without)+len(l.Options) > 0 {
		return false
	}
	set := l.Set
	switch {
	case l.Act == Joins && len(l.Ports) == 1 && l.Ports[0] == a.request.Spec.Name:
		set = func(s *netcfg.Spec) error { s.Master = &netcfg.Master{Name: l.Name}; return nil }
	case l.Act != Changes || l.Name != a.request.Spec.Name || l.Name == "":
		return false
	}
	spec := a.request.Spec
	if set(&spec) != nil || spec.Check() != nil || len(spec.Impossible()) > 0 || spec.Up != nil && !*spec.Up {
		return false
	}
	a.request.Spec, a.opaque = spec, opaque
	return true
}

// inTermsOf returns the words with the runes of other expansions: the same text is the same rune, and new texts follow.
func (c command) inTermsOf(opaque []string) (words, all []string) {
	all = slices.Clone(opaque)
	for _, word := range c.words {
		words = append(words, strings.Map(func(r rune) rune {
			n := int(r - firstOpaque)
			if n < 0 || n >= len(c.opaque) {
				return r
			}
			at := slices.Index(all, c.opaque[n])
			if at < 0 {
				at = len(all)
				all = append(all, c.opaque[n])
			}
			return firstOpaque + rune(at)
		}, word))
	}
	return words, all
}
