package declare

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf8"
)

// mistake notes what is wrong at an offset.
func (d *document) mistake(at int, hint, format string, args ...any) {
	if d.wrong[at] == nil {
		source, caret := d.excerpt(at)
		d.wrong[at] = &Mistake{Place: d.place(at), Text: fmt.Sprintf(format, args...), Hint: hint, Source: source, Caret: caret}
	}
}

// lineStart is the number of the line that an offset is in, from 1, and the offset of its first byte. The index of the lines is made on first use.
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

// place counts the characters before an offset. Offsets mostly come in their order: it goes on where it stopped.
func (d *document) place(at int) Place {
	line, start := d.lineStart(at)
	from, column := start, 1
	if c := d.counted; c.line == line && c.at <= at {
		from, column = c.at, c.column
	}
	column += utf8.RuneCount(d.data[from:at])
	d.counted.line, d.counted.at, d.counted.column = line, at, column
	return Place{Path: d.path, Line: line, Column: column}
}

// line is the line that an offset is in.
func (d *document) line(at int) string {
	_, start := d.lineStart(at)
	text, _, _ := bytes.Cut(d.data[start:], []byte{'\n'})
	return string(bytes.TrimSuffix(text, []byte{'\r'}))
}

// excerptMost is how many bytes of a line are shown on each side of a mistake.
const excerptMost = 400

// excerpt is the line that an offset is in, or the middle of a long one, and how many bytes of it stand before the offset. An
// offset may be that of the line's end, which is no part of it.
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
	for at > start && at < end && !utf8.RuneStart(d.data[at]) { // the parser goes by bytes
		at--
	}
	from, to := max(start, at-excerptMost), min(end, at+excerptMost)
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
