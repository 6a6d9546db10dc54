package commands

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// onTerminal returns a program on a new terminal, and a function that returns what is on the screen so far.
func onTerminal(t *testing.T, width int) (p *program, seen func() string) {
	screen, line := openTerminal(width)
	t.Cleanup(func() {
		screen.Close()
		line.Close()
	})
	seen = func() string {
		const end = "\x00"
		if _, err := line.WriteString(end); err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for part := make([]byte, 256); !strings.HasSuffix(text.String(), end); {
			n, err := screen.Read(part)
			if err != nil {
				t.Fatal(err)
			}
			text.Write(part[:n])
		}
		return strings.TrimSuffix(text.String(), end)
	}
	return &program{stdout: line, stderr: line, verb: "apply"}, seen
}

// TestProgressIsErased draws the line of progress, and prints something below it.
func TestProgressIsErased(t *testing.T) {
	t.Setenv("TERM", "xterm")
	p, seen := onTerminal(t, 40)
	end := p.showProgress([]string{"tun1"})
	g := p.progress
	if g == nil {
		t.Fatal("no progress on a terminal")
	}
	g.start = time.Now().Add(-7 * time.Second)
	for i, c := range []struct {
		do   func()
		want string
	}{
		{func() { g.draw() }, "\rtunadm: apply: running for 7 s\x1b[K"},
		{func() { g.plan(3); g.step(); g.draw() }, "\rtunadm: apply: 1 of 3 steps, 7 s\x1b[K"},
		{func() { p.say("a") }, "\r\x1b[Ktunadm: apply: a\r\n"},
		{func() { p.say("b") }, "tunadm: apply: b\r\n"},
		{func() { fmt.Fprint(p.stdout, "half a "); g.draw() }, "half a "},
		{func() { fmt.Fprintln(p.stdout, "line"); g.plan(0); g.draw() }, "line\r\n\rtunadm: apply: 1 steps, 7 s\x1b[K"},
		{func() { g.plan(1000000); g.draw() }, "\rtunadm: apply: 1 of 1000000 steps, 7 s\x1b[K"},
		{func() { g.plan(100000000); g.draw() }, "\rtunadm: apply: 1 of 100000000 steps, 7 \x1b[K"},
		{end, "\r\x1b[K"},
		{func() { g.draw() }, ""},
	} {
		c.do()
		if got := seen(); got != c.want {
			t.Errorf("%d: got %q, want %q", i, got, c.want)
		}
	}
}

// TestProgressIsForTerminals asks for progress where nobody wants it.
func TestProgressIsForTerminals(t *testing.T) {
	_, pipe, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	stdin := os.Stdin
	defer func() { os.Stdin = stdin }()
	os.Stdin = pipe
	for name, prepare := range map[string]func(p *program){
		"dumb":  func(*program) { t.Setenv("TERM", "dumb") },
		"quiet": func(p *program) { p.quiet = true },
		"pipe":  func(p *program) { p.stderr = pipe },
		"typed": func(p *program) { os.Stdin = p.stdout.(*os.File) },
	} {
		t.Setenv("TERM", "xterm")
		p, _ := onTerminal(t, usualWidth)
		prepare(p)
		if p.showProgress([]string{"-"})(); p.progress != nil {
			t.Errorf("%s: progress is shown", name)
		}
		os.Stdin = pipe
	}
}
