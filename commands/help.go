package commands

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// help prints the table of verbs, or the flags of one verb.
func (p *program) help(operands []string) error {
	switch {
	case len(operands) > 1:
		return usage("help describes one verb at a time", "tunadm help VERB")
	case len(operands) == 0 || operands[0] == "help" || operands[0] == "--help" || operands[0] == "-h":
		return p.printHelp(programHelp)
	}
	v := findVerb(operands[0])
	if v == nil {
		return unknownVerb(operands[0])
	}
	return p.parse(v, []string{"--help"}, false)
}

// printHelp prints a text that fits the terminal, or a usual one.
func (p *program) printHelp(text func(width int) string) error {
	width := terminalWidth(p.stdout)
	if width == 0 {
		width = usualWidth
	}
	_, err := io.WriteString(p.stdout, text(width))
	return err
}

// programHelp returns the table of verbs.
func programHelp(width int) string {
	var rows [][2]string
	for _, v := range verbs() {
		rows = append(rows, [2]string{strings.Join(append([]string{v.name}, v.aliases...), ", "), v.usage})
	}
	return hang("", "tunadm - create, change, show and delete persistent TUN/TAP devices", width) +
		"\n" + hang("Usage: ", "tunadm [VERB] [FLAGS] [NAME...]", width) +
		"\nVerbs:\n" + twoColumns(rows, width) +
		"\n" + hang("", "'tunadm help VERB' shows the flags of a verb. Without a verb, tunadm lists the devices. "+
		"See also tunadm(8).", width)
}

// verbHelp returns the flags of a verb.
func verbHelp(v *verb, flags []*option, width int) string {
	var rows [][2]string
	for _, f := range flags {
		spelled, text := f.describe()
		rows = append(rows, [2]string{spelled, text})
	}
	return hang("", fmt.Sprintf("tunadm %s - %s", v.name, v.usage), width) +
		"\n" + hang("Usage: ", strings.TrimSpace(fmt.Sprintf("tunadm %s [FLAGS] %s", v.name, v.operands)), width) +
		"\nFlags:\n" + twoColumns(rows, width) + "\nSee also " + cmp.Or(v.page, "tunadm(8)") + ".\n"
}

// twoColumns returns rows of a word and its description. On a narrow screen the description is below the word.
func twoColumns(rows [][2]string, width int) string {
	const indent, below, least = 2, 8, 24
	left := 0
	for _, row := range rows {
		left = max(left, utf8.RuneCountInString(row[0]))
	}
	var b strings.Builder
	for _, row := range rows {
		if width-indent-left-gap >= least {
			b.WriteString(hang(fmt.Sprintf("%*s%-*s", indent, "", left+gap, row[0]), row[1], width))
			continue
		}
		fmt.Fprintf(&b, "%*s%s\n", indent, "", row[0])
		b.WriteString(hang(strings.Repeat(" ", below), row[1], width))
	}
	return b.String()
}

// hang returns a text after a first word, broken at spaces into lines of at most width characters. The lines are
// aligned below the first character after that word.
func hang(first, text string, width int) string {
	indent := utf8.RuneCountInString(first)
	lines := wrap(text, width-indent)
	return first + strings.Join(lines, "\n"+strings.Repeat(" ", indent)) + "\n"
}
