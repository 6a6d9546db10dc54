package testing

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestCNITool runs each command of a network with cnitool, the runtime of the CNI project, for each version and with
// both IPAM plugins.
func TestCNITool(t *testing.T) {
	for _, version := range []string{"0.3.1", "0.4.0", "1.0.0", "1.1.0"} {
		for _, plugin := range []string{"host-local", "static"} {
			t.Run(version+" "+plugin, func(t *testing.T) {
				t.Parallel()
				b := newBox(t, "tunadm-cni")
				ipam := b.hostLocal(keys{"dst": "10.9.0.0/16"})
				if plugin == "static" {
					ipam = static("10.1.2.2/24", "fd00:1::2/64")
				}
				b.network(version, keys{"type": "tunadm-cni", "mtu": 1400, "owner": 1000, "ipam": ipam})
				b.life(version)
			})
		}
	}
}

// network writes the configuration of a network of one plugin for cnitool.
func (b *box) network(version string, plugin keys) {
	b.Helper()
	text, err := json.Marshal(keys{"cniVersion": version, "name": filepath.Base(b.netns), "plugins": []keys{plugin}})
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(b.data+"/net.conflist", text, 0o600); err != nil {
		b.Fatal(err)
	}
}

// tool runs a command of cnitool, and returns its output.
func (b *box) tool(command string) (string, error) {
	cmd := exec.Command(filepath.Join(plugins, "cnitool"), command, filepath.Base(b.netns), b.netns)
	cmd.Env = append(os.Environ(), "NETCONFPATH="+b.data, "CNI_PATH="+plugins, "CNI_IFNAME=tap0")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// life adds, checks, changes and deletes the attachment.
func (b *box) life(version string) {
	b.Helper()
	out, err := b.tool("add")
	if err != nil || !strings.Contains(out, `"cniVersion": "`+version+`"`) || !strings.Contains(out, "10.1.2.2/24") {
		b.Fatalf("add: %v\n%s", err, out)
	}
	for _, want := range []string{" user ", " mtu 1400 ", "10.1.2.2/24"} {
		if got := b.ip("-d addr show tap0"); !strings.Contains(got, want) {
			b.Errorf("%q is missing: %s", want, got)
		}
	}
	if version != "0.3.1" { // which has no CHECK
		if out, err := b.tool("check"); err != nil {
			b.Errorf("check: %v\n%s", err, out)
		}
		b.ip("addr del 10.1.2.2/24 dev tap0")
		if out, err := b.tool("check"); err == nil || !strings.Contains(out, "address 10.1.2.2/24") {
			b.Errorf("check without the address: %v\n%s", err, out)
		}
	}
	if version == "1.1.0" {
		if out, err := b.tool("status"); err != nil {
			b.Errorf("status: %v\n%s", err, out)
		}
		// cnitool names no valid attachment.
		if out, err := b.tool("gc"); err != nil || b.links() != 0 || len(b.reserved()) != 0 {
			b.Errorf("gc: %v, %d links, %v\n%s", err, b.links(), b.reserved(), out)
		}
	}
	for range 2 {
		if out, err := b.tool("del"); err != nil || b.links() != 0 || len(b.reserved()) != 0 {
			b.Errorf("del: %v, %d links, %v\n%s", err, b.links(), b.reserved(), out)
		}
	}
}

// TestManyAtATime adds and deletes 200 attachments at the same time, in 20 namespaces of one network.
func TestManyAtATime(t *testing.T) {
	const namespaces, each = 20, 10
	first := newBox(t, "tunadm-cni")
	ipam := keys{"type": "host-local", "subnet": "10.1.0.0/16", "dataDir": first.data}
	var all []*box
	for range namespaces {
		b := newBox(t, "tunadm-cni")
		for i := range each {
			of := *b
			of.env = []string{fmt.Sprintf("CNI_IFNAME=tap%d", i), "CNI_CONTAINERID=" + filepath.Base(b.netns)}
			all = append(all, &of)
		}
	}
	for _, command := range []string{"ADD", "DEL"} {
		var calls sync.WaitGroup
		started := time.Now()
		for _, b := range all {
			calls.Go(func() {
				if _, refusal := b.call(command, owned.with("ipam", ipam)); refusal != nil {
					t.Errorf("%s %v: %v", command, b.env, refusal)
				}
			})
		}
		calls.Wait()
		t.Logf("%d %s: %v", len(all), command, time.Since(started).Round(time.Millisecond))
		links := 0
		for i, b := range all {
			if i%each == 0 {
				links += b.links()
			}
		}
		if want := map[string]int{"ADD": len(all), "DEL": 0}[command]; links != want || len(first.reserved()) != want {
			t.Errorf("after %s: %d links and %d addresses, want %d", command, links, len(first.reserved()), want)
		}
	}
	left, err := filepath.Glob("/run/tunadm/plugin-*")
	for _, file := range left {
		if text, _ := os.ReadFile(file); strings.Contains(string(text), `"Name":"tap9"`) {
			t.Errorf("a record is left: %s, %v", text, err)
		}
	}
}
