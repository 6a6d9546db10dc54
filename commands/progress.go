package commands

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/declare"
	"github.com/tunadm/tunadm/internal/poll"
)

// A progress is the line that shows on the terminal of standard error that a run takes more than a second. It is
// rewritten until the run ends, and erased before anything else is printed. A nil progress shows nothing.
type progress struct {
	terminal *os.File
	verb     string
	start    time.Time

	mu            sync.Mutex
	planned, done int  // steps
	shown         bool // the line is on the screen
	midLine       bool // the last output on the terminal did not end its line
	ended         bool
}

// showProgress starts to show progress, unless --quiet is given, standard error is not a terminal that can erase, or
// the user types the input. It returns a function that ends it.
func (p *program) showProgress(operands []string) (end func()) {
	terminal, ok := p.stderr.(*os.File)
	typed := slices.Contains(operands, declare.Stdin) && terminalWidth(os.Stdin) > 0
	if !ok || p.quiet || typed || !hasCursor(terminal) {
		return func() {}
	}
	g := &progress{terminal: terminal, verb: p.verb, start: time.Now()}
	p.progress, p.stderr = g, tidy{g, p.stderr}
	if terminalWidth(p.stdout) > 0 {
		p.stdout = tidy{g, p.stdout}
	}
	go g.run()
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.ended = true
		g.erase()
	}
}

// run draws the line until the run ends.
func (g *progress) run() {
	const wait, interval = time.Second, 100 * time.Millisecond
	poll.Sleep(wait)
	for g.draw() {
		poll.Sleep(interval)
	}
}

// draw draws the line, and reports whether it is to be drawn again. It draws nothing in a background process, which the
// terminal may stop, and nothing while a user has stopped the output.
func (g *progress) draw() (again bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return false // the caller may have closed the terminal
	}
	fd := int(g.terminal.Fd())
	group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	background := err == nil && group != unix.Getpgrp()
	if g.midLine || background || !poll.Output(fd, time.Now()) {
		return true
	}
	line := []rune(g.line())
	if width := terminalWidth(g.terminal); width > 0 && len(line) >= width {
		line = line[:width-1]
	}
	_, err = fmt.Fprintf(g.terminal, "\r%s%s", string(line), clearLine)
	g.shown = true
	return err == nil
}

// line returns the text of the line. If changes are undone, more steps run than were planned.
func (g *progress) line() string {
	took := int(time.Since(g.start).Seconds())
	switch {
	case g.planned == 0 && g.done == 0:
		return fmt.Sprintf("tunadm: %s: running for %d s", g.verb, took)
	case g.done > g.planned:
		return fmt.Sprintf("tunadm: %s: %d steps, %d s", g.verb, g.done, took)
	}
	return fmt.Sprintf("tunadm: %s: %d of %d steps, %d s", g.verb, g.done, g.planned, took)
}

// erase removes the line from the screen.
func (g *progress) erase() {
	if g.shown && poll.Output(int(g.terminal.Fd()), time.Now()) {
		_, err := io.WriteString(g.terminal, "\r"+clearLine)
		g.shown = err != nil
	}
}

// plan sets the number of planned steps.
func (g *progress) plan(steps int) {
	if g != nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.planned = steps
	}
}

// step counts a step that ran.
func (g *progress) step() {
	if g != nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.done++
	}
}

// A tidy writer erases the line of progress before it writes to the same terminal.
type tidy struct {
	*progress
	out io.Writer
}

func (w tidy) Write(text []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.erase()
	w.midLine = !bytes.HasSuffix(text, []byte("\n"))
	return w.out.Write(text)
}
