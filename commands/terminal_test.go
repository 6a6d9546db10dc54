package commands

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// terminal is the program "terminal WIDTH PROGRAM ARGS...": it runs a program on a pseudo terminal of that width, and
// prints what the program writes to it. The program has ten seconds.
func terminal(args []string) int {
	const longest = 10 * time.Second
	screen, line := openTerminal(number(args[0]))
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = line, line, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	must(cmd.Start())
	must(line.Close())
	late := time.AfterFunc(longest, func() {
		fmt.Fprintf(os.Stderr, "terminal: %v takes more than %v\n", args[1:], longest)
		_ = cmd.Process.Kill()
	})
	defer late.Stop()
	text, err := io.ReadAll(screen)
	if !errors.Is(err, unix.EIO) { // the end of a terminal
		must(err)
	}
	fmt.Print(strings.ReplaceAll(string(text), "\r\n", "\n"))
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode()
}

// openTerminal returns the two ends of a new pseudo terminal: a screen, and the line of the program on it.
func openTerminal(width int) (screen, line *os.File) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	must(err)
	must(unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	peer, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCGPTPEER,
		unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		must(errno)
	}
	must(unix.IoctlSetWinsize(int(peer), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: uint16(width)}))
	return os.NewFile(uintptr(fd), "screen"), os.NewFile(peer, "line")
}

// TestColumnsAreNamedEverywhere looks for each column in the manual and in the completions.
func TestColumnsAreNamedEverywhere(t *testing.T) {
	_, page, _ := strings.Cut(read(t, "../man/tunadm.8"), "\n.Bl -tag -width \"IN USE BY\" -compact\n")
	page, _, _ = strings.Cut(page, "\n.El\n")
	for _, c := range columns() {
		if !strings.Contains("\n"+page+"\n", "\n.It "+c.heading()+"\n") {
			t.Errorf("the manual does not describe %s", c.heading())
		}
	}
	if items, want := strings.Count("\n"+page, "\n.It "), len(columns()); items != want {
		t.Errorf("the manual describes %d columns, and the program has %d", items, want)
	}
	for _, file := range []string{"_tunadm", "tunadm.bash", "tunadm.fish"} {
		if names := strings.Join(columnNames(), " "); !strings.Contains(read(t, "../completions/"+file), names) {
			t.Errorf("%s lacks the columns %q", file, names)
		}
	}
}

// TestWrap checks that lines are as long as possible and no word is broken.
func TestWrap(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{"", 5, ""}, {"one two", 7, "one two"}, {"one two", 6, "one/two"}, {"a longer word", 3, "a/longer/word"},
		{"é é é", 3, "é é/é"},
	} {
		if got := strings.Join(wrap(c.text, c.width), "/"); got != c.want {
			t.Errorf("wrap(%q, %d) = %q, want %q", c.text, c.width, got, c.want)
		}
	}
}

// TestHelpFits prints the help of each verb at several widths: no line is longer, and all words are there.
func TestHelpFits(t *testing.T) {
	screens := map[string]func(width int) string{"tunadm": programHelp}
	for _, v := range verbs() {
		screens[v.name] = func(width int) string { return verbHelp(&v, allFlags(v), width) }
	}
	for name, screen := range screens {
		for _, width := range []int{50, usualWidth, 120} {
			text := screen(width)
			if n := widest(text); n > width {
				t.Errorf("%s: a line of %d columns on a screen of %d:\n%s", name, n, width, text)
			}
			if strings.Join(strings.Fields(text), " ") != strings.Join(strings.Fields(screen(1000)), " ") {
				t.Errorf("%s: words are lost on a screen of %d columns:\n%s", name, width, text)
			}
		}
	}
	for _, v := range verbs() {
		var out bytes.Buffer
		if code := Main([]string{"tunadm", v.name, "--help"}, "", &out, &out); code != 0 {
			t.Errorf("%s --help: exit code %d", v.name, code)
		}
		if want := screens[v.name](usualWidth); out.String() != want {
			t.Errorf("%s --help in a pipe:\n%swant:\n%s", v.name, out.String(), want)
		}
	}
}

// widest returns the length of the longest line of a text.
func widest(text string) (most int) {
	for line := range strings.Lines(text) {
		most = max(most, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")))
	}
	return most
}
