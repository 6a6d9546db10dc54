package fix

import (
	"strings"
	"unicode/utf8"

	"github.com/tunadm/tunadm/internal/words"
)

// A token is a part of a fix that stays on one line.
type token struct {
	text string
	runs bool // it continues a command
	note bool // it continues a comment
}

// Lines returns the fix broken into lines of at most width characters, or longer ones if a word requires it. A command
// that continues on the next line ends in a backslash, as a shell requires.
func (f Fix) Lines(width int) (lines []string) {
	const continued = ` \`
	all := f.tokens()
	line := ""
	for i, t := range all {
		room := width - utf8.RuneCountInString(line) - 1
		if i+1 < len(all) && all[i+1].runs {
			room -= len(continued)
		}
		switch {
		case line == "":
			line = t.text
		case utf8.RuneCountInString(t.text) <= room:
			line += " " + t.text
		default:
			if t.runs {
				line += continued
			}
			lines, line = append(lines, line), t.text
			if t.note {
				line = "# " + line
			}
		}
	}
	return append(lines, line)
}

// tokens returns the words of String.
func (f Fix) tokens() (all []token) {
	prose := func(text string) {
		note, sign := false, ""
		for word := range strings.FieldsSeq(text) {
			if word == "#" && len(f.Commands) > 0 {
				sign = "# " // on the line of the next word
				continue
			}
			all = append(all, token{text: sign + word, note: note})
			note, sign = note || sign != "", ""
		}
	}
	before, after := f.Before, f.After
	if f.askRoot && before == "" {
		before = askRoot
	}
	prose(before)
	for i, c := range f.Commands {
		if i > 0 {
			all = append(all, token{text: "&&", runs: true})
		}
		for j, word := range c.Words {
			all = append(all, token{text: words.Quote(word), runs: i+j > 0})
		}
		if c.Output != "" {
			all = append(all, token{text: ">" + words.Quote(c.Output), runs: true})
		}
	}
	if first, rest, _ := strings.Cut(after, " "); first != "" && len(all) > 0 {
		all[len(all)-1].text += first
		after = rest
	}
	prose(after)
	return all
}
