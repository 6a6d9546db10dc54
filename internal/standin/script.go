package standin

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/tunadm/tunadm/internal/words"
)

// Translate replaces the lines of a shell script that call an emulated tool with lines that call tunadm. An unsupported
// line of these tools is copied unchanged, after a comment with the reason. All other lines, the shell
// syntax around the commands, and here-documents are copied too.
//
// A line of ip link, ip addr, ip route, ifconfig or brctl about a device that the lines before it create becomes flags
// of tunadm add, unless there is another command in between.
func Translate(script string) string {
	var t translator
	for _, s := range Split(script) {
		switch {
		case s.broken:
			t.copy(comments("",
				[]string{"copied unchanged from here on: this here-document is not supported"}) + s.Text)
		case s.Document:
			t.copy(s.Text)
		default:
			t.line(s.Text)
		}
	}
	return t.text()
}

// A Section is a line of a script with those that continue it, or a line with its here-document.
type Section struct {
	Text     string
	Lines    int
	Document bool // with a here-document
	broken   bool // with a here-document that is not supported, and the rest of the script
}

// Split returns the sections of a script.
func Split(script string) (all []Section) {
	lines := strings.SplitAfter(script, "\n")
	for len(lines) > 0 {
		n := 1
		for n < len(lines) && continued(lines[n-1]) {
			n++
		}
		s := Section{Text: strings.Join(lines[:n], "")}
		opens := strings.ReplaceAll(s.Text, "<<<", "") // which is followed by the text itself
		if strings.Contains(opens, "<<") && !strings.Contains(opens, "((") {
			body, ok := document(s.Text, lines[n:])
			if s.Document, s.broken = true, !ok; s.broken {
				body = len(lines) - n
			}
			n += body
			s.Text = strings.Join(lines[:n], "")
		}
		s.Lines = n
		all = append(all, s)
		lines = lines[n:]
	}
	return all
}

// hereDocument matches the beginning of a here-document, up to the character after its delimiter.
var hereDocument = words.Pattern(`<<(-?)[ \t]*(?:'([A-Za-z0-9_]+)'|"([A-Za-z0-9_]+)"|([A-Za-z0-9_]+))(?:[\s;|&>]|$)`)

// document returns the number of lines of the here-document that a line begins, including its delimiter.
func document(line string, rest []string) (lines int, ok bool) {
	marks := hereDocument().FindAllStringSubmatch(line, -1)
	if len(marks) != 1 || strings.Count(line, "<<") != 1 {
		return 0, false
	}
	for i, text := range rest {
		if text = strings.TrimSuffix(text, "\n"); marks[0][1] != "" {
			text = strings.TrimLeft(text, "\t")
		}
		if text == marks[0][2]+marks[0][3]+marks[0][4] {
			return i + 1, true
		}
	}
	return 0, false
}

// continued reports whether a line ends with an unescaped backslash.
func continued(line string) bool {
	line = strings.TrimSuffix(line, "\n")
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

// LeftAlone begins the comment before a line that is copied unchanged.
const LeftAlone = commentMark + leftAlone

const (
	commentMark = "# tunadm: "
	leftAlone   = "copied unchanged: "
)

// oldWords match lines of the emulated tools in any form.
var oldWords = sync.OnceValue(func() *regexp.Regexp {
	var all []string
	for _, t := range tools() {
		if t.marks == nil {
			all = append(append(all, t.Name), t.aliases...)
		}
		all = append(all, t.marks...)
	}
	return regexp.MustCompile(`\b(` + strings.Join(all, "|") + `)\b`)
})

// comments returns a comment line for the first line of each text.
func comments(indent string, texts []string) (lines string) {
	for _, text := range texts {
		first, _, _ := strings.Cut(text, "\n")
		lines += indent + commentMark + first + "\n"
	}
	return lines
}

// A command is one command of a line.
type command struct {
	words  []string // without their quotes
	opaque []string // the expansions; each is one rune of the private use area in the words
	quoted []bool   // for each expansion: it is in double quotes
	then   string   // the operator before the next command
	odd    string   // of a lenient scanner: the first syntax that is not supported
	tail   string   // redirections, the operator before the next command, a comment
	source string   // the whole text
	read   bool     // another command or a file receives the output
	output string   // the file that receives it; "": none
}

// The runes for the expansions of a command.
const firstOpaque, lastOpaque = '\uE000', '\uF8FF'

func isOpaque(r rune) bool { return r >= firstOpaque && r <= lastOpaque }

// prefixes are the words that may precede a command, in a script and in an iface stanza of ifupdown.
var prefixes = []string{"sudo", "exec", "command", "if", "while", "until", "do", "then", "else", "!",
	"pre-up", "up", "post-up", "pre-down", "down", "post-down"}

// execution matches the beginning of a line in a unit of systemd, with the prefixes that change how the program runs.
// An @ replaces the name of the program, and is not one of them.
var execution = words.Pattern(`^Exec[A-Za-z]+=[-:+!|]*`)

// translate returns the command's own text and a refusal if it has no translation.
func (c command) translate() (Explanation, error) {
	if to, ok := c.substitution(); ok {
		return to, nil
	}
	n, unchanged := 0, Explanation{Line: c.source}
	for n < len(c.words)-1 && slices.Contains(prefixes, c.words[n]) {
		n++
	}
	words := slices.Clone(c.words[n:])
	unit := ""
	if n == 0 && len(words) > 0 {
		unit = execution().FindString(words[0])
		words[0] = words[0][len(unit):]
	}
	if len(words) == 0 || strings.ContainsAny(words[0], "=@") || Find(words[0]) == nil {
		return unchanged, &Refusal{foreign: true}
	}
	to, err := Explain(words, c.quote)
	if err == nil && c.read && !to.prints {
		err = refuse(0, "its output is used, and the output of tunadm differs")
	}
	if err != nil {
		return unchanged, err
	}
	to.prefix = strings.Join(append(slices.Clone(c.words[:n]), unit), " ")
	to.Line = to.prefix + to.Line + c.tail
	return to, nil
}

// captured matches a command that assigns the output of another one to a variable.
var captured = words.Pattern("^([A-Za-z_][A-Za-z0-9_]*=\"?)(\\$\\(|`)([^`()]*)(\\)|`)(\"?[ \t]*)$")

// substitution translates NAME=$(tunctl -b ...), because tunadm add prints the same name.
func (c command) substitution() (Explanation, bool) {
	text, whole := strings.CutSuffix(c.source, c.tail)
	parts := captured().FindStringSubmatch(text)
	if parts == nil || !whole || len(c.words) != 1 || strings.Contains(parts[3], `\`) {
		return Explanation{}, false
	}
	s := scanner{left: parts[3]}
	inner := s.command()
	inner.read = true
	to, err := inner.translate()
	if err != nil || s.err != "" || s.left != "" {
		return Explanation{}, false
	}
	to.Line = parts[1] + parts[2] + to.Line + parts[4] + parts[5] + c.tail
	return to, true
}

// quote returns a word quoted for a shell, with its expansions.
func (c command) quote(word string) string {
	var b strings.Builder
	plain := func(text string) {
		if text != "" {
			b.WriteString(words.Quote(text))
		}
	}
	if word == "" {
		return words.Quote(word)
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

// reveal puts the expansions back into an error that quotes words.
func (c command) reveal(text string) string {
	for i, opaque := range c.opaque {
		quoted := strings.Trim(strconv.QuoteToASCII(string(firstOpaque+rune(i))), `"`)
		text = strings.ReplaceAll(text, quoted, strings.Trim(opaque, `"`))
	}
	return text
}
