package words

import (
	"regexp"
	"sync"
)

// Pattern returns a function that compiles a regular expression the first time. Most runs of the program use none, and
// each one compiled at the start would delay all of them.
func Pattern(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}
