package link

import (
	"fmt"
	"strconv"
	"strings"
)

// rangeMax is the largest number of devices in one range. The kernel takes minutes to create more.
const rangeMax = 1 << 16

// A Range is one name, or names with a number in place of [A-B]. One notation has one meaning: in a file, in the names
// of new devices, and in a [Pattern].
type Range struct {
	First, Last   int // the numbers; both 0 for one name
	Plain         bool
	before, after string
	width         int // the least number of digits
}

// ParseRange parses "tap0", "tap[0-9]" or "tap[00-15]b".
func ParseRange(s string) (Range, error) {
	before, rest, open := strings.Cut(s, "[")
	if !open {
		return Range{before: s, Plain: true}, nil
	}
	numbers, after, closed := strings.Cut(rest, "]")
	from, to, isRange := strings.Cut(numbers, "-")
	first, err := strconv.ParseUint(from, 10, 31)
	last, err2 := strconv.ParseUint(to, 10, 31)
	switch {
	case !closed || !isRange || err != nil || err2 != nil || strings.ContainsAny(after, "[]"):
		return Range{}, fmt.Errorf("a range is one pair of numbers: tap[0-9]")
	case last < first:
		return Range{}, fmt.Errorf("the range ends before it begins")
	case last-first >= rangeMax:
		return Range{}, fmt.Errorf("%d devices, a range has at most %d", last-first+1, rangeMax)
	}
	r := Range{before: before, after: after, First: int(first), Last: int(last)}
	if len(from) > 1 && from[0] == '0' {
		r.width = len(from)
	}
	return r, nil
}

// Name returns the name with number n.
func (r Range) Name(n int) string {
	if r.Plain {
		return r.before
	}
	return r.before + r.number(n) + r.after
}

func (r Range) number(n int) string { return fmt.Sprintf("%0*d", r.width, n) }

// Names returns all names, in the order of their numbers.
func (r Range) Names() []string {
	all := make([]string, 0, r.Last-r.First+1)
	for n := r.First; n <= r.Last; n++ {
		all = append(all, r.Name(n))
	}
	return all
}

// Single reports whether the range is one name.
func (r Range) Single() bool { return r.First == r.Last }
