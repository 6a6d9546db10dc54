package testing

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/containernetworking/cni/pkg/types"
	current "github.com/containernetworking/cni/pkg/types/100"
)

// A box is a container as a runtime hands it to a plugin: a network namespace, and a directory for host-local.
type box struct {
	testing.TB
	program string // the plugin: "tunadm-cni" or "tap"
	netns   string // the path of the network namespace
	data    string // a directory for host-local
	env     []string
}

var boxes atomic.Int32

func newBox(t testing.TB, program string) *box {
	t.Helper()
	name := fmt.Sprintf("c%d", boxes.Add(1))
	b := &box{TB: t, program: program, netns: "/run/netns/" + name, data: t.TempDir()}
	run(t, "ip", "netns", "add", name)
	t.Cleanup(func() { run(t, "ip", "netns", "delete", name) })
	return b
}

// run runs a program that must succeed, and returns its output.
func run(t testing.TB, words ...string) string {
	t.Helper()
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", words, err, out)
	}
	return string(out)
}

// ip runs ip(8) in the namespace.
func (b *box) ip(line string, args ...any) string {
	b.Helper()
	line = fmt.Sprintf(line, args...)
	return run(b, append([]string{"ip", "-n", filepath.Base(b.netns)}, strings.Fields(line)...)...)
}

// has reports whether the namespace has a link of that name.
func (b *box) has(name string) bool {
	for _, line := range strings.Split(b.ip("-o link"), "\n") {
		words := strings.Fields(line)
		if len(words) > 1 && strings.SplitN(strings.TrimSuffix(words[1], ":"), "@", 2)[0] == name {
			return true
		}
	}
	return false
}

// links returns the number of links beside lo.
func (b *box) links() int { return strings.Count(b.ip("-o link"), "\n") - 1 }

// reserved returns the addresses that host-local has reserved.
func (b *box) reserved() []string {
	found, err := filepath.Glob(b.data + "/*/*.*.*.*")
	if err != nil {
		b.Fatal(err)
	}
	return found
}

// keys are keys of a configuration beside those that all have.
type keys map[string]any

// hostLocal returns the configuration of host-local, with a route or without.
func (b *box) hostLocal(routes ...keys) keys {
	return keys{"type": "host-local", "subnet": "10.1.2.0/24", "dataDir": b.data, "routes": routes}
}

// static returns the configuration of static with addresses.
func static(addresses ...string) keys {
	var list []keys
	for _, a := range addresses {
		list = append(list, keys{"address": a})
	}
	return keys{"type": "static", "addresses": list}
}

func (b *box) config(more keys) []byte {
	b.Helper()
	all := keys{"cniVersion": "1.1.0", "name": "net1", "type": b.program}
	maps.Copy(all, more)
	text, err := json.Marshal(all)
	if err != nil {
		b.Fatal(err)
	}
	return text
}

// call runs the plugin for the interface tap0, and returns its output and its error.
func (b *box) call(command string, more keys) (string, *types.Error) {
	b.Helper()
	cmd := exec.Command(filepath.Join(plugins, b.program))
	cmd.Env = append(append(os.Environ(), "CNI_COMMAND="+command, "CNI_CONTAINERID=ctr", "CNI_NETNS="+b.netns,
		"CNI_IFNAME=tap0", "CNI_PATH="+plugins), b.env...)
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(b.config(more)), &out, os.Stderr
	if err := cmd.Run(); err != nil {
		refusal := new(types.Error)
		if err := json.Unmarshal(out.Bytes(), refusal); err != nil {
			refusal = types.NewError(0, err.Error()+": "+out.String(), "")
		}
		return out.String(), refusal
	}
	return out.String(), nil
}

// add runs an ADD that must succeed, and returns its result.
func (b *box) add(more keys) *current.Result {
	b.Helper()
	out, refusal := b.call("ADD", more)
	if refusal != nil {
		b.Fatalf("ADD: %v", refusal)
	}
	result := new(current.Result)
	if err := json.Unmarshal([]byte(out), result); err != nil {
		b.Fatal(err)
	}
	return result
}

// must runs a call that must succeed.
func (b *box) must(command string, more keys) {
	b.Helper()
	if _, refusal := b.call(command, more); refusal != nil {
		b.Fatalf("%s: %v", command, refusal)
	}
}
