package commands

import (
	"bufio"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tunadm/tunadm/netcfg"
)

// absent is the cell of a table that has no value.
const absent = "-"

// gap is the number of spaces between two columns.
const gap = 2

// A screen is how a table is printed.
type screen struct {
	width int    // of the terminal; 0: columns are never hidden
	color bool   // states are colored
	hint  string // how to show hidden columns
}

// A table is columns of cells, each of one or more lines.
type table struct {
	columns []column
	cells   [][][]string // for each column the cells, of which the first is the heading
	hidden  []string     // the headings of columns that did not fit
}

// renderTable prints the devices in aligned columns. It hides columns until the table fits the screen, and names them.
func renderTable(to io.Writer, devices []*netcfg.Device, chosen []column, on screen) error {
	if len(devices) == 0 {
		return nil
	}
	t := newTable(devices, chosen)
	if on.width > 0 {
		t.fit(on.width)
	}
	out := bufio.NewWriter(to)
	t.print(out, on.color)
	if len(t.hidden) > 0 {
		for _, line := range wrap("Hidden columns: "+strings.Join(t.hidden, ", ")+on.hint, on.width) {
			out.WriteString(line + "\n")
		}
	}
	return out.Flush()
}

func newTable(devices []*netcfg.Device, chosen []column) *table {
	t := &table{columns: slices.Clone(chosen)}
	for _, c := range chosen {
		cells := [][]string{{c.heading()}}
		for _, d := range devices {
			values := c.values(d)
			if len(values) == 0 {
				values = []string{absent}
			}
			cells = append(cells, values)
		}
		t.cells = append(t.cells, cells)
	}
	return t
}

// fit hides columns, those that are missed least first, until the lines are no longer than width.
func (t *table) fit(width int) {
	for t.width() > width {
		least := -1
		for i, c := range t.columns {
			if c.hides > 0 && (least < 0 || c.hides < t.columns[least].hides) {
				least = i
			}
		}
		if least < 0 {
			return
		}
		t.hidden = append(t.hidden, t.columns[least].heading())
		t.columns = slices.Delete(t.columns, least, least+1)
		t.cells = slices.Delete(t.cells, least, least+1)
	}
}

// width returns the length of the longest line.
func (t *table) width() int {
	sum := -gap
	for i := range t.columns {
		sum += t.widest(i) + gap
	}
	return sum
}

// widest returns the length of the longest line in a column.
func (t *table) widest(column int) (most int) {
	for _, cell := range t.cells[column] {
		for _, line := range cell {
			most = max(most, utf8.RuneCountInString(line))
		}
	}
	return most
}

// print writes the cells of each device beside each other, on as many lines as the longest of them has.
func (t *table) print(out *bufio.Writer, color bool) {
	widths := make([]int, len(t.columns))
	for i := range t.columns {
		widths[i] = t.widest(i)
	}
	for row := range t.cells[0] {
		for n, more := 0, true; more; n++ {
			more = false
			pending := 0
			for i, cells := range t.cells {
				text := ""
				if cell := cells[row]; n < len(cell) {
					text = cell[n]
					more = more || n+1 < len(cell)
				}
				length := utf8.RuneCountInString(text)
				if color && t.columns[i].name == "state" {
					text = paint(text)
				}
				room := widths[i] - length
				if t.columns[i].traffic {
					pending, room = pending+room, 0
				}
				if length > 0 {
					out.WriteString(strings.Repeat(" ", pending))
					out.WriteString(text)
					pending = 0
				}
				pending += room + gap
			}
			out.WriteByte('\n')
		}
	}
}

// breakLine breaks a line into lines of at most width characters, after a space if there is one in the second half of
// the line. Later lines are indented. All characters of the text remain.
func breakLine(text string, width, indent int) string {
	var b strings.Builder
	rest, before := []rune(text), ""
	for room := width; len(rest) > room && room > 1; room = width - indent {
		at := room
		for i := room; i > room/2; i-- {
			if rest[i-1] == ' ' {
				at = i
				break
			}
		}
		b.WriteString(before + string(rest[:at]) + "\n")
		rest, before = rest[at:], strings.Repeat(" ", indent)
	}
	return b.String() + before + string(rest)
}

// wrap breaks a text at spaces into lines of at most width characters. A longer word has a line to itself.
func wrap(text string, width int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}
