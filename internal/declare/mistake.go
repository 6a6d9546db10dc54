package declare

import (
	"fmt"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/words"
)

// A Place is a character of a file. Lines and columns count from 1. If Line is 0, it is the file as a whole.
type Place struct {
	Path         string
	Line, column int
}

// String returns "path:line:column", or the path alone.
func (p Place) String() string {
	if p.Line == 0 {
		return words.Escape(p.Path)
	}
	return fmt.Sprintf("%s:%d:%d", words.Escape(p.Path), p.Line, p.column)
}

// A Mistake is the error of a part of a file, or of a file that cannot be read.
type Mistake struct {
	Place
	Text   string  // the error itself, without the place
	Fix    fix.Fix // zero: none
	Source string  // the line of the place, or the part of a long line around it; "": none
	Caret  int     // the number of bytes of Source before the place
}

// Error returns the place and the text.
func (m *Mistake) Error() string { return m.Place.String() + ": " + m.Text }

// Hint returns the fix.
func (m *Mistake) Hint() fix.Fix { return m.Fix }
