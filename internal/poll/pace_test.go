package poll

import "testing"

// TestSlowdown has waits grow with the load, from four programs for each processor on, up to twice.
func TestSlowdown(t *testing.T) {
	for _, c := range []struct {
		loadavg    string
		processors int
		want       float64
	}{
		{"0.00 0.00 0.00 1/93 7\n", 1, 1},
		{"8.00 1.00 1.00 9/93 7\n", 2, 1},
		{"6.00 1.00 1.00 9/93 7\n", 1, 1.5},
		{"99.50 1.00 1.00 9/93 7\n", 2, 2},
		{"", 2, 1}, // not readable
	} {
		if got := slowdownOf(c.loadavg, c.processors); got != c.want {
			t.Errorf("slowdownOf(%q, %d) = %v, want %v", c.loadavg, c.processors, got, c.want)
		}
	}
}
