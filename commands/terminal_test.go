package commands

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/netcfg"
)

// terminal is the program "terminal WIDTH[:KEYS] PROGRAM ARGS...": it runs a program on a pseudo terminal of that
// width, types the keys, or sends the signal of that name, when the program has written something, and prints what the
// program writes to the terminal. The program has to end in time, and to leave the terminal as it was.
func terminal(args []string) int {
	width, keys, _ := strings.Cut(args[0], ":")
	screen, line := openTerminal(number(width))
	before := settings(screen)
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = line, line, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	must(cmd.Start())
	late := time.AfterFunc(patience, func() {
		fmt.Fprintf(os.Stderr, "terminal: %v takes more than %v\n", args[1:], patience)
		_ = cmd.Process.Kill()
	})
	defer late.Stop()
	text := make(chan string)
	go func() { text <- watchScreen(screen, keys, cmd.Process) }()
	_ = cmd.Wait()
	after := settings(screen)
	must(line.Close())
	fmt.Print(strings.ReplaceAll(<-text, "\r\n", "\n"))
	if after != before {
		fmt.Fprintf(os.Stderr, "terminal: %v changed the terminal from %+v to %+v\n", args[1:], before, after)
		return 99
	}
	return cmd.ProcessState.ExitCode()
}

// watchScreen returns what is written to a terminal until its end. After the first text it types keys, or sends a
// signal to the program.
func watchScreen(screen *os.File, keys string, program *os.Process) string {
	first := make([]byte, 1)
	_, err := io.ReadFull(screen, first)
	if err == nil {
		if s := unix.SignalNum(keys); s != 0 {
			must(program.Signal(s))
		} else if keys != "" {
			_, err := screen.WriteString(strings.NewReplacer("^C", "\x03", "^D", "\x04", "^J", "\n").Replace(keys))
			must(err)
		}
	}
	rest, err := io.ReadAll(screen)
	if !errors.Is(err, unix.EIO) { // the end of a terminal
		must(err)
	}
	return string(append(bytes.TrimRight(first, "\x00"), rest...))
}

// settings returns the modes of the terminal of a screen.
func settings(screen *os.File) unix.Termios {
	modes, err := unix.IoctlGetTermios(int(screen.Fd()), unix.TCGETS)
	must(err)
	return *modes
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
	unbroken := strings.NewReplacer("\\\n", " ", "'\n    columns+='", "")
	for _, file := range []string{"_tunadm", "tunadm.bash", "tunadm.fish"} {
		text := strings.Join(strings.Fields(unbroken.Replace(read(t, "../completions/"+file))), " ")
		if names := strings.Join(columnNames(), " "); !strings.Contains(text, names) {
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

// TestBreakLine checks that a line is broken after spaces, or within long words, and that no character is lost.
func TestBreakLine(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{"", 9, ""}, {"123456789", 9, "123456789"}, {"1234567890ab", 9, "123456789/  0ab"},
		{"alias: two  words", 12, "alias: two  /  words"}, {"a 34567890", 8, "a 345678/  90"},
		{"éééé é", 5, "éééé /  é"},
		{"abc", 1, "abc"},
	} {
		if got := strings.ReplaceAll(breakLine(c.text, c.width, 2), "\n", "/"); got != c.want {
			t.Errorf("breakLine(%q, %d) = %q, want %q", c.text, c.width, got, c.want)
		}
	}
}

// TestTopSortsByRates checks the rates of devices that grow, come, go, and are replaced.
func TestTopSortsByRates(t *testing.T) {
	device := func(index int, name string, rx, tx uint64) *netcfg.Device {
		stats := netcfg.Stats{RxPackets: rx / 10, RxBytes: rx, TxBytes: tx, TxDropped: tx / 100}
		return &netcfg.Device{Index: index, Name: name, Stats: stats}
	}
	start := time.Unix(1000, 0)
	before := &sample{start, []*netcfg.Device{device(1, "idle", 5000, 5000), device(2, "sends", 0, 100),
		device(3, "gone", 0, 0), device(4, "less", 900, 900), device(5, "receives", 1000, 0)}}
	now := &sample{start.Add(2 * time.Second), []*netcfg.Device{device(1, "idle", 5000, 5000),
		device(2, "sends", 0, 2100), device(4, "less", 0, 0), device(5, "receives", 4001, 0),
		device(6, "new", 10000, 0)}}
	var out bytes.Buffer
	if err := renderTable(&out, mostTraffic(now, before), rateColumns(now, before), screen{}); err != nil {
		t.Fatal(err)
	}
	const want = `NAME      RX PKT/S  RX B/S  RX DROP/S  TX PKT/S  TX B/S  TX DROP/S
receives       150    1501          0         0       0          0
sends            0       0          0         0    1000         10
idle             0       0          0         0       0          0
less             -       -          0         0       -          -
new              -       -          -         -       -          -
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

// TestListFits prints a device whose every value is long at several widths, in color too: no line is longer, and every
// column is shown or named as hidden.
func TestListFits(t *testing.T) {
	id := &users.ID{Number: 4000000000, Name: "a-user-with-a-long-name"}
	address, _ := netcfg.ParseAddress("2001:db8:1111:2222:3333:4444:5555:6666/128")
	namespace, most := "a-long-namespace", uint64(math.MaxUint64)
	d := &netcfg.Device{
		Name: "fifteen-letters", Kind: "tun", Mode: link.TAP, MTU: 65535, MAC: link.MAC{2, 0, 0, 0, 0, 1},
		Netns: &namespace, Master: "fifteen-letter2", Up: true, Access: users.Access{User: id, Group: id}, Queues: 1,
		Addresses: []netcfg.Address{address, address},
		Holders:   []netcfg.Holder{{PID: 4194304, Command: "fifteen-letters", Queues: 1}},
		Stats: netcfg.Stats{RxPackets: most, RxBytes: most, RxDropped: most, TxPackets: most, TxBytes: most,
			TxDropped: most},
	}
	escape := regexp.MustCompile("\x1b[^m]*m")
	for name, chosen := range map[string][]column{"usual": usualColumns(), "stats": statsColumns()} {
		for _, width := range []int{20, 40, usualWidth, 120, 200, 300} {
			var out bytes.Buffer
			err := renderTable(&out, []*netcfg.Device{d}, chosen, screen{width: width, color: true})
			text := escape.ReplaceAllString(out.String(), "")
			if n := widest(text); err != nil || n > width {
				t.Errorf("%s: a line of %d columns on a screen of %d, error %v:\n%s", name, n, width, err, text)
			}
			for _, c := range chosen {
				if !strings.Contains(strings.Join(strings.Fields(text), " "), c.heading()) {
					t.Errorf("%s: %s is neither shown nor named at width %d:\n%s", name, c.heading(), width, text)
				}
			}
		}
	}
}

// TestTreeHasMastersOfMasters prints ports below ports, and a program beside a port.
func TestTreeHasMastersOfMasters(t *testing.T) {
	branch := func(kind, name string, ports ...*node) *node {
		return &node{Device: &netcfg.Device{Name: name, Kind: kind}, Ports: ports}
	}
	tap := branch("tun", "tap0")
	tap.Device.Mode = link.TAP
	tap.Device.Holders = []netcfg.Holder{{PID: 7, Command: "a"}, {PID: 8, Command: "b"}}
	t.Setenv("LC_ALL", "C")
	var out bytes.Buffer
	roots := []*node{branch("vrf", "vrf0", branch("bridge", "br0", tap, branch("", "eth0")), branch("bridge", "br1"))}
	if err := renderTree(&out, roots, false); err != nil {
		t.Fatal(err)
	}
	const want = `vrf0  vrf  down
|- br0  bridge  down
|  |- tap0  tap  down
|  |  |- a(7)
|  |  ` + "`" + `- b(8)
|  ` + "`" + `- eth0  down
` + "`" + `- br1  bridge  down
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
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
