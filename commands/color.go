package commands

import (
	"fmt"
	"io"
	"os"
)

// The words for --color.
const (
	colorAuto   = "auto"
	colorAlways = "always"
	colorNever  = "never"
)

// colorFlag returns --color, which every verb has that prints states for people.
func colorFlag(to *string) *option {
	parse := func(word string) (string, error) {
		if word != colorAuto && word != colorAlways && word != colorNever {
			return "", fmt.Errorf("%q is none of auto, always and never", word)
		}
		return word, nil
	}
	return valueFlag("color", "color the state: `auto|always|never`; auto is on a terminal only", parse, to)
}

// inColor reports whether states are printed in color. Without --color, NO_COLOR (https://no-color.org) and a terminal
// without colors are respected.
func inColor(when string, out io.Writer) bool {
	switch when {
	case colorAlways:
		return true
	case colorNever:
		return false
	}
	return terminalWidth(out) > 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// paint returns a state in the color that ip(8) gives it; no-carrier, which ip(8) does not print, is between its two.
func paint(state string) string {
	const green, yellow, red = 32, 33, 31
	color := map[string]int{"up": green, "no-carrier": yellow, "down": red}[state]
	if color == 0 {
		return state
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", color, state)
}
