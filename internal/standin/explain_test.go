package standin

import (
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/driver"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// TestExplain: a line becomes the line of tunadm, or a refusal with the exit code of the tool.
func TestExplain(t *testing.T) {
	for _, c := range []struct {
		line, want string
		exit       int
	}{
		{"tunctl -t tap0 -u waldner", "tunadm add tap0 --mode tap --user waldner --if-missing", 0},
		{"/usr/sbin/tunctl -nbttun0 -gkvm", "tunadm add tun0 --mode tun --group kvm --if-missing", 0},
		{"vde_tunctl -u 0x10", "tunadm add --mode tap --user 16", 0},
		{"tunctl -d tap0", "tunadm delete tap0 --mode tap --if-exists", 0},
		{"tunctl -x", `unknown option "-x"`, 1},
		{"tunctl -t", "-t requires a value", 1},
		{"tunctl tap0", `"tap0" is not an option: a name follows -t or -d`, 1},
		{"openvpn --mktun --dev tun7 --verb 3", "tunadm add tun7 --mode tun --anyone --if-missing", 0},
		{"openvpn --mktun --dev vpn --dev-type tap --user kim", "tunadm add vpn --mode tap --user kim --if-missing", 0},
		{"openvpn --rmtun --dev tap7", "tunadm delete tap7 --mode tap --if-exists", 0},
		{"openvpn --mktun --dev vpn", `"vpn" begins with neither tun nor tap`, 1},
		{"openvpn --mktun --dev tap0 --lladdr 02::", `--lladdr: "02::" is not six bytes separated by colons`, 1},
		{"openvpn --mktun --dev tap0 --tun-mtu 9x", `--tun-mtu: "9x" is not a number from 68 to 65535`, 1},
		{"ip tuntap a tun2 m tun u 1000", "tunadm add tun2 --mode tun --user 1000", 0},
		{"ip -n blue tuntap del tun2 mode tun", "tunadm delete tun2 --mode tun --if-exists --netns blue", 0},
		{"ip -d -j tuntap", "tunadm list --json", 0},
		{"ip link add", `"link" is not tuntap: tunadm supports only ip tuntap`, 1},
		{"ip tuntap add tun2", "the mode is missing: mode tun or mode tap", 1},
		{"ip tuntap add tun2 mode", "the last word requires a value", 255},
		{"ip tuntap add tun2 tun3 mode tun", `two device names were given: "tun2" and "tun3"`, 255},
	} {
		got, err := Explain(strings.Fields(c.line), words.Quote)
		text, exit := got.Line, 0
		if refusal, ok := err.(*Refusal); ok {
			text, exit = refusal.Text, refusal.Exit
		}
		if text != c.want || exit != c.exit {
			t.Errorf("%s:\n got %s (exit %d)\nwant %s (exit %d)", c.line, text, exit, c.want, c.exit)
		}
	}
}

// TestRequestSays: the output for a device is that of the tool.
func TestRequestSays(t *testing.T) {
	done := Done{Name: "tap3", Access: users.Access{User: &users.ID{Number: 1000}, Group: &users.ID{Number: 100}}}
	for line, want := range map[string]string{
		"tunctl -u kim":             "Set 'tap3' persistent and owned by uid 1000 gid 100\n",
		"tunctl -b -u kim":          "tap3\n",
		"tunctl -d tap3":            "Set 'tap3' nonpersistent\n",
		"ip tuntap add t3 mode tap": "",
	} {
		words := strings.Fields(line)
		r, err := Find(words[0]).Parse(words[1:])
		if err != nil {
			t.Errorf("%s: %v", line, err)
		} else if got := r.Say(done); got != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
}

// TestRender: devices are sorted by index, and printed in the formats of ip(8).
func TestRender(t *testing.T) {
	tun := Shown{&netcfg.Device{Index: 3, Name: "tun1", Mode: link.TUN, Persist: true, PI: true,
		Access:  users.Access{User: &users.ID{Number: 1000}},
		Holders: []netcfg.Holder{{PID: 77, Command: `a"b`, Queues: 2}}}, driver.FlagOneQueue}
	tap := Shown{&netcfg.Device{Index: 2, Name: "tap\n", Mode: link.TAP, MultiQueue: true}, 0x40}
	for _, c := range []struct {
		format Format
		want   string
	}{
		{Format{}, "tap\\n: tap multi_queue 0x40\ntun1: tun pi one_queue persist filter user 1000\n"},
		{Format{details: true, oneLine: true}, "tap\\n: tap multi_queue 0x40\\\tAttached to processes:\n" +
			"tun1: tun pi one_queue persist filter user 1000\\\tAttached to processes:a\"b(77)a\"b(77)\n"},
		{Format{json: true}, `[{"ifname":"tap\n","flags":["tap","multi_queue","0x40"]},` +
			`{"ifname":"tun1","flags":["tun","pi","one_queue","persist","filter"],"user":1000}]` + "\n"},
		{Format{json: true, details: true}, `[{"ifname":"tap\n","flags":["tap","multi_queue","0x40"],"processes":[]},` +
			`{"ifname":"tun1","flags":["tun","pi","one_queue","persist","filter"],"user":1000,` +
			`"processes":["name":"a\"b","pid":77,"name":"a\"b","pid":77]}]` + "\n"},
	} {
		if got := c.format.Render([]Shown{tun, tap}); got != c.want {
			t.Errorf("%+v:\n got %s\nwant %s", c.format, got, c.want)
		}
	}
}

// TestTranslate: lines of a script are translated one by one, with their operators, variables and redirections.
func TestTranslate(t *testing.T) {
	for script, want := range map[string]string{
		"exec tunctl -t \"$T\" -u kim && true\n": "exec tunadm add \"$T\" --mode tap --user kim --if-missing && true\n",
		"T=$(tunctl -bu root)\n":                 "T=$(tunadm add --mode tap --user root)\n",
		"tunctl -u root | cat\n": "# tunadm: copied unchanged: its output is used, and the output of tunadm differs\n" +
			"tunctl -u root | cat\n",
		"  ls\n": "  ls\n",
		"cat <<X\ntunctl -d tap0\nX\ntunctl -d tap0\n": "cat <<X\ntunctl -d tap0\nX\n" +
			"tunadm delete tap0 --mode tap --if-exists\n",
		"tunctl -t 'tap0\n": "# tunadm: copied unchanged: a quote is not closed\ntunctl -t 'tap0\n",
	} {
		if got := Translate(script); got != want {
			t.Errorf("%q:\n got %q\nwant %q", script, got, want)
		}
	}
}
