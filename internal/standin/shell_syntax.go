package standin

import (
	"cmp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tunadm/tunadm/internal/words"
)

// A scanner reads the commands of a line of a shell script. It does not support all of the shell's syntax.
type scanner struct {
	left    string // the unread rest
	err     string // the unsupported syntax; the whole line is then copied unchanged
	lenient bool   // characters that are not supported stay in the word, see [Command.Odd]
}

// The patterns between and in words. They are compiled on first use, because few runs of the program use them.
var (
	operator    = words.Pattern(`^[ \t]*(&&|\|\||;|&|\||#.*|$)[ \t]*`)
	redirection = words.Pattern(`^([0-9]*)(>>|>\||<<<|>|<)(&[0-9-])?[ \t]*`)
	expansion   = words.Pattern("^(\\$[A-Za-z_][A-Za-z0-9_]*|\\$[0-9#?$!-]|\\$\\{[^{}]*\\}|" +
		"\\$\\((?:[^()]|\\([^()]*\\)|\\(\\([^()]*\\)\\))*\\)|`[^`]*`)")
	lenientExpansion = words.Pattern(`^(\$[@*]|\$\{(?:[^{}]|\$\{[^{}]*\})*\})`)
)

// blanks separate words. A line end is one of them, in a line that continues.
const blanks = " \t\n"

// command reads a command and the operator after it.
func (s *scanner) command() command {
	c, start := command{}, s.left
	for s.err == "" {
		op := operator().FindString(s.left)
		if op != "" || s.left == "" {
			s.left = s.left[len(op):]
			c.tail += op
			c.then = strings.TrimSpace(op)
			c.read = c.read || strings.TrimSpace(op) == "|"
			break
		}
		s.left = strings.TrimLeft(s.left, blanks)
		if parts := redirection().FindStringSubmatch(s.left); parts != nil {
			s.redirection(&c, parts)
		} else if rest, ok := strings.CutPrefix(s.left, "\\\n"); ok {
			s.left = rest
		} else {
			c.words = append(c.words, s.word(&c))
			if n := len(c.words); s.lenient && n > 2 && c.words[n-3] == "case" && c.words[n-1] == "in" {
				break
			}
		}
	}
	c.source = start[:len(start)-len(s.left)]
	return c
}

// redirection reads a redirection, and keeps its text for the end of the command.
func (s *scanner) redirection(c *command, parts []string) {
	text := parts[0]
	if parts[3] != "" { // 2>&1 has no target after it
		text = strings.TrimRight(text, " \t")
	}
	s.left = s.left[len(text):]
	target, word, odd := s.left, "", c.odd
	if parts[3] == "" {
		if word = s.word(c); word == "" && s.err == "" {
			s.err = unsupported + strconv.Quote(text)
		}
		c.odd = odd
	}
	target = target[:len(target)-len(s.left)]
	c.tail += " " + strings.TrimRight(text, " \t") + target
	if parts[1] != "2" && strings.HasPrefix(parts[2], ">") && target != "/dev/null" && parts[3] != "&2" {
		c.read, c.output = true, word
	}
}

const (
	unclosed    = "a quote is not closed"
	unsupported = "shell syntax that is not supported: " // before the quoted character
)

// word reads one word.
func (s *scanner) word(c *command) string {
	var b strings.Builder
	for s.err == "" && s.left != "" && !strings.ContainsRune(blanks+";|&<>", rune(s.left[0])) {
		switch s.left[0] {
		case '\'':
			text, rest, closed := strings.Cut(s.left[1:], "'")
			if !closed {
				s.err = unclosed
			}
			b.WriteString(text)
			s.left = rest
		case '"':
			s.left = s.left[1:]
			for s.err == "" && !strings.HasPrefix(s.left, `"`) {
				s.piece(c, &b, `"`)
			}
			s.left = strings.TrimPrefix(s.left, `"`)
		default:
			s.piece(c, &b, "")
		}
	}
	return b.String()
}

// substitution returns the command substitution with which a text begins, which may have quotes and parentheses, or "".
func substitution(text string) string {
	if !strings.HasPrefix(text, "$(") || strings.HasPrefix(text, "$((") {
		return ""
	}
	depth, quote := 0, byte(0)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && quote != '\'':
			i++
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
		case c == '"' || c == '\'':
			quote = c
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				return text[:i+1]
			}
		}
	}
	return ""
}

// piece reads one character, or one expansion of the shell. The quote is the one around it, or "".
func (s *scanner) piece(c *command, b *strings.Builder, quote string) {
	if s.left == "" {
		s.err = unclosed
		return
	}
	text := expansion().FindString(s.left)
	if s.lenient {
		text = cmp.Or(substitution(s.left), text, lenientExpansion().FindString(s.left))
	}
	if text != "" {
		b.WriteRune(firstOpaque + rune(len(c.opaque)))
		c.opaque = append(c.opaque, `"`+text+`"`) // quoted, because an empty value must stay a word
		c.quoted = append(c.quoted, quote != "")
		s.left = s.left[len(text):]
		return
	}
	first, special := s.left[0], "*?[](){}$`~\r"
	if quote != "" {
		special = "$`"
	}
	if first == '\\' && len(s.left) > 1 && (quote == "" || strings.IndexByte("$`\"\\\n", s.left[1]) >= 0) {
		s.left = s.left[1:]
		first, special = s.left[0], ""
	}
	if strings.IndexByte(special, first) >= 0 || first >= 0x80 {
		r, n := utf8.DecodeRuneInString(s.left)
		odd := unsupported + strconv.Quote(string(r))
		if !s.lenient || isOpaque(r) {
			s.err = odd
			return
		}
		c.odd = cmp.Or(c.odd, odd)
		b.WriteString(s.left[:n])
		s.left = s.left[n:]
		return
	}
	if first != '\n' || special != "" { // an escaped line end is removed
		b.WriteByte(first)
	}
	s.left = s.left[1:]
}
