package standin

import (
	"errors"
	"strings"
)

// A Command is one command of a line of a shell script. An expansion of the shell is one rune in its words.
type Command struct {
	Words []string
	Then  string // the operator after it: "&&", "||", "|", "&" or ";"; "": none
	Odd   string // the first syntax in its words that is not supported; "": the shell passes on these words
	Text  string // as it is written, without the operator after it
	Used  bool   // a file or another command receives its output

	Output string // the file that receives its output; "": none

	inner command
}

// ErrOpen is the error of a line with a quote that another line closes.
var ErrOpen = errors.New(unclosed)

// Commands returns the commands of a line of a script.
func Commands(line string) (all []Command, err error) {
	for line = strings.Trim(line, blanks); line != ""; {
		var c Command
		if c, line, err = Next(line); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// Next returns the first command of a line of a script, and the rest of the line. The words "case WORD in" are one.
func Next(line string) (c Command, rest string, err error) {
	s := scanner{left: strings.Trim(line, blanks), lenient: true}
	inner := s.command()
	if s.err == unclosed {
		return Command{}, "", ErrOpen
	} else if s.err != "" {
		return Command{}, "", errors.New(s.err)
	}
	text := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(inner.source), inner.then))
	c = Command{Words: inner.words, Then: inner.then, Odd: inner.odd, Text: text, Used: inner.read,
		Output: inner.output, inner: inner}
	if strings.HasPrefix(c.Then, "#") {
		c.Then = ""
	}
	return c, s.left, nil
}

// Expand returns the words of a command with the expansions whose values are known. An expansion outside quotes is
// split at blanks.
func (c Command) Expand(words []string, value func(text string) (string, bool)) (all []string) {
	for _, word := range words {
		all = append(all, c.expand(word, value)...)
	}
	return all
}

func (c Command) expand(word string, value func(text string) (string, bool)) []string {
	fields, opened := []string{""}, word == ""
	add := func(text string) { fields[len(fields)-1] += text }
	for _, r := range word {
		n := int(r - firstOpaque)
		if n < 0 || n >= len(c.inner.opaque) {
			add(string(r))
			opened = true
			continue
		}
		written := strings.Trim(c.inner.opaque[n], `"`)
		text, known := value(written)
		switch {
		case !known:
			add(string(r))
			opened = true
		case c.inner.quoted[n] && !strings.HasSuffix(written, "[@]}"):
			add(text)
			opened = true
		default:
			parts := strings.Fields(text)
			for i, part := range parts {
				if i > 0 || strings.ContainsAny(text[:1], blanks) && fields[len(fields)-1] != "" {
					fields = append(fields, "")
				}
				add(part)
				opened = true
			}
		}
	}
	if !opened {
		return nil
	}
	return fields
}

// Known reports whether no word has an expansion whose value is not known.
func Known(words ...string) bool {
	for _, word := range words {
		if strings.ContainsFunc(word, isOpaque) {
			return false
		}
	}
	return true
}

// Written returns a word with the expansions as they are written.
func (c Command) Written(word string) string {
	var b strings.Builder
	for _, r := range word {
		if n := int(r - firstOpaque); n >= 0 && n < len(c.inner.opaque) {
			b.WriteString(strings.Trim(c.inner.opaque[n], `"`))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Reveal returns a text about the words with the expansions as they are written.
func (c Command) Reveal(text string) string { return c.inner.reveal(text) }
