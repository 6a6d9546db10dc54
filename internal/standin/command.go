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

	inner command
}

// ErrOpen is the error of a line with a quote that another line closes.
var ErrOpen = errors.New(unclosed)

// Commands returns the commands of a line of a script.
func Commands(line string) (all []Command, err error) {
	s := scanner{left: strings.Trim(line, blanks), lenient: true}
	for s.left != "" {
		c := s.command()
		if s.err == unclosed {
			return nil, ErrOpen
		} else if s.err != "" {
			return nil, errors.New(s.err)
		}
		text := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(c.source), c.then))
		all = append(all, Command{Words: c.words, Then: c.then, Odd: c.odd, Text: text, Used: c.read, inner: c})
		if last := &all[len(all)-1]; strings.HasPrefix(c.then, "#") {
			last.Then = ""
		}
	}
	return all, nil
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
		text, known := value(strings.Trim(c.inner.opaque[n], `"`))
		switch {
		case !known:
			add(string(r))
			opened = true
		case c.inner.quoted[n]:
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
