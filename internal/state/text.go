package state

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Text is a name or a path in a record, with any bytes. Bytes that are not UTF-8 are written as \xNN, and a backslash
// is written twice. JSON itself would replace them all by the same character.
type Text string

// MarshalText returns the text for JSON.
func (t Text) MarshalText() ([]byte, error) {
	if utf8.ValidString(string(t)) && !strings.Contains(string(t), `\`) {
		return []byte(t), nil
	}
	var b strings.Builder
	for at := 0; at < len(t); {
		r, n := utf8.DecodeRuneInString(string(t[at:]))
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, t[at])
		case r == '\\':
			b.WriteString(`\\`)
		default:
			b.WriteString(string(t[at : at+n]))
		}
		at += n
	}
	return []byte(b.String()), nil
}

// UnmarshalText reads the text of MarshalText. The error is that of any other text.
func (t *Text) UnmarshalText(text []byte) error {
	if !bytes.Contains(text, []byte(`\`)) {
		*t = Text(text)
		return nil
	}
	var b strings.Builder
	for rest := string(text); rest != ""; {
		plain, behind, escaped := strings.Cut(rest, `\`)
		b.WriteString(plain)
		rest = behind
		switch {
		case !escaped:
		case strings.HasPrefix(rest, `\`):
			b.WriteByte('\\')
			rest = rest[1:]
		default:
			if len(rest) < 3 || rest[0] != 'x' {
				return fmt.Errorf("a backslash alone in %q", text)
			}
			c, err := strconv.ParseUint(rest[1:3], 16, 8)
			if err != nil {
				return fmt.Errorf("not a byte in %q: %w", text, err)
			}
			b.WriteByte(byte(c))
			rest = rest[3:]
		}
	}
	*t = Text(b.String())
	return nil
}
