package declare

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// rangeMax is the largest number of devices in one range. The kernel takes minutes to create more.
const rangeMax = 1 << 16

// A nameRange is the name of a section: one name, or names with a number in place of [A-B].
type nameRange struct {
	before, after string
	first, last   int
	width         int  // the least number of digits
	one           bool // one name, without a number
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
	case last-first >= rangeMax:
		return nameRange{}, fmt.Errorf("%d devices, a range has at most %d", last-first+1, rangeMax)
	}
	r := nameRange{before: before, after: after, first: int(first), last: int(last)}
	if len(from) > 1 && from[0] == '0' {
		r.width = len(from)
	}
	return r, nil
}

// name returns the name with number n.
func (r nameRange) name(n int) string {
	if r.one {
		return r.before
	}
	return fmt.Sprintf("%s%0*d%s", r.before, r.width, n, r.after)
}

// single reports whether the range is one device.
func (r nameRange) single() bool { return r.one || r.first == r.last }

// placeholder is where a string has the number of the device: {n}, or with a format {n:02x}.
var placeholder = regexp.MustCompile(`\{n(:[^{}]*)?\}`)

// numberFormat is the format after the colon: an optional zero for leading zeros, an optional width, and d, x or X.
var numberFormat = regexp.MustCompile(`^0?[0-9]?[dxX]$`)

// fill returns the string with the number in its placeholders. In a name that is not a range they are ordinary text.
func (r nameRange) fill(s string, n int) (string, error) {
	if r.one || !strings.Contains(s, "{n") {
		return s, nil
	}
	var err error
	filled := placeholder.ReplaceAllStringFunc(s, func(found string) string {
		format := strings.TrimPrefix(found[2:len(found)-1], ":")
		switch {
		case format == "":
			format = "d"
		case !numberFormat.MatchString(format):
			err = fmt.Errorf("%s: the format is a width and d, x or X, as in {n:02x}", found)
		}
		if err != nil {
			return found
		}
		return fmt.Sprintf("%"+format, n)
	})
	return filled, err
}
