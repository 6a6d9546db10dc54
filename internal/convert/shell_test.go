package convert

import (
	"slices"
	"testing"
)

// TestNumbers reads the operands of seq. Sequences that are long, or whose numbers do not fit, are not known.
func TestNumbers(t *testing.T) {
	const lowest, highest = "-9223372036854775808", "9223372036854775807"
	for _, test := range []struct {
		words []string
		want  string // "": not known
	}{
		{[]string{"3"}, "1\n2\n3"},
		{[]string{"2", "3"}, "2\n3"},
		{[]string{"0", "4", "9"}, "0\n4\n8"},
		{[]string{"-1", "1"}, "-1\n0\n1"},
		{[]string{"2147483646", "2147483647"}, "2147483646\n2147483647"},
		{[]string{"1", "0", "3"}, ""},
		{[]string{"1", "2000"}, ""},
		{[]string{"1", "2", "3", "4"}, ""},
		{[]string{"one"}, ""},
		{[]string{lowest, highest}, ""},
		{[]string{highest, highest}, ""},
	} {
		got, known := numbers(test.words)
		if got != test.want || known != (test.want != "") {
			t.Errorf("numbers(%q) = %q, %v, want %q", test.words, got, known, test.want)
		}
	}
}

// TestBraces expands the sequences of shells. The numbers of a sequence have 32 bits.
func TestBraces(t *testing.T) {
	for word, want := range map[string][]string{
		"tap{0..2}":                   {"tap0", "tap1", "tap2"},
		"tap{2147483647..2147483647}": {"tap2147483647"},
		"tap{0..2000}":                nil,
		"tap{9223372036854775807..9223372036854775807}": nil,
	} {
		got, known := braces(word)
		if !slices.Equal(got, want) || known != (want != nil) {
			t.Errorf("braces(%q) = %q, %v, want %q", word, got, known, want)
		}
	}
}

// TestCounted replaces the heads of counting loops. The numbers of a loop have 32 bits.
func TestCounted(t *testing.T) {
	for line, want := range map[string]string{
		"for ((i=0; i<3; i++)); do":                                      "for i in 0 1 2; do",
		"for (( i = 1; i <= 2; ++i )) ; do":                              "for i in 1 2 ; do",
		"for ((i=0; i<9000; i++)); do":                                   "for _ in $(unknown); do",
		"for ((i=0; j<3; i++)); do":                                      "for _ in $(unknown); do",
		"for ((i=9223372036854775807; i<=9223372036854775807; i++)); do": "for _ in $(unknown); do",
	} {
		if got := counted(line); got != want {
			t.Errorf("counted(%q) = %q, want %q", line, got, want)
		}
	}
}
