package declare

import (
	"fmt"
	"strings"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/words"
)

// placeholder is where a string has the number of the device: {n}, or with a format {n:02x}.
var placeholder = words.Pattern(`\{n(:[^{}]*)?\}`)

// numberFormat is the format after the colon: an optional zero for leading zeros, an optional width, and d, x or X.
var numberFormat = words.Pattern(`^0?[0-9]?[dxX]$`)

// fill returns the string with the number in its placeholders. In a name that is not a range they are ordinary text.
func fill(r link.Range, s string, n int) (string, error) {
	if r.Plain || !strings.Contains(s, "{n") {
		return s, nil
	}
	var err error
	filled := placeholder().ReplaceAllStringFunc(s, func(found string) string {
		format := strings.TrimPrefix(found[2:len(found)-1], ":")
		switch {
		case format == "":
			format = "d"
		case !numberFormat().MatchString(format):
			err = fmt.Errorf("%s: the format is a width and d, x or X, as in {n:02x}", found)
		}
		if err != nil {
			return found
		}
		return fmt.Sprintf("%"+format, n)
	})
	return filled, err
}
