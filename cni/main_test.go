package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containernetworking/cni/pkg/types"
	current "github.com/containernetworking/cni/pkg/types/100"

	"github.com/tunadm/tunadm/internal/guard"
	"github.com/tunadm/tunadm/internal/holders"
	"github.com/tunadm/tunadm/internal/nstest"
)

// stub is the name of an IPAM plugin for tests.
const stub = "ipam-stub"

// TestMain runs the test binary also as the plugin, as its helper processes, and as an IPAM plugin.
func TestMain(m *testing.M) {
	switch name := os.Args[0]; {
	case filepath.Base(name) == stub:
		os.Exit(stubIPAM())
	case name == maker || name == holders.Examiner || name == guard.Name || os.Getenv("CNI_COMMAND") != "":
		os.Exit(run(os.Args))
	}
	os.Exit(nstest.Main(m))
}

// stubIPAM reserves addresses by a file for each attachment. Its configuration has the result, or "hang": true.
func stubIPAM() int {
	var network struct{ IPAM map[string]json.RawMessage }
	if err := json.NewDecoder(os.Stdin).Decode(&network); err != nil {
		return 1
	}
	path := "/run/reserved-" + os.Getenv("CNI_CONTAINERID")
	switch os.Getenv("CNI_COMMAND") {
	case "ADD":
		if os.WriteFile(path, nil, 0o600) != nil {
			return 1
		}
		if network.IPAM["hang"] != nil {
			select {}
		}
		fmt.Printf("%s", network.IPAM["result"])
	case "DEL":
		os.Remove(path)
	case "CHECK":
		if _, err := os.Stat(path); err != nil {
			fmt.Print(`{"code": 42, "msg": "no address is reserved"}`)
			return 1
		}
	}
	return 0
}

// keys are keys of a configuration.
type keys map[string]any

// with returns the keys with more of them.
func (k keys) with(more keys) keys {
	all := maps.Clone(k)
	maps.Copy(all, more)
	return all
}

// reserving returns the key ipam for a stub that returns addresses and routes.
func reserving(addresses []string, routes ...keys) keys {
	var ips []keys
	for _, a := range addresses {
		ips = append(ips, keys{"address": a})
	}
	return keys{"ipam": keys{"type": stub, "result": keys{"cniVersion": "1.1.0", "ips": ips, "routes": routes,
		"dns": keys{"nameservers": []string{"10.5.0.53"}}}}}
}

// A box is a container with a network namespace, as a runtime hands it to the plugin.
type box struct {
	testing.TB
	path string   // CNI_PATH
	env  []string // replaces and adds variables
	out  *os.File // standard output; nil: it is returned
}

// container is the path of the container's network namespace.
const container = "/run/netns/c"

func newBox(t testing.TB) *box {
	t.Helper()
	nstest.Enter(t)
	nstest.Run(t, "ip", "netns", "add", "c")
	b := &box{TB: t, path: t.TempDir()}
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, filepath.Join(b.path, stub))
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ip runs ip(8) in the container.
func (b *box) ip(line string) string {
	b.Helper()
	return nstest.Run(b, "ip", append([]string{"-n", "c"}, strings.Fields(line)...)...)
}

// command returns the process of a call.
func (b *box) command(verb string, config keys) *exec.Cmd {
	b.Helper()
	text, err := json.Marshal(keys{"cniVersion": "1.1.0", "name": "net1", "type": program}.with(config))
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{program}
	cmd.Env = append(append(os.Environ(), "CNI_COMMAND="+verb, "CNI_CONTAINERID=ctr", "CNI_NETNS="+container,
		"CNI_IFNAME=tap0", "CNI_PATH="+b.path), b.env...)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(text), os.Stderr
	return cmd
}

// call runs the plugin. It returns its output and its error.
func (b *box) call(verb string, config keys) ([]byte, *types.Error) {
	b.Helper()
	var out bytes.Buffer
	cmd := b.command(verb, config)
	if cmd.Stdout = &out; b.out != nil {
		cmd.Stdout = b.out
	}
	err := cmd.Run()
	if err == nil {
		return out.Bytes(), nil
	}
	refusal := new(types.Error)
	if json.Unmarshal(out.Bytes(), refusal) != nil {
		refusal = types.NewError(0, err.Error()+": "+out.String(), "")
	}
	return nil, refusal
}

// must runs a call that must succeed.
func (b *box) must(verb string, config keys) []byte {
	b.Helper()
	out, refusal := b.call(verb, config)
	if refusal != nil {
		b.Fatalf("%s: %v", verb, refusal)
	}
	return out
}

// add runs an ADD that must succeed. It returns its result, and the keys of a CHECK.
func (b *box) add(config keys) (*current.Result, keys) {
	b.Helper()
	result := new(current.Result)
	if err := json.Unmarshal(b.must("ADD", config), result); err != nil {
		b.Fatal(err)
	}
	return result, config.with(keys{"prevResult": result})
}

// empty reports whether nothing is left: no link in the container, no reserved address, and no record.
func (b *box) empty() bool {
	b.Helper()
	reserved, _ := filepath.Glob("/run/reserved-*")
	records, _ := filepath.Glob("/run/tunadm/plugin-*")
	return strings.Count(b.ip("-o link"), "\n") == 1 && len(reserved) == 0 && len(records) == 0
}

// hasTap reports whether the container has a link of that name.
func (b *box) has(name string) bool {
	b.Helper()
	return strings.Contains(b.ip("-o link"), " "+name+":") || strings.Contains(b.ip("-o link"), " "+name+"@")
}
