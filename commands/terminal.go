package commands

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// usualWidth is the width of a screen whose width is not known.
const usualWidth = 80

// terminalWidth returns the number of characters in a line of the terminal that out writes to, and 0 if out is no
// terminal.
func terminalWidth(out io.Writer) int {
	f, ok := plainly(out).(*os.File)
	if !ok {
		return 0
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	switch {
	case err != nil:
		return 0
	case size.Col == 0: // a serial line
		return usualWidth
	}
	return int(size.Col)
}
