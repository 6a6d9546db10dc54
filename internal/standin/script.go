package standin

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/netcfg"
)

// Translate turns the lines of a shell script into ones that call tunadm. A line that is not understood stays as it is, under a
// comment that says why; so do the constructs of a shell around the commands of a line.
func Translate(script string) string {
	var b strings.Builder
	lines := strings.SplitAfter(script, "\n")
	for len(lines) > 0 {
		if n := document(lines); n > 0 {
			b.WriteString(strings.Join(lines[:n], ""))
			lines = lines[n:]
			continue
		}
		n := 1
		for n < len(lines) && continued(lines[n-1]) {
			n++
		}
		b.WriteString(translateLine(strings.Join(lines[:n], "")))
		lines = lines[n:]
	}
	return b.String()
}

var hereDocument = lazily(`<<-?[ \t]*["'\\]?([A-Za-z0-9_]+)`)

// document is the number of lines that begin with one of a here-document, up to its end; 0: none begins there.
func document(lines []string) int {
	mark := hereDocument().FindStringSubmatch(lines[0])
	if mark == nil {
		return 0
	}
	for i, line := range lines[1:] {
		if strings.Trim(line, blanks) == mark[1] {
			return i + 2
		}
	}
	return 0
}

// continued says that a line ends with a backslash of its own.
func continued(line string) bool {
	line = strings.TrimSuffix(line, "\n")
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

func translateLine(line string) string {
	text := strings.Trim(line, blanks)
	if text == "" || text[0] == '#' {
		return line
	}
	indent := line[:strings.Index(line, text)]
	translated, notes, any := "", []string(nil), false
	s := scanner{left: text}
	for s.left != "" && s.err == "" {
		c := s.command()
		to, err := c.translate()
		any = any || err == nil
		if r := new(Refusal); errors.As(err, &r) && !r.foreign {
			to.Notes = []string{"left as it is: " + c.reveal(err.Error())}
		}
		translated += to.Line
		notes = append(notes, to.Notes...)
	}
	switch {
	case s.err != "":
		notes = []string{"left as it is: " + s.err}
	case any:
		return comments(indent, notes) + indent + translated + line[len(indent)+len(text):]
	case len(notes) == 0:
		notes = []string{"left as it is: no line of tunctl, openvpn --mktun or ip tuntap"}
	}
	return comments(indent, notes) + line
}

func comments(indent string, texts []string) (lines string) {
	for _, text := range texts {
		first, _, _ := strings.Cut(text, "\n")
		lines += indent + "# tunadm: " + first + "\n"
	}
	return lines
}

// A command is one of a line: its words, as they are after quoting, and the text that it was read from.
type command struct {
	words  []string
	opaque []string // what a shell would put values for; it stands in the words as one rune of the private use area
	tail   string   // redirections, the operator to the next command, a comment
	source string   // all of it
	piped  bool     // another command reads what it prints
}

// firstOpaque stands for the first of a command's opaque texts.
const firstOpaque = '\uE000'

// before are the words that may stand before a command.
var before = []string{"sudo", "exec", "command", "if", "while", "until", "do", "then", "else", "!"}

// translate gives back the command's own text when it cannot.
func (c command) translate() (Explanation, error) {
	n := 0
	for n < len(c.words)-1 && slices.Contains(before, c.words[n]) {
		n++
	}
	words, same := c.words[n:], Explanation{Line: c.source}
	if to, ok := c.substitution(); ok {
		return to, nil
	}
	if len(words) == 0 || Find(words[0]) == nil {
		return same, &Refusal{foreign: true}
	}
	to, err := Explain(words, c.quote)
	if err == nil && c.piped && !to.same {
		err = refuse(0, "what it prints is read, and tunadm prints other words")
	}
	if err != nil {
		return same, err
	}
	to.Line = strings.Join(append(slices.Clone(c.words[:n]), to.Line), " ") + c.tail
	return to, nil
}

// substitution translates NAME=$(tunctl -b ...): tunadm add prints the same.
func (c command) substitution() (Explanation, bool) {
	name, value, _ := strings.Cut(strings.Join(c.words, " "), "=")
	if value != string(firstOpaque) {
		return Explanation{}, false
	}
	inner := strings.Trim(c.opaque[0], "\"$()`")
	s := scanner{left: inner}
	one := s.command()
	one.piped = true
	to, err := one.translate()
	if err != nil || s.err != "" || s.left != "" {
		return Explanation{}, false
	}
	to.Line = name + "=" + strings.Replace(c.opaque[0], inner, to.Line, 1) + c.tail
	return to, true
}

// quote is a word for a shell again, with the opaque texts in their places.
func (c command) quote(word string) string {
	var b strings.Builder
	plain := func(text string) {
		if text != "" {
			b.WriteString(netcfg.Word(text))
		}
	}
	if word == "" {
		return netcfg.Word(word)
	}
	start := 0
	for i, r := range word {
		if n := int(r - firstOpaque); n >= 0 && n < len(c.opaque) {
			plain(word[start:i])
			b.WriteString(c.opaque[n])
			start = i + len(string(r))
		}
	}
	plain(word[start:])
	return b.String()
}

// reveal puts the opaque texts into an error that quotes words.
func (c command) reveal(text string) string {
	for i, opaque := range c.opaque {
		text = strings.ReplaceAll(text, strings.Trim(strconv.QuoteToASCII(string(firstOpaque+rune(i))), `"`), opaque)
	}
	return text
}
