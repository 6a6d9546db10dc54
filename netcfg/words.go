package netcfg

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/xrash/smetrics"
)

// Escape makes text from the kernel or another user harmless to print: control characters, bytes that are no
// UTF-8, and a backslash are written as Go writes them.
func Escape(text string) string {
	plain := true
	for _, r := range text {
		if r == utf8.RuneError || r == '\\' || !strconv.IsPrint(r) {
			plain = false
			break
		}
	}
	if plain {
		return text
	}
	quoted := strings.ReplaceAll(text, `"`, "\x00") // Quote writes \x00 for it, which cannot be in the text
	quoted = strconv.Quote(quoted)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\x00`, `"`)
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
	if strings.ContainsAny(name, "0123456789") {
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
