package convert

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/standin"
	"github.com/tunadm/tunadm/internal/words"
)

// A token is a keyword of the shell, or a command.
type token struct {
	first, last int    // lines
	keyword     string // "": a command
	name        string // of a function; the patterns of a case
	command     standin.Command
	done        bool   // it is imported, or has a remark
	why         string // it has not run
}

// leave adds a remark that the command is not imported.
func (t *token) leave(s *Source, why string) {
	t.done = true
	s.leave(t.first, t.last, "%s", t.command.Reveal(why))
}

// keywords are the words of the shell that begin and end compound commands.
var keywords = []string{"if", "then", "elif", "else", "fi", "while", "until", "do", "done", "{", "}"}

// A reading is the state between two commands while tokens are read.
type reading struct {
	cases   int  // open case commands
	pattern bool // a pattern follows
	parens  int  // open subshells
}

var (
	// casePattern matches the patterns before the commands of a case.
	casePattern = words.Pattern(`^[ \t]*\(?[ \t]*((?:"[^"]*"|'[^']*'|[^()"'\s|;&<>])+` +
		`(?:[ \t]*\|[ \t]*(?:"[^"]*"|'[^']*'|[^()"'\s|;&<>])+)*)[ \t]*\)[ \t]*`)
	esac = words.Pattern(`^esac\b`)
	// beginsArray matches an assignment like NAME=(a b).
	beginsArray = words.Pattern(`^(?:(?:declare|local|readonly|export|typeset)[ \t]+(?:-\w+[ \t]+)*)?` +
		`[A-Za-z_]\w*\+?=\(`)
	documentMark = words.Pattern(`<<-?[ \t]*['"]?[A-Za-z0-9_]+['"]?`)
)

// errArray is the error of a line with the beginning of an array, which ends on another line.
var errArray = errors.New("an array that does not end")

// tokenize reads the commands of a script that begins at a line.
func (s *shell) tokenize(text string, first int) {
	sections := standin.Split(text)
	for i := 0; i < len(sections); i++ {
		section, last := sections[i], first+sections[i].Lines-1
		if section.Document {
			s.document(section.Text, first, last)
			first = last + 1
			continue
		}
		opens := func(err error) bool { return errors.Is(err, standin.ErrOpen) || errors.Is(err, errArray) }
		err := s.read(counted(section.Text), first, last)
		for n := i + 1; opens(err) && n < len(sections) && n < i+openMax && !sections[n].Document; n++ {
			section.Text += sections[n].Text
			section.Lines += sections[n].Lines
			if more := s.read(section.Text, first, first+section.Lines-1); !opens(more) {
				i, last, err = n, first+section.Lines-1, more
			}
		}
		if errors.Is(err, standin.ErrOpen) {
			s.source.leave(first, len(s.source.lines), "%v", err)
			return
		}
		if err != nil && !scriptEmpty(strings.TrimSpace(section.Text)) {
			s.source.leave(first, last, "%v", err)
		}
		first = last + 1
	}
}

// openMax is the largest number of lines in one quoted text.
const openMax = 50

// document leaves a here-document out. The keywords before it remain.
func (s *shell) document(text string, first, last int) {
	s.source.leave(first, last, "a here-document")
	n := len(s.tokens)
	head, _, _ := strings.Cut(text, "\n")
	if s.read(documentMark().ReplaceAllString(head, ""), first, last) == nil {
		for _, t := range s.tokens[n:] {
			if t.done = true; t.keyword == "" {
				t.command.Words = []string{":"}
			}
		}
	}
}

// read adds the tokens of a text, or none of them if there is an error.
func (s *shell) read(text string, first, last int) error {
	n, before := len(s.tokens), s.reading
	for rest := strings.TrimSpace(text); rest != ""; {
		m := casePattern().FindStringSubmatch(rest)
		if s.reading.pattern && m != nil && !esac().MatchString(rest) {
			s.tokens = append(s.tokens, &token{first: first, last: last, keyword: "pattern", name: m[1], done: true})
			s.reading.pattern, rest = false, rest[len(m[0]):]
			continue
		}
		c, left, err := standin.Next(rest)
		if err == nil && beginsArray().MatchString(c.Text) && !strings.HasSuffix(c.Text, ")") {
			err = errArray
		}
		if err != nil {
			s.tokens, s.reading = s.tokens[:n], before
			return err
		}
		rest = left
		s.token(c, first, last)
	}
	return nil
}

// token adds the tokens of a command.
func (s *shell) token(c standin.Command, first, last int) {
	add := func(keyword, name string) {
		t := &token{first: first, last: last, keyword: keyword, name: name}
		if t.command = c; keyword != "" && len(c.Words) > 1 {
			t.command.Then = ""
		}
		t.done = keyword != "" && keyword != "for" && keyword != "case" && keyword != "select"
		s.tokens = append(s.tokens, t)
	}
	if len(c.Words) == 0 && c.Then == ";" && s.reading.cases > 0 {
		s.reading.pattern = true
		add(";;", "")
	}
	for len(c.Words) > 0 {
		word := c.Words[0]
		switch {
		case word == "for" || word == "select":
			add(word, "")
			return
		case word == "!" && len(c.Words) > 1 && (c.Words[1] == "{" || strings.HasPrefix(c.Words[1], "(")):
			add(word, "")
			c.Words = c.Words[1:]
		case word == "case":
			s.reading.cases, s.reading.pattern = s.reading.cases+1, true
			add(word, "")
			return
		case word == "esac":
			s.reading.cases, s.reading.pattern = max(s.reading.cases-1, 0), false
			add(word, "")
			c.Words = c.Words[1:]
		case word == "function" && len(c.Words) > 1:
			add("function", strings.TrimSuffix(c.Words[1], "()"))
			c.Words = c.Words[2:]
		case strings.HasSuffix(word, "(){") && len(word) > 3:
			add("function", strings.TrimSuffix(word, "(){"))
			c.Words = slices.Concat([]string{"{"}, c.Words[1:])
		case strings.HasSuffix(word, "()") && len(word) > 2:
			add("function", strings.TrimSuffix(word, "()"))
			c.Words = c.Words[1:]
		case len(c.Words) > 1 && c.Words[1] == "()":
			add("function", word)
			c.Words = c.Words[2:]
		case slices.Contains(keywords, word):
			add(word, "")
			c.Words = c.Words[1:]
		case word[:min(1, len(word))] == "(" && !strings.HasPrefix(word, "(("):
			s.reading.parens++
			add("(", "")
			if c.Words = slices.Clone(c.Words); word == "(" {
				c.Words = c.Words[1:]
			} else {
				c.Words[0] = word[1:]
			}
		default:
			s.plain(c, add)
			return
		}
	}
}

// plain adds the token of a simple command, and the end of a subshell after it.
func (s *shell) plain(c standin.Command, add func(keyword, name string)) {
	n := len(c.Words) - 1
	word, closed := strings.CutSuffix(c.Words[n], ")")
	closed = closed && s.reading.parens > 0 && !strings.Contains(word, "(") && strings.HasSuffix(c.Text, ")") &&
		!beginsArray().MatchString(c.Text)
	then := c.Then
	if closed {
		s.reading.parens--
		c.Words, c.Then = append(slices.Clone(c.Words[:n]), word), ""
		if word == "" {
			c.Words = c.Words[:n]
		}
	}
	braces := strings.HasSuffix(c.Odd, strconv.Quote("{")) || strings.HasSuffix(c.Odd, strconv.Quote("}")) ||
		strings.HasSuffix(c.Odd, strconv.Quote("(")) || strings.HasSuffix(c.Odd, strconv.Quote(")"))
	odd := func(r rune) bool { return strings.ContainsRune("*?[](){}$`~\r", r) }
	if braces && !slices.ContainsFunc(c.Words, func(w string) bool { return strings.ContainsFunc(w, odd) }) {
		c.Odd = "" // it was that of a keyword
	}
	before := len(s.tokens)
	if add("", ""); len(c.Words) == 0 {
		s.tokens = s.tokens[:before]
	} else {
		s.tokens[before].command = c
	}
	if closed {
		add(")", "")
		s.tokens[len(s.tokens)-1].command.Then = then
	}
}

// finish adds the remarks about commands that were not run, and about those without an effect on a TUN/TAP device that
// share a line with imported ones.
func (s *shell) finish() {
	for _, f := range s.flushed {
		f.token.done = s.host.moves(f.port) || f.token.done
	}
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
			t.leave(s.source, cmp.Or(t.why, why))
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
