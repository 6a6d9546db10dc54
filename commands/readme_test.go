package commands

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/nstest"
)

// waldner is the UID and GID of the user of the README.
const waldner = 1000

// variable are the parts of an example that differ in each run. Everything else has to be as printed, except that a
// line "..." is any number of lines.
var variable = []struct {
	pattern *regexp.Regexp
	word    string
}{
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b`), "DATE"},
	{regexp.MustCompile(`\b\d\d:\d\d:\d\d(\.\d+)?\b`), "TIME"},
	{regexp.MustCompile(`\bpid \d+\b`), "pid PID"},
	{regexp.MustCompile(`\(\d+\)`), "(PID)"},
	{regexp.MustCompile(`icmp_seq=\d+ ttl=64 time=[\d.]+ ms`), "icmp_seq=N ttl=64 time=T ms"},
	{regexp.MustCompile(`\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b`), "MAC"},
}

// vpnd is the program "vpnd --dev NAME" of the README: it attaches to a tun and stays.
func vpnd(args []string) int {
	f, err := nstest.Attach(args[1], unix.IFF_TUN|unix.IFF_NO_PI)
	must(err)
	fmt.Println("vpnd: attached to " + args[1])
	nstest.Rest(f)
	return 0
}

// A block is an indented part of the README, with the comments before it: commands of the test ("test: COMMAND"), the
// file that it is ("file: PATH"), and the network namespace of a session ("netns: NAME").
type block struct {
	comments [][2]string
	lines    []string
}

// blocks returns the blocks of a section of the README.
func blocks(section string) (all []block) {
	comment := regexp.MustCompile(`^<!-- (\w+): (.*) -->$`)
	var b block
	finish := func() {
		for len(b.lines) > 0 && b.lines[len(b.lines)-1] == "" {
			b.lines = b.lines[:len(b.lines)-1]
		}
		if len(b.lines) > 0 {
			all, b = append(all, b), block{}
		}
	}
	for line := range strings.Lines(section) {
		line = strings.TrimSuffix(line, "\n")
		if m := comment.FindStringSubmatch(line); m != nil {
			finish()
			b.comments = append(b.comments, [2]string{m[1], m[2]})
		} else if code, ok := strings.CutPrefix(line, "    "); ok || line == "" && len(b.lines) > 0 {
			b.lines = append(b.lines, code)
		} else if line != "" {
			finish()
		}
	}
	finish()
	return all
}

// TestTheReadmeRunsAsPrinted runs the sessions of the README, each section in separate namespaces: lines after "$ " as
// the user waldner, who may use sudo, and lines after "# " as root. It compares what they print.
func TestTheReadmeRunsAsPrinted(t *testing.T) {
	nstest.NeedReal(t)
	for _, program := range []string{"bash", "ip", "ping", "setpriv", "sudo"} {
		nstest.NeedProgram(t, program)
	}
	sessions := 0
	for section := range strings.SplitSeq(read(t, "../README.md"), "\n## ") {
		title, _, _ := strings.Cut(section, "\n")
		t.Run(title, func(t *testing.T) {
			all := blocks(section)
			nstest.Enter(t)
			readmeMachine(t)
			nstest.Run(t, "ip", "link", "set", "lo", "up")
			for _, b := range all {
				sessions += b.run(t)
			}
		})
	}
	if sessions < 10 {
		t.Errorf("the README has %d sessions", sessions)
	}
}

// readmeMachine prepares users, sudo, the programs and a writable /etc in the mount namespace of the test.
func readmeMachine(t *testing.T) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	const over = "/run/over"
	check(os.MkdirAll(over+"/upper", 0o755))
	check(os.MkdirAll(over+"/work", 0o755))
	layers := "lowerdir=/etc,upperdir=" + over + "/upper,workdir=" + over + "/work"
	if err := unix.Mount("overlay", "/etc", "overlay", 0, layers); err == unix.ENODEV {
		nstest.Skip(t, "requires a kernel with overlayfs")
	} else {
		check(err)
	}
	check(unix.Mount("tmpfs", "/home", "tmpfs", 0, "mode=1777"))
	check(unix.Mount("tmpfs", "/usr/local/bin", "tmpfs", 0, "mode=755"))
	host, err := os.Hostname()
	check(err)
	for path, text := range map[string]string{
		"/etc/passwd":  "root:*:0:0::/:/bin/sh\nwaldner:*:1000:1000::/home:/bin/sh\nkim:*:1001:1001::/home:/bin/sh\n",
		"/etc/group":   "root:*:0:\nwaldner:*:1000:\nkim:*:1001:\nkvm:*:104:\n",
		"/etc/hosts":   "127.0.0.1 localhost " + host + "\n",
		"/etc/sudoers": "Defaults !env_reset, !secure_path\nroot,waldner ALL=(ALL:ALL) NOPASSWD: ALL\n",
	} {
		check(os.WriteFile(path, []byte(text), 0o644))
	}
	check(os.Chmod("/etc/sudoers", 0o440))
	check(os.RemoveAll("/etc/tunadm.toml"))
	check(os.RemoveAll("/etc/tunadm.d"))
	self, err := os.Executable()
	check(err)
	for _, name := range []string{"tunadm", "vpnd"} {
		path := "/usr/local/bin/" + name
		check(os.WriteFile(path, nil, 0o755))
		check(unix.Mount(self, path, "", unix.MS_BIND, ""))
	}
}

// run does what the comments say, and runs the block if it is a session. It returns the number of sessions.
func (b block) run(t *testing.T) int {
	netns := ""
	for _, c := range b.comments {
		switch c[0] {
		case "test":
			nstest.Run(t, "sh", "-ec", c[1])
		case "file":
			if err := os.WriteFile(c[1], []byte(strings.Join(b.lines, "\n")+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			return 0
		case "netns":
			netns = c[1]
		default:
			t.Fatalf("an unknown comment: %v", c)
		}
	}
	prompt := b.lines[0][:2]
	if prompt != "$ " && prompt != "# " {
		return 0
	}
	s := newShell(t, prompt == "$ ", netns)
	for lines := b.lines; len(lines) > 0; {
		command, rest := strings.TrimPrefix(lines[0], prompt), lines[1:]
		if command == lines[0] {
			t.Fatalf("%q has another prompt", command)
		}
		n := 0
		for n < len(rest) && !strings.HasPrefix(rest[n], prompt) {
			n++
		}
		s.expect(command, rest[:n])
		lines = rest[n:]
	}
	return 1
}

// A shell runs the commands of a session.
type shell struct {
	*testing.T
	in  io.Writer
	out chan string
}

// endOfOutput is what the shell prints after each command.
const endOfOutput = "\036"

// newShell starts a shell of waldner or root. The end of the test kills it, with its background jobs.
func newShell(t *testing.T, asWaldner bool, netns string) *shell {
	t.Helper()
	words := []string{"bash", "--norc"}
	if asWaldner {
		words = append([]string{"setpriv", fmt.Sprint("--reuid=", waldner), fmt.Sprint("--regid=", waldner),
			"--clear-groups"}, words...)
	}
	// Where ping has no capability, systemd permits everyone to send pings, in its own network namespace only.
	const ping = `echo 0 2147483647 >/proc/sys/net/ipv4/ping_group_range; exec "$@"`
	words = append([]string{"sh", "-c", ping, "sh"}, words...)
	if netns != "" {
		words = append([]string{"ip", "netns", "exec", netns}, words...)
	}
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir = "/home"
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin", "LC_ALL=C", "HOME=/home"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = write, write
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	s := &shell{T: t, in: in, out: make(chan string, 1000)}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		out.Close()
	})
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			s.out <- lines.Text()
		}
		close(s.out)
	}()
	return s
}

// expect runs a command and compares what it and earlier background jobs print. It waits until a background job has
// printed its lines.
func (s *shell) expect(command string, want []string) {
	s.Helper()
	if _, err := fmt.Fprintf(s.in, "%s\nprintf '%s\\n'\n", command, endOfOutput); err != nil {
		s.Fatal(err)
	}
	for i := range want {
		want[i] = general(want[i])
	}
	deadline := time.After(nstest.Patience(15 * time.Second))
	var got []string
	for ended := false; !ended || !printedAs(want, got); {
		select {
		case line, ok := <-s.out:
			if !ok {
				s.Fatalf("%s: the shell ended after %q", command, got)
			}
			if line == endOfOutput {
				ended = true
				if !strings.Contains(command, " &") && !printedAs(want, got) {
					s.Fatalf("%s\ngot:\n%s\nwant:\n%s", command, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			} else {
				got = append(got, general(line))
			}
		case <-deadline:
			s.Fatalf("%s: not as printed in time\ngot:\n%s\nwant:\n%s", command, strings.Join(got, "\n"),
				strings.Join(want, "\n"))
		}
	}
}

// general replaces the variable parts of a line.
func general(line string) string {
	line = strings.TrimRight(line, " ")
	for _, v := range variable {
		line = v.pattern.ReplaceAllString(line, v.word)
	}
	return line
}

// printedAs reports whether lines are as wanted; "..." is any number of lines.
func printedAs(want, got []string) bool {
	if len(want) == 0 {
		return len(got) == 0
	}
	if want[0] == "..." {
		return printedAs(want[1:], got) || len(got) > 0 && printedAs(want, got[1:])
	}
	return len(got) > 0 && want[0] == got[0] && printedAs(want[1:], got[1:])
}
