package commands

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/nstest"
)

// TestStandsInLineByLine does each line of testdata/standin.lines twice, in twin namespaces: with the old tool, and
// with tunadm as. What they print, their exit codes and the devices that there are then must be the same. The lines
// behind the first " ; " of a row go on with its devices. One that begins with "! " is done as it stands, by both; one
// that begins with "@ " by nobody.
func TestStandsInLineByLine(t *testing.T) {
	nstest.NeedReal(t)
	for _, tool := range []string{"tunctl", "openvpn", "ip"} {
		nstest.NeedProgram(t, tool)
	}
	rows := 0
	for row := range strings.Lines(read(t, "testdata/standin.lines")) {
		row = strings.TrimSpace(row)
		if row == "" || row[0] == '#' {
			continue
		}
		rows++
		t.Run(row, func(t *testing.T) {
			t.Parallel()
			// ip(8) shows the programs of other namespaces, if their devices have the same names.
			row := strings.ReplaceAll(row, "twin", unique())
			var old, now played
			t.Run("old", func(t *testing.T) { old = play(t, row, "") })
			t.Run("now", func(t *testing.T) { now = play(t, row, "tunadm") })
			if !slices.Equal(old.said, now.said) {
				t.Errorf("the old tool:\n%stunadm as:\n%s", strings.Join(old.said, ""), strings.Join(now.said, ""))
			}
			if old.devices != now.devices {
				t.Errorf("devices of the old tool:\n%sof tunadm as:\n%s", old.devices, now.devices)
			}
		})
	}
	t.Logf("%d rows", rows)
}

// A played row is the output of its lines, and the devices after it.
type played struct {
	said    []string
	devices string
}

// play runs a row in separate namespaces, with the old tools or with tunadm as.
func play(t *testing.T, row, standIn string) (p played) {
	nstest.Enter(t)
	for line := range strings.SplitSeq(row, " ; ") {
		words := strings.Fields(line)
		for i, w := range words {
			words[i] = strings.NewReplacer("''", "", "␣", " ").Replace(w)
		}
		if words[0] == "!" {
			nstest.Run(t, words[1], words[2:]...)
			continue
		}
		var user []string
		if words[0] == "@" {
			user, words = []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}, words[1:]
		}
		tool := words[0]
		if standIn != "" {
			words = append([]string{standIn, "as"}, words...)
		}
		words = append(user, words...)
		cmd := exec.Command(words[0], words[1:]...)
		out, err := cmd.Output()
		if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		code := cmd.ProcessState.ExitCode()
		p.said = append(p.said, fmt.Sprintf("%sexit %d of %s\n", normal(tool, string(out), code), code, line))
	}
	p.devices = witnessed(t, row)
	return p
}

// versionNotes are lines of openvpn that depend on its version.
var versionNotes = regexp.MustCompile(
	`(?m)^(Note: --mktun does not|net_addr_ll_set|sitnl_send|DEPRECATED OPTION|WARNING: ).*\n`)

// normal returns the output of a tool without the parts that may differ: the date, and the errors that openvpn prints
// on standard output.
func normal(tool, out string, code int) string {
	if tool != "openvpn" {
		return out
	}
	if code != 0 {
		return ""
	}
	out = regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d `).ReplaceAllString(out, "")
	return versionNotes.ReplaceAllString(out, "")
}

// witnessed is what ip(8) has to say of the devices, without the addresses that no line of the row gives them.
func witnessed(t *testing.T, row string) string {
	t.Helper()
	var links []struct {
		Name     string   `json:"ifname"`
		Flags    []string `json:"flags"`
		MTU      int      `json:"mtu"`
		Queue    int      `json:"txqlen"`
		Address  string   `json:"address"`
		LinkInfo struct {
			Kind string         `json:"info_kind"`
			Data map[string]any `json:"info_data"`
		} `json:"linkinfo"`
	}
	if err := json.Unmarshal([]byte(nstest.Run(t, "ip", "-d", "-j", "link")), &links); err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, l := range links {
		if !strings.Contains(row, strings.ToUpper(l.Address)) && !strings.Contains(row, l.Address) {
			l.Address = ""
		}
		l.Flags = slices.DeleteFunc(l.Flags, func(f string) bool { // how long it has them depends on the load
			return strings.HasSuffix(f, "CARRIER") || f == "LOWER_UP"
		})
		text += fmt.Sprintln(l)
	}
	return text + nstest.Run(t, "ip", "tuntap")
}
