// Package words makes text safe to print on a terminal and to paste into a shell, and finds the word that was meant.
package words

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/xrash/smetrics"
)

// Escape returns text from the kernel or another user in a form that is safe to print. It writes control characters,
// characters that are invisible or change the direction of text, invalid UTF-8 and backslashes as Go escape sequences.
func Escape(text string) string { return escape(text, true) }

// Printable is Escape for text that contains escaped parts: it keeps backslashes.
func Printable(text string) string { return escape(text, false) }

func escape(text string, backslash bool) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return r == '\\' || r >= utf8.RuneSelf || !Visible(r) }) {
		return text
	}
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

// Visible reports whether a character is visible and does not affect its neighbours.
func Visible(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= ' ' && r != 0x7f
	}
	const blankBraille = 0x2800
	return strconv.IsPrint(r) && r != blankBraille &&
		!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// Quote returns text as one word of a shell's command line. It writes text that is not safe on a terminal as $'...'.
func Quote(text string) string {
	const safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%_-+=:,./"
	switch {
	case text != "" && strings.Trim(text, safe) == "":
		return text
	case Escape(strings.ReplaceAll(text, `\`, "")) != strings.ReplaceAll(text, `\`, ""):
		// a backslash needs no escape in '...'
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

// Nearest returns the known word that is nearest to word, or "" if none is near.
func Nearest(word string, known []string) string {
	const near = 0.8
	best, distance := "", near
	for _, k := range known {
		if swapped(strings.TrimLeft(word, "-"), strings.TrimLeft(k, "-")) {
			return k
		}
	}
	for _, k := range known {
		if d := smetrics.JaroWinkler(strings.ToLower(strings.TrimLeft(word, "-")), strings.TrimLeft(k, "-"),
			0.7, 4); d >= distance {
			best, distance = k, d
		}
	}
	return best
}

// swapped reports whether two words differ in the order of two neighbouring bytes.
func swapped(a, b string) bool {
	for i := range len(a) - 1 {
		if len(a) == len(b) && a != b && a[:i]+a[i+1:i+2]+a[i:i+1]+a[i+2:] == b {
			return true
		}
	}
	return false
}

// Count returns a number of things, such as "1 address" or "2 addresses".
func Count(n int, thing string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(thing, "s"):
		thing += "es"
	default:
		thing += "s"
	}
	return strconv.Itoa(n) + " " + thing
}

// Counts returns the numbers of things that there are, such as "1 address and 2 routes"; "": there are none.
func Counts(things []string, numbers ...int) string {
	var counted []string
	for i, n := range numbers {
		if n > 0 {
			counted = append(counted, Count(n, things[i]))
		}
	}
	return strings.Join(counted, " and ")
}
