package convert

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/words"
)

// A Source is one file to import. Each of its lines is either imported, or named in a remark.
type Source struct {
	Path string
	Text string

	format  string // "": not known yet
	lines   []string
	read    []bool // by line: it is imported, or has a remark
	remarks []remark
	noted   map[remark]bool
}

// A remark is the reason why lines are not imported, or not completely. Lines count from 1.
type remark struct {
	first, last int
	text        string
}

// newSource returns a file with its text.
func newSource(path, text string) *Source {
	s := &Source{Path: path, Text: text, lines: strings.Split(strings.TrimSuffix(text, "\n"), "\n")}
	s.read, s.noted = make([]bool, len(s.lines)), map[remark]bool{}
	return s
}

// line returns a line without blanks around it.
func (s *Source) line(n int) string { return strings.TrimSpace(s.lines[n-1]) }

// said notes that a line is imported.
func (s *Source) said(first, last int) {
	for n := first; n <= min(last, len(s.lines)); n++ {
		s.read[n-1] = true
	}
}

// leave notes why lines are not imported.
func (s *Source) leave(first, last int, format string, args ...any) {
	s.note(first, last, "not imported: "+fmt.Sprintf(format, args...))
}

// without notes what of a line is not imported.
func (s *Source) without(first, last int, what, why string) {
	s.note(first, last, fmt.Sprintf("imported without %s: %s", what, why))
}

// note adds a remark, once.
func (s *Source) note(first, last int, text string) {
	last = min(last, len(s.lines))
	s.said(first, last)
	if r := (remark{first, last, text}); !s.noted[r] {
		s.remarks = append(s.remarks, r)
		s.noted[r] = true
	}
}

// other is the remark about lines that have nothing to do with TUN/TAP devices.
const other = "not imported: not about a TUN/TAP device"

// finish adds a remark for all lines that no reader has mentioned, and returns all remarks in the order of the lines.
// Lines about other things that follow each other share a remark, unless mentions reports that they name a device.
func (s *Source) finish(empty, mentions func(line string) bool) []remark {
	for n := 1; n <= len(s.lines); n++ {
		switch line := s.line(n); {
		case s.read[n-1] || empty(line):
		case mentions(line):
			s.leave(n, n, "not supported")
		default:
			s.note(n, n, other)
		}
	}
	slices.SortStableFunc(s.remarks, func(a, b remark) int { return cmp.Compare(a.first, b.first) })
	var all []remark
	for _, r := range s.remarks {
		n := len(all) - 1
		if n >= 0 && r.text == other && all[n].text == other && s.only(all[n].last+1, r.first-1, empty) {
			all[n].last = max(all[n].last, r.last)
			continue
		}
		all = append(all, r)
	}
	return all
}

// only reports whether the lines are all empty.
func (s *Source) only(first, last int, empty func(line string) bool) bool {
	for n := first; n <= last; n++ {
		if !empty(s.line(n)) {
			return false
		}
	}
	return true
}

// print returns a remark as a comment, with the text of a single line.
func (s *Source) print(r remark) string {
	place, text := fmt.Sprintf("%s:%d", s.Path, r.first), r.text
	if r.last > r.first {
		place += fmt.Sprintf("-%d", r.last)
	}
	if text != other && s.line(r.first) != "" {
		text += ": " + s.line(r.first)
	}
	return "# " + words.Escape(place+": "+text) + "\n"
}

// noContent returns a function that reports whether a line is empty or a comment that begins with one of the marks.
func noContent(marks string) func(line string) bool {
	return func(line string) bool { return line == "" || strings.ContainsAny(line[:1], marks) }
}
