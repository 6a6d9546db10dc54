package holders

import (
	"reflect"
	"testing"
)

// TestFindings reads the lines of examiners that came to the end, that may not look at every process, and that were
// stopped.
func TestFindings(t *testing.T) {
	const first, last = "9 1000 1 0 true \"tun7\" \"vpnd\"\n", "5 0 2 1 false \"tun7\" \"a\\nb\"\n"
	nine, five := Process{PID: 9, UID: 1000, Command: "vpnd", Queues: 1, Probable: true},
		Process{PID: 5, Command: "a\nb", Queues: 2, Claims: 1}
	type byName = map[string][]Process
	for lines, want := range map[string]Findings{
		"":                         {byName{}, Cut, 0},
		first + last:               {byName{"tun7": {five, nine}}, Cut, 0},
		first + last + "end 0 0\n": {byName{"tun7": {five, nine}}, Whole, 0},
		first + "9 1000 0 0 false \"tun7\" \"vpnd\"\nend 0 3\n": {byName{"tun7": {}}, Whole, 3},
		first + "not a line\nend 2 1\n":                         {byName{"tun7": {nine}}, Forbidden, 1},
		first + "end 2":                                         {byName{"tun7": {nine}}, Cut, 0},
	} {
		got := parse([]byte(lines))
		if got.Sight == Cut {
			got.Vanished = 0 // of no meaning then
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v, want %+v", lines, got, want)
		}
	}
}
