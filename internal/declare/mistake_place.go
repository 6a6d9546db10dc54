package declare

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/tunadm/tunadm/internal/fix"
)

// mistake records a mistake at an offset. The hint is a sentence; "": none.
func (d *document) mistake(at int, hint, format string, args ...any) {
	d.mistakeWith(fix.Sentence(hint), at, format, args...)
}

// mistakeWith records a mistake with its fix. Only the first mistake at an offset is kept.
func (d *document) mistakeWith(fix fix.Fix, at int, format string, args ...any) {
	if d.wrong[at] != nil {
		return
	}
	m := &Mistake{Place: d.place(at), Text: fmt.Sprintf(format, args...), Fix: fix}
	m.Source, m.Caret = d.excerpt(at)
	d.wrong[at] = m
}

// lineStart returns the number of the line that an offset is in, from 1, and the offset of the line's first byte. The
// index of the lines is made when it is first needed.
func (d *document) lineStart(at int) (line, start int) {
	if d.lines == nil {
		d.lines = []int{0}
		for i, c := range d.data {
			if c == '\n' {
				d.lines = append(d.lines, i+1)
			}
		}
	}
	line, exact := slices.BinarySearch(d.lines, at)
	if exact {
		line++
	}
	return line, d.lines[line-1]
}

// place returns the place of an offset. It counts on from the last place if that is in the same line: counting from
// the start of a long line for each of its mistakes would take quadratic time.
func (d *document) place(at int) Place {
	line, start := d.lineStart(at)
	from, column := start, 1
	if c := d.counted; c.line == line && c.at <= at {
		from, column = c.at, c.column
	}
	column += utf8.RuneCount(d.data[from:at])
	d.counted.line, d.counted.at, d.counted.column = line, at, column
	return Place{Path: d.path, Line: line, column: column}
}

// line returns the line that an offset is in, without its end.
func (d *document) line(at int) string {
	_, start := d.lineStart(at)
	text, _, _ := bytes.Cut(d.data[start:], []byte{'\n'})
	return string(bytes.TrimSuffix(text, []byte{'\r'}))
}

// excerptMax is the number of bytes of a line that are shown on each side of a mistake.
const excerptMax = 400

// excerpt returns the line that an offset is in, or the part of a long line around the offset, and the number of bytes
// of it before the offset. The offset may be that of the line's end, which is not part of the text.
func (d *document) excerpt(at int) (text string, caret int) {
	line, start := d.lineStart(at)
	end := len(d.data)
	if line < len(d.lines) {
		end = d.lines[line] - 1
	}
	if end > start && d.data[end-1] == '\r' {
		end--
	}
	at = min(at, end)
	for at > start && at < end && !utf8.RuneStart(d.data[at]) { // the parser counts bytes
		at--
	}
	from, to := max(start, at-excerptMax), min(end, at+excerptMax)
	for from > start && !utf8.RuneStart(d.data[from]) {
		from--
	}
	for to < end && !utf8.RuneStart(d.data[to]) {
		to++
	}
	const more = "..."
	text, caret = string(d.data[from:to]), at-from
	if from > start {
		text, caret = more+text, caret+len(more)
	}
	if to < end {
		text += more
	}
	return text, caret
}
