package commands

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/nstest"
)

// A place is where another tool shows a key of a bridge or of a port.
type place struct {
	path   string            // in the output of ip -d -j link show
	unit   int               // how many of it are one in a file; 0: 1
	values map[string]string // of a key without bounds: a text that the output has for each value in a file
	tool   string            // that shows the values, instead of ip; "%s" is the device
	needs  string            // a condition of scripts
	script string            // the script that sets the key, instead of this test
}

const ofBridge, ofPort = "linkinfo.info_data.", "linkinfo.info_slave_data."

// places are those of all keys in the schema.
var places = map[string]place{
	"bridge.addresses":          {script: "bridge"},
	"bridge.routes":             {script: "bridge"},
	"bridge.ports":              {script: "bridgeundo"},
	"bridge.sysctl":             {script: "sysctl"},
	"bridge.move_addresses":     {script: "bridgemove"},
	"bridge.mtu":                {path: "mtu"},
	"bridge.mac":                {path: "address", values: map[string]string{`"02:00:00:00:00:b7"`: "00:00:00:b7"}},
	"bridge.up":                 {path: "flags", values: map[string]string{"true": "UP", "false": ""}},
	"bridge.stp":                {path: ofBridge + "stp_state"},
	"bridge.forward_delay":      {path: ofBridge + "forward_delay", unit: 100},
	"bridge.ageing":             {path: ofBridge + "ageing_time", unit: 100},
	"bridge.multicast_snooping": {path: ofBridge + "mcast_snooping"},
	"bridge.vlan_filtering":     {path: ofBridge + "vlan_filtering", needs: "vlans"},
	"bridge.vlan_default_pvid":  {path: ofBridge + "vlan_default_pvid", needs: "vlans"},

	"port.isolated": {path: ofPort + "isolated"},
	"port.learning": {path: ofPort + "learning"},
	"port.flood":    {path: ofPort + "flood"},
	"port.hairpin":  {path: ofPort + "hairpin"},
	"port.cost":     {path: ofPort + "cost"},
	"port.priority": {path: ofPort + "priority"},
	"port.pvid": {tool: "bridge vlan show dev %s", needs: "vlans",
		values: map[string]string{"0": "", "4094": "4094 PVID Egress Untagged"}},
	"port.vlans": {script: "bridgevlan"},
}

// property is one in the schema.
type property struct {
	Type             any
	Minimum, Maximum *int
}

// TestEveryKeyOfABridgeReachesTheKernel sets each key of the schema to each of its bounds, or to true and to false.
// Another tool shows the value, --check finds nothing more to do, and a host that is made from an export has it, too. A
// value that is out of bounds is a mistake.
func TestEveryKeyOfABridgeReachesTheKernel(t *testing.T) {
	nstest.NeedReal(t)
	var schema struct {
		Definitions map[string]struct{ Properties map[string]property }
	}
	if err := json.Unmarshal([]byte(read(t, "../share/tunadm.schema.json")), &schema); err != nil {
		t.Fatal(err)
	}
	rest := maps.Clone(places)
	for _, kind := range []string{"bridge", "port"} {
		for name, p := range schema.Definitions[kind].Properties {
			where, ok := places[kind+"."+name]
			delete(rest, kind+"."+name)
			t.Run(name, func(t *testing.T) {
				if !ok {
					t.Fatal("places has no row for this key")
				}
				k := keyTest{t, kind, name, where}
				nstest.Enter(t)
				k.outside(p)
				k.inside(p)
			})
		}
	}
	if len(rest) > 0 {
		t.Error("the schema has no keys ", slices.Collect(maps.Keys(rest)))
	}
}

// A keyTest is the test of one key.
type keyTest struct {
	*testing.T
	kind, name string
	place
}

// device returns the name of the device that shows the key.
func (k keyTest) device() string { return map[string]string{"bridge": "br0", "port": "tap0"}[k.kind] }

// file returns the path of a file that sets the key.
func (k keyTest) file(value string) string {
	if k.kind == "bridge" {
		return written(k.T, "[bridge.br0]\n"+k.name+" = "+value+"\n")
	}
	return written(k.T, "[bridge.br0]\n[device.tap0]\nmaster = \"br0\"\nport = {"+k.name+" = "+value+"}\n")
}

// tunadm runs the program, which must exit with a code, and returns its output.
func (k keyTest) tunadm(code int, args ...string) string {
	k.Helper()
	out, err := exec.Command("tunadm", args...).CombinedOutput()
	got := 0
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		k.Fatal(err)
	}
	if got != code {
		k.Fatalf("tunadm %v: exit status %d, want %d\n%s", args, got, code, out)
	}
	return string(out)
}

// outside declares values that are just out of bounds.
func (k keyTest) outside(p property) {
	if p.Minimum == nil || p.Maximum == nil {
		return
	}
	want := fmt.Sprintf("is out of range: %d to %d", *p.Minimum, *p.Maximum)
	for _, n := range []int{*p.Minimum - 1, *p.Maximum + 1} {
		if out := k.tunadm(2, "apply", k.file(strconv.Itoa(n))); !strings.Contains(out, want) {
			k.Errorf("%d: %s", n, out)
		}
	}
}

// inside sets the key to each of its values.
func (k keyTest) inside(p property) {
	if k.script != "" {
		if text := read(k.T, filepath.Join("testdata", k.script+".txtar")); !strings.Contains(text, k.name+" ") {
			k.Errorf("%s.txtar does not set the key", k.script)
		}
		return
	}
	if k.needs != "" {
		if has, err := condition(k.needs); err != nil || !has {
			k.Logf("the kernel does not support it: %v", err)
			return
		}
	}
	values := slices.Sorted(maps.Keys(k.values))
	switch {
	case values != nil:
	case p.Type == "boolean":
		values = []string{"false", "true"}
	case p.Minimum == nil || p.Maximum == nil:
		k.Fatal("the row has no values")
	default:
		values = []string{strconv.Itoa(*p.Minimum), strconv.Itoa(*p.Maximum)}
	}
	for n, value := range values {
		file := k.file(value)
		if n > 0 {
			k.tunadm(8, "apply", file, "--check")
		}
		k.tunadm(0, "apply", file)
		k.shows(value)
		k.tunadm(0, "apply", file, "--check")
		exported := k.tunadm(0, "export", k.device())
		nstest.Run(k.T, "sh", "-c", "ip link del br0; ip link del tap0 2>&-; true")
		k.tunadm(0, "apply", written(k.T, exported))
		k.shows(value)
		k.tunadm(0, "apply", file, "--check")
	}
	if k.unit > 1 {
		k.between(p)
	}
}

// shows checks that the kernel has the value.
func (k keyTest) shows(value string) {
	k.Helper()
	got := k.shown()
	good := false
	switch text, listed := k.values[value]; {
	case listed: // and no other of the list
		good = strings.Contains(got, text)
		for _, other := range k.values {
			good = good && (other == "" || other == text || !strings.Contains(got, other))
		}
	case value == "true" || value == "false":
		good = got == value || got == map[string]string{"true": "1", "false": "0"}[value]
	default:
		n, err := strconv.Atoi(value)
		good = err == nil && got == strconv.Itoa(n*max(k.unit, 1))
	}
	if !good {
		k.Fatalf("%s: the kernel has %q", value, got)
	}
}

// shown returns what the other tool shows.
func (k keyTest) shown() string {
	k.Helper()
	if k.tool != "" {
		words := strings.Fields(fmt.Sprintf(k.tool, k.device()))
		return nstest.Run(k.T, words[0], words[1:]...)
	}
	var links []any
	decoder := json.NewDecoder(bytes.NewReader([]byte(nstest.Run(k.T, "ip", "-d", "-j", "link", "show", k.device()))))
	decoder.UseNumber()
	if err := decoder.Decode(&links); err != nil {
		k.Fatal(err)
	}
	at := links[0]
	for _, name := range strings.Split(k.path, ".") {
		object, _ := at.(map[string]any)
		if at = object[name]; at == nil {
			k.Fatalf("ip shows no %s", k.path)
		}
	}
	return fmt.Sprint(at)
}

// between sets a value between two of a file: --check finds the difference, and export comments on it.
func (k keyTest) between(p property) {
	word := k.path[strings.LastIndex(k.path, ".")+1:]
	odd := strconv.Itoa(*p.Minimum*k.unit + k.unit/2)
	nstest.Run(k.T, "ip", "link", "set", k.device(), "type", "bridge", word, odd)
	k.tunadm(8, "apply", k.file(strconv.Itoa(*p.Minimum)), "--check")
	want := fmt.Sprintf("# br0: left out: %s %d.5: not an integer from %d to %d\n", k.name, *p.Minimum, *p.Minimum,
		*p.Maximum)
	if out := k.tunadm(0, "export", k.device()); !strings.Contains(out, want) {
		k.Errorf("export:\n%swant %s", out, want)
	}
}
