package declare

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// rangeMost is how many devices one range can declare; it is more than a kernel can take in reasonable time.
const rangeMost = 1 << 16

// A nameRange is the name of a section: one name, or with one [A-B] in it a name a number.
type nameRange struct {
	before, after string
	first, last   int
	width         int  // digits, zeros in front
	one           bool // no range
}

// parseRange reads "tap0", "tap[0-9]" or "tap[00-15]b".
func parseRange(s string) (nameRange, error) {
	before, rest, open := strings.Cut(s, "[")
	if !open {
		return nameRange{before: s, one: true}, nil
	}
	numbers, after, closed := strings.Cut(rest, "]")
	from, to, isRange := strings.Cut(numbers, "-")
	first, err := strconv.ParseUint(from, 10, 31)
	last, err2 := strconv.ParseUint(to, 10, 31)
	switch {
	case !closed || !isRange || err != nil || err2 != nil || strings.ContainsAny(after, "[]"):
		return nameRange{}, fmt.Errorf("a range is one pair of numbers: tap[0-9]")
	case last < first:
		return nameRange{}, fmt.Errorf("the range ends before it begins")
	case last-first >= rangeMost:
		return nameRange{}, fmt.Errorf("%d devices, %d are the most of one range", last-first+1, rangeMost)
	}
	r := nameRange{before: before, after: after, first: int(first), last: int(last)}
	if len(from) > 1 && from[0] == '0' {
		r.width = len(from)
	}
	return r, nil
}

// name is the name of number n.
func (r nameRange) name(n int) string {
	if r.one {
		return r.before
	}
	return fmt.Sprintf("%s%0*d%s", r.before, r.width, n, r.after)
}

func (r nameRange) single() bool { return r.one || r.first == r.last }

// numberHole is where the number of a range stands in a string: {n}, or with a format {n:02x}.
var numberHole = regexp.MustCompile(`\{n(:[^{}]*)?\}`)

// numberFormat is what may stand behind the colon: a width, with a zero in front for leading zeros, and d, x or X.
var numberFormat = regexp.MustCompile(`^0?[0-9]?[dxX]$`)

// fill puts the number into the holes of a string. To a name that is no range they are text like any other.
func (r nameRange) fill(s string, n int) (string, error) {
	if r.one || !strings.Contains(s, "{n") {
		return s, nil
	}
	var err error
	filled := numberHole.ReplaceAllStringFunc(s, func(hole string) string {
		format := strings.TrimPrefix(hole[2:len(hole)-1], ":")
		switch {
		case format == "":
			format = "d"
		case !numberFormat.MatchString(format):
			err = fmt.Errorf("%s: the format is a width and d, x or X, as in {n:02x}", hole)
		}
		if err != nil {
			return hole
		}
		return fmt.Sprintf("%"+format, n)
	})
	return filled, err
}
