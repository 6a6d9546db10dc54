package netcfg

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Text is a name or a path in a record in JSON, whatever its bytes: those that are no UTF-8 are written as \xNN, and a backslash
// twice. JSON itself would turn them all into the same character.
type Text string

// MarshalText is what JSON gets.
func (t Text) MarshalText() ([]byte, error) {
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

// UnmarshalText takes it back. The error is of a text that MarshalText does not write.
func (t *Text) UnmarshalText(text []byte) error {
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
				return fmt.Errorf("a backslash stands alone in %q", text)
			}
			c, err := strconv.ParseUint(rest[1:3], 16, 8)
			if err != nil {
				return fmt.Errorf("no byte in %q: %w", text, err)
			}
			b.WriteByte(byte(c))
			rest = rest[3:]
		}
	}
	*t = Text(b.String())
	return nil
}
