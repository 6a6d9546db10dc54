package commands

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/declare"
	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// complaint returns what is printed about the mistakes in a file.
func complaint(t *testing.T, text string) string {
	t.Helper()
	var stderr bytes.Buffer
	_, err := declare.Read([]string{written(t, text)})
	p := &program{verb: "apply", stderr: &stderr}
	p.complain(err)
	return stderr.String()
}

// written returns the path of a new file with that text.
func written(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestTheManualHasAComplaint compares the example of tunadm.toml(5) with what is printed for such a file.
func TestTheManualHasAComplaint(t *testing.T) {
	_, example, _ := strings.Cut(read(t, "../man/tunadm.toml.5"), "\n# tunadm apply --check lab.toml\n")
	example, _, _ = strings.Cut(example, ".Ed\n")
	out := complaint(t, "[device.tun1]\nowner = \"waldner\"\nmtu = \"1400\"\n")
	out = regexp.MustCompile(`/\S+/f:`).ReplaceAllString(out, "lab.toml:")
	if out != example {
		t.Errorf("the manual has\n%s\nthe program prints\n%s", example, out)
	}
}

// FuzzComplain prints the mistakes of any file: without characters that a terminal interprets, and with the caret below
// the line or one character after it.
func FuzzComplain(f *testing.F) {
	for _, text := range []string{
		"[device.tun0]\nmtu =\r\n", "[device.tun0]\nmtu = 1 \r\n", "mtu = \"a\r\n", "\ufeff[x]\r\n\tmtu == 1\r\n",
		"[device.tun0]\na\u0301\x9f = 1\xc3", "a = \"\u202e\u009b\"\n[\u3164]\n", "x = [\n1,\r",
		strings.Repeat("é", 300) + " = = 1\r\n", "[device.\"tun\x01\"]\r\n= 3\r", "\r\n\r\n=\r\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		out := complaint(t, text)
		lines := strings.Split(out, "\n")
		for i, line := range lines {
			if words.Escape(strings.ReplaceAll(line, `\`, "")) != strings.ReplaceAll(line, `\`, "") {
				t.Errorf("%q is printed", line)
			}
			if utf8.RuneCountInString(line) > 8000 {
				t.Errorf("a line of %d characters", utf8.RuneCountInString(line))
			}
			if i == 0 || strings.TrimLeft(line, " ") != "^" {
				continue
			}
			if len(line) > utf8.RuneCountInString(lines[i-1])+1 {
				t.Errorf("the caret is beyond the line:\n%s\n%s", lines[i-1], line)
			}
		}
	})
}

// TestCaretUnderLineEnds tries a mistake at every place of lines with each kind of line end.
func TestCaretUnderLineEnds(t *testing.T) {
	for _, end := range []string{"\n", "\r\n", "\r", ""} {
		for length := range 300 {
			for _, line := range []string{"mtu = %s", "mtu = \"%s", "mtu =%s", "[%s", "\t%s = \u00e9 ="} {
				text := "[device.tun0]\r\n" + fmt.Sprintf(line, strings.Repeat("x", length)) + end
				if out := complaint(t, text); !strings.Contains(out, "^") {
					t.Fatalf("no caret for %q:\n%s", text, out)
				}
			}
		}
	}
}

// TestManyMistakes reads files with mistakes throughout. Quadratic algorithms took from half a minute to minutes here.
func TestManyMistakes(t *testing.T) {
	n, most := 20000, nstest.Patience(10*time.Second)
	for _, text := range []string{
		"[device.tun0]\naddresses = [" + strings.Repeat(`"bad",`, n) + "]\n",
		"[device.tun0]\nroutes = [" + strings.Repeat(`"10.1.0.0/16",`, n) + "]\n",
		"[device.tun0]\n" + strings.Repeat("mtu = = 1\n", n),
		"[device.tun0]\n" + numbered("x%d = 1\n", n),
		numbered("[x%d]\n", n),
		strings.Repeat("[device.tun0]\n", n),
	} {
		spent := cpuTime(t)
		out := complaint(t, text)
		if took := spent(); took > most {
			t.Errorf("%q...: took %v", text[:40], took)
		}
		if !strings.Contains(out, "more mistakes") || len(out) > 100000 {
			t.Errorf("%q...: %d bytes are printed", text[:40], len(out))
		}
	}
}

// TestManyDevices reads as many devices as users may declare in a loop or a range.
func TestManyDevices(t *testing.T) {
	n, most := 20000, nstest.Patience(10*time.Second)
	for _, c := range []struct {
		text string
		want int
	}{
		{"[device]\n" + numbered("tun%d = { mtu = 1400, user = \"root\" }\n", n), n},
		{"device = { " + numbered("tun%d = { mtu = 1400 }, ", n) + "tun = {} }\n", n + 1},
		{numbered("device.tun%d.mtu = 1400\n", n), n},
		{"[device.\"tap[0-65535]\"]\nalias = \"port {n}\"\naddresses = [\"10.0.0.1/24\"]\n", 65536},
	} {
		spent := cpuTime(t)
		declared, err := declare.Read([]string{written(t, c.text)})
		if err != nil || len(declared) != c.want {
			t.Errorf("%q...: %d devices, want %d, %v", c.text[:40], len(declared), c.want, err)
		}
		if took := spent(); took > most {
			t.Errorf("%q...: took %v", c.text[:40], took)
		}
	}
}

// TestManyAddresses plans a device with as many addresses and routes as a file may have.
func TestManyAddresses(t *testing.T) {
	n, most := 20000, nstest.Patience(10*time.Second)
	var addresses, routes []string
	for i := range n {
		addresses = append(addresses, fmt.Sprintf(`"10.%d.%d.1/24"`, i>>8, i&255))
		routes = append(routes, fmt.Sprintf(`"11.%d.%d.0/24"`, i>>8, i&255))
	}
	spent := cpuTime(t)
	text := "[device.tun0]\naddresses = [" + strings.Join(addresses, ",") + "]\n" +
		"routes = [" + strings.Join(routes, ",") + "]\n"
	declared, err := declare.Read([]string{written(t, text)})
	if err != nil {
		t.Fatal(err)
	}
	steps, err := netcfg.Plan(&declared[0].Spec, nil)
	if err != nil || len(steps) < 2*n {
		t.Error(len(steps), err)
	}
	if took := spent(); took > most {
		t.Errorf("took %v", took)
	}
}

// cpuTime returns a function that returns how much processor time this process has used since. On a busy machine the
// time of day says nothing about the program.
func cpuTime(t *testing.T) (spent func() time.Duration) {
	now := func() time.Duration {
		var usage unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
			t.Fatal(err)
		}
		return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	begin := now()
	return func() time.Duration { return now() - begin }
}

func numbered(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}
