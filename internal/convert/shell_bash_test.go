package convert

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/nstest"
)

// stubs print the names of the devices that a script creates.
const stubs = `
tunctl() {
	while [ $# -gt 0 ]; do [ "$1" != -t ] || echo "$2" >&9; shift; done
}
ip() {
	[ "$1 $2" = "tuntap add" ] || return 0
	while [ $# -gt 0 ]; do [ "$1" != dev ] || echo "$2" >&9; shift; done
}
exec 9>names
script=$1
shift
. "$script"
`

// TestShellAgreesWithBash: import finds no device that bash does not create.
func TestShellAgreesWithBash(t *testing.T) {
	nstest.NeedProgram(t, "bash")
	for script, unknown := range map[string]string{
		"compound.sh": "c18 tap1 tap2 tun3 w1",
		"values.sh":   "arx ary arzw bad0 down1 down2 ev glob1 ifsu pf07 q3 w5 wt1 wt2 wt3 xone z3",
	} {
		path, err := filepath.Abs(filepath.Join("testdata/bash", script))
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		run := exec.Command("bash", "-c", stubs, "sh", path)
		run.Dir, run.Env = dir, []string{"PATH=" + os.Getenv("PATH")}
		_ = run.Run() // the result of its last command
		created, err := os.ReadFile(filepath.Join(dir, "names"))
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Fields(string(created))
		got, err := Convert([]*Source{newSource(script, string(text))}, "script")
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, m := range regexp.MustCompile(`(?m)^\[device\."?(.*?)"?\]$`).FindAllStringSubmatch(got, -1) {
			names = append(names, m[1])
			if !slices.Contains(want, m[1]) {
				t.Errorf("%s: import prints %s, which bash does not create", script, m[1])
			}
		}
		var missing []string
		for _, name := range want {
			if !slices.Contains(names, name) && !slices.Contains(missing, name) {
				missing = append(missing, name)
			}
		}
		slices.Sort(missing)
		if strings.Join(missing, " ") != unknown || len(names) < 20 {
			t.Errorf("%s: import does not find %s, want %s\n%s", script, missing, unknown, got)
		}
	}
}
