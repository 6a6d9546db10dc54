package commands

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// usualWidth is the width of a screen whose width is not known.
const usualWidth = 80

// terminalWidth returns the number of characters in a line of the terminal that out writes to, and 0 if out is not
// a terminal.
func terminalWidth(out io.Writer) int {
	width, _ := terminalSize(out)
	return width
}

// terminalSize returns the size of the terminal that out writes to in characters, and 0 if out is not a terminal.
func terminalSize(out io.Writer) (width, height int) {
	const usualHeight = 24
	f, ok := plainly(out).(*os.File)
	if !ok {
		return 0, 0
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	switch {
	case err != nil:
		return 0, 0
	case size.Col == 0 || size.Row == 0: // a serial line
		return usualWidth, usualHeight
	}
	return int(size.Col), int(size.Row)
}

// Control sequences of ECMA-48 and xterm, which all terminals in use have. Leaving the screen shows what was on it
// before.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l"
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	cursorHome  = "\x1b[H"
	clearLine   = "\x1b[K"
	clearBelow  = "\x1b[J"
)

// hasCursor reports whether out is a terminal that moves its cursor.
func hasCursor(out io.Writer) bool { return terminalWidth(out) > 0 && os.Getenv("TERM") != "dumb" }

// takeKeys has the terminal of standard input deliver each key at once, without echo, if out is a terminal too and this
// process is in the foreground. It returns the descriptor to read keys from, or -1, and a function that restores the
// terminal. A stopped process could not restore it, so Ctrl-Z is turned off; Ctrl-C still sends a signal.
func takeKeys(out io.Writer) (keys int, restore func(), err error) {
	keys = int(os.Stdin.Fd())
	saved, err := unix.IoctlGetTermios(keys, unix.TCGETS)
	if err != nil || terminalWidth(out) == 0 {
		return -1, func() {}, nil
	}
	if group, err := unix.IoctlGetInt(keys, unix.TIOCGPGRP); err != nil || group != unix.Getpgrp() {
		return -1, func() {}, nil // a change would stop this process
	}
	changed := *saved
	changed.Lflag &^= unix.ICANON | unix.ECHO
	changed.Cc[unix.VMIN], changed.Cc[unix.VTIME] = 1, 0
	changed.Cc[unix.VSUSP] = 0
	if err := unix.IoctlSetTermios(keys, unix.TCSETS, &changed); err != nil {
		return -1, nil, os.NewSyscallError("ioctl TCSETS", err)
	}
	return keys, func() { _ = unix.IoctlSetTermios(keys, unix.TCSETS, saved) }, nil // it may have hung up
}

// quits reads what was typed, and reports whether it ends the run: q, or the end of the input.
func quits(keys int) bool {
	typed := make([]byte, 64)
	n, err := unix.Read(keys, typed)
	if err == unix.EINTR || err == unix.EAGAIN {
		return false
	}
	for _, key := range typed[:max(0, n)] {
		if key == 'q' || key == 'Q' {
			return true
		}
	}
	return n <= 0
}
