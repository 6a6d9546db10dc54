package fix

import (
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestLinesFit breaks fixes at several widths: no line is longer, and all words are there.
func TestLinesFit(t *testing.T) {
	route := Run(InNamespace("ip", "route", "del", "10.0.0.0/25", "dev", "eth1"), Tunadm("set", "a b", "--up"))
	for _, f := range []Fix{
		route, route.For(false), Sentence("start the program that reads it"),
		{Before: "if it is meant: ", Commands: []Command{Tunadm("delete", "tun0")}, After: ", or give a number"},
		Run(Command{Words: []string{"printf", "a b"}, Output: "/etc/a;b"}),
	} {
		for _, width := range []int{16, 24, 40, 1000} {
			lines := f.Lines(width)
			for _, line := range lines {
				if utf8.RuneCountInString(line) > width {
					t.Errorf("a line is longer than %d: %q", width, lines)
				}
			}
			if got := strings.ReplaceAll(strings.Join(lines, " "), ` \ `, " "); got != f.String() {
				t.Errorf("at %d: got %q, want %q", width, got, f)
			}
		}
	}
}

// TestLinesCanBePasted runs a broken command in a shell.
func TestLinesCanBePasted(t *testing.T) {
	f := Run(Command{Words: []string{"printf", "<%s>", "a  b", "c'", "d", "eeeeeeeee", `\`}},
		Command{Words: []string{"echo", "f"}})
	lines := f.Lines(16)
	out, err := exec.Command("sh", "-c", strings.Join(lines, "\n         ")).Output()
	if want := "<a  b><c'><d><eeeeeeeee><\\>f\n"; string(out) != want || err != nil || len(lines) < 3 {
		t.Errorf("got %q, error %v, want %q, of %q", out, err, want, lines)
	}
}
