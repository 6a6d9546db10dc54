package words

import "testing"

func TestEscapeIsHarmlessAndQuoteIsPasteable(t *testing.T) {
	for _, c := range []struct{ text, escape, word string }{
		{"plain-1.2", "plain-1.2", "plain-1.2"}, {"", "", "''"}, {"a b", "a b", "'a b'"}, {`a"b`, `a"b`, `'a"b'`},
		{"a'b", "a'b", `'a'\''b'`}, {"a$(x)", "a$(x)", "'a$(x)'"},
		{"a\x1b[31m", `a\x1b[31m`, `$'a\x1b[31m'`}, {"a\nb", `a\nb`, `$'a\x0ab'`}, {"é", "é", "'é'"},
		{"\xff", `\xff`, `$'\xff'`}, {`a\b`, `a\\b`, `'a\b'`}, {"\u202e", `\u202e`, `$'\xe2\x80\xae'`},
	} {
		if got := Escape(c.text); got != c.escape {
			t.Errorf("Escape(%q) = %q, want %q", c.text, got, c.escape)
		}
		if got := Quote(c.text); got != c.word {
			t.Errorf("Quote(%q) = %q, want %q", c.text, got, c.word)
		}
	}
}

func TestNearestWord(t *testing.T) {
	known := []string{"--multicast", "--mtu", "--user", "--up"}
	for word, want := range map[string]string{"--mut": "--mtu", "--usr": "--user", "--multicats": "--multicast",
		"user": "--user", "-": "", "": "", "--zzz": ""} {
		if got := Nearest(word, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestCounts(t *testing.T) {
	things := []string{"address", "route"}
	for want, n := range map[string][]int{"": {0, 0}, "1 address": {1, 0}, "2 routes": {0, 2},
		"2 addresses and 1 route": {2, 1}} {
		if got := Counts(things, n...); got != want {
			t.Errorf("%v: got %q, want %q", n, got, want)
		}
	}
}
