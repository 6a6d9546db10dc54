package netcfg

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/xrash/smetrics"
)

// Escape makes text from the kernel or another user harmless to print: control characters, those that change the
// direction of a text or cannot be seen, bytes that are no UTF-8, and a backslash are written as Go writes them.
func Escape(text string) string { return escape(text, true) }

// Printable is Escape for what has been put together from escaped parts: backslashes stay.
func Printable(text string) string { return escape(text, false) }

func escape(text string, backslash bool) string {
	var b strings.Builder
	for at := 0; at < len(text); {
		r, n := utf8.DecodeRuneInString(text[at:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, text[at])
		case r == '\\' && backslash:
			b.WriteString(`\\`)
		case Visible(r):
			b.WriteString(text[at : at+n])
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		at += n
	}
	return b.String()
}

// Visible says whether a character can be seen, and does nothing to its neighbours.
func Visible(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= ' ' && r != 0x7f
	}
	const blankBraille = 0x2800
	return strconv.IsPrint(r) && r != blankBraille && !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// Word is text as one word of a shell's command line. What no terminal should see is written as $'...'.
func Word(text string) string {
	const safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%_-+=:,./"
	switch {
	case text != "" && strings.Trim(text, safe) == "":
		return text
	case Escape(strings.ReplaceAll(text, `\`, "")) != strings.ReplaceAll(text, `\`, ""): // in '...' a backslash is one
		var b strings.Builder
		for i := range len(text) {
			if c := text[i]; c < ' ' || c >= 0x7f || c == '\'' || c == '\\' {
				b.WriteString(`\x` + strconv.FormatUint(uint64(c)+0x100, 16)[1:])
			} else {
				b.WriteByte(c)
			}
		}
		return "$'" + b.String() + "'"
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// linkName is the name as ip link set takes it. The word dev keeps it apart from the command's own words, all
// of which are without a digit.
func linkName(name string) string {
	if strings.ContainsAny(name, "0123456789") && name[0] != '-' {
		return Word(name)
	}
	return "dev " + Word(name)
}

// Nearest is the known word that is nearest to one that is not, or "" where none is near.
func Nearest(word string, known []string) string {
	const near = 0.8
	best, distance := "", near
	for _, k := range known {
		if d := smetrics.JaroWinkler(strings.ToLower(strings.TrimLeft(word, "-")), strings.TrimLeft(k, "-"), 0.7, 4); d >= distance {
			best, distance = k, d
		}
	}
	return best
}
