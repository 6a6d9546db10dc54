package declare

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/tunadm/tunadm/internal/link"
)

// placeholder is where a string has the number of the device: {n}, or with a format {n:02x}.
var placeholder = regexp.MustCompile(`\{n(:[^{}]*)?\}`)

// numberFormat is the format after the colon: an optional zero for leading zeros, an optional width, and d, x or X.
var numberFormat = regexp.MustCompile(`^0?[0-9]?[dxX]$`)

// fill returns the string with the number in its placeholders. In a name that is not a range they are ordinary text.
func fill(r link.Range, s string, n int) (string, error) {
	if r.Plain || !strings.Contains(s, "{n") {
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
