package commands

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestArrangePutsFlagsFirst(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"tun77 --mode tun --user waldner", "--mode=tun --user=waldner -- tun77"},
		{"--mode=tun a --up b", "--mode=tun --up=true -- a b"},
		{"a -v -- -b --up", "--verbose=true -- a -b --up"},
		{"-", "-- -"},
		{"--address 10.0.0.1 --address 10.0.0.2", "--address=10.0.0.1 --address=10.0.0.2 --"},
		{"--mtu 1400 --mtu=1400", "--mtu=1400 --mtu=1400 --"},
		{"--alias --up", "--alias=--up --"},
		{"--user=--up", "--user=--up --"},
		{"--alias=a=b", "--alias=a=b --"},
		{"", "--"},
	} {
		got, err := arrange(&addVerb, strings.Fields(c.args), addVerb.command(&program{}).flags())
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%q: got %q, %v; want %q", c.args, got, err, c.want)
		}
	}
}

func TestArrangeNamesTheCulprit(t *testing.T) {
	for _, c := range []struct{ args, text, hint string }{
		{"--mod tun", `unknown flag "--mod"`, "did you mean --mode?"},
		{"-u root", `unknown flag "-u"`, "did you mean --user?"},
		{"--MTU 1400", `unknown flag "--MTU"`, "did you mean --mtu?"},
		{"--xyzzy", `unknown flag "--xyzzy"`, "tunadm help add lists the flags"},
		{"-m", `unknown flag "-m"`, "tunadm help add lists the flags; a name that begins with - follows --"},
		{"-mode tun", `unknown flag "-mode"`, "did you mean --mode?"},
		{"--verbos", `unknown flag "--verbos"`, "did you mean --verbose?"},
		{"a --mode", "--mode needs a value", ""},
		{"a --address 10.0.0.1/24 broadcast +", `"broadcast" in place of a device name`,
			"quote a value of several words: --address '10.0.0.1/24 broadcast +'"},
		{"--up=true", "--up takes no value", ""},
		{"a --user --up", `--user needs a value, not "--up"`,
			"a value that begins with -- follows =: --user=--up"},
		{"a --master -- --up", `--master needs a value, not "--"`,
			"a value that begins with -- follows =: --master=--"},
	} {
		_, err := arrange(&addVerb, strings.Fields(c.args), addVerb.command(&program{}).flags())
		e := new(exitError)
		if !errors.As(err, &e) || e.Error() != c.text || e.Hint().String() != c.hint {
			t.Errorf("%q: got %v, want %q and the hint %q", c.args, err, c.text, c.hint)
		}
	}
}

// TestAllWrongValuesAreReported parses lines whose values are wrong. Each wrong value is a separate error.
func TestAllWrongValuesAreReported(t *testing.T) {
	for _, c := range []struct {
		args string
		want []string
	}{
		{"tun77 --mtu 1 --mode tip",
			[]string{`--mtu: "1" is not a number from 68 to 65535`, `--mode: "tip" is neither tun nor tap`}},
		{"--mtu 1400 tun77 --mtu 1500", []string{`--mtu is given twice, as "1400" and as "1500"`}},
		{"--mtu 1 --mtu 2 --promisc=1 tun77", []string{
			`--mtu: "1" is not a number from 68 to 65535`, `--mtu is given twice, as "1" and as "2"`,
			`--promisc: "1" is neither on nor off`,
		}},
		{"--address 1 --address 2 tun77",
			[]string{`--address: "1" is not an IP address`, `--address: "2" is not an IP address`}},
	} {
		p := &program{stdout: new(bytes.Buffer), stderr: new(bytes.Buffer)}
		var got []string
		for _, err := range each(p.do(append([]string{"tunadm", "add"}, strings.Fields(c.args)...))) {
			got = append(got, err.Error())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.args, got, c.want)
		}
	}
}

func FuzzArrange(f *testing.F) {
	f.Add("tun77\x00--mode\x00tun\x00--\x00-x")
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, "\x00")
		got, err := arrange(&addVerb, args, addVerb.command(&program{}).flags())
		if err != nil {
			return
		}
		end := slices.Index(got, "--")
		for i, arg := range got[:max(end, 0)] {
			if !strings.HasPrefix(arg, "--") || !strings.Contains(arg, "=") {
				t.Errorf("%q: argument %d is not a flag: %q", args, i, got)
			}
		}
		again, err := arrange(&addVerb, got, addVerb.command(&program{}).flags())
		if end < 0 || err == nil && !slices.Equal(again[len(again)-len(got[end+1:]):], got[end+1:]) {
			t.Errorf("%q: got %q, then %q", args, got, again)
		}
	})
}
