package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	current "github.com/containernetworking/cni/pkg/types/100"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/nstest"
)

// everything is a configuration with all keys. The only user of a user namespace is root.
var everything = keys{"mtu": 1400, "mac": "02:00:00:00:00:01", "owner": 0, "group": 0, "multiQueue": true,
	"vnetHdr": true, "alias": "a vm", "txqueuelen": 77, "bridge": "br0",
	"routes": []keys{{"dst": "10.8.0.0/16", "gw": "10.1.2.3", "priority": 7, "table": 88}}}.
	with(reserving([]string{"10.1.2.2/24", "fd00:1::2/64"}, keys{"dst": "10.9.0.0/16", "gw": "10.1.2.1"}))

func TestAddSetsAllKeys(t *testing.T) {
	b := newBox(t)
	b.ip("link add br0 type bridge")
	result, check := b.add(everything)
	tap := result.Interfaces[0]
	if tap.Name != "tap0" || tap.Mac != "02:00:00:00:00:01" || tap.Mtu != 1400 || tap.Sandbox != container ||
		len(result.IPs) != 2 || *result.IPs[1].Interface != 0 || len(result.Routes) != 2 ||
		result.DNS.Nameservers[0] != "10.5.0.53" {
		t.Errorf("got %v", result)
	}
	for line, wants := range map[string][]string{
		"-d link show tap0": {" mtu 1400 ", "02:00:00:00:00:01", "user root", "group root", "vnet_hdr on",
			"multi_queue", "alias a vm", "qlen 77", "master br0", ",UP"},
		"addr show tap0":      {"10.1.2.2/24", "fd00:1::2/64"},
		"route show table 88": {"10.8.0.0/16 via 10.1.2.3 dev tap0", "metric 7"},
		"route":               {"10.9.0.0/16 via 10.1.2.1 dev tap0"},
	} {
		for _, want := range wants {
			if got := b.ip(line); !strings.Contains(got, want) {
				t.Errorf("%s: %q is missing from %s", line, want, got)
			}
		}
	}
	b.must("CHECK", check)
	b.must("DEL", everything)
	b.ip("link delete br0")
	if !b.empty() {
		t.Error("something is left")
	}
}

// TestMACAddresses: that of the runtime comes before that of CNI_ARGS, and both before that of the network.
func TestMACAddresses(t *testing.T) {
	for _, c := range []struct {
		args, want string
		config     keys
	}{
		{"", "02:00:00:00:00:01", keys{"mac": "02:00:00:00:00:01"}},
		{"IgnoreUnknown=1;K8S_POD_NAME=x;MAC=02:00:00:00:00:02", "02:00:00:00:00:02", keys{"mac": "02:00:00:00:00:01"}},
		{"MAC=02:00:00:00:00:02", "02:00:00:00:00:03", keys{"runtimeConfig": keys{"mac": "02:00:00:00:00:03"}}},
	} {
		t.Run(c.want, func(t *testing.T) {
			b := newBox(t)
			b.env = []string{"CNI_ARGS=" + c.args}
			if result, _ := b.add(c.config); result.Interfaces[0].Mac != c.want {
				t.Errorf("got %v", result)
			}
		})
	}
}

// TestIPv6IsEnabled adds an IPv6 address in a namespace whose new devices have no IPv6.
func TestIPv6IsEnabled(t *testing.T) {
	b := newBox(t)
	nstest.Run(t, "ip", "netns", "exec", "c", "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
	b.add(reserving([]string{"fd00::1/64"}))
	if got := b.ip("addr show tap0"); !strings.Contains(got, "fd00::1/64") {
		t.Error(got)
	}
}

// TestRefusals: each error has its code, and leaves nothing.
func TestRefusals(t *testing.T) {
	route := func(more keys) keys {
		return reserving([]string{"10.1.2.2/24"}, keys{"dst": "10.9.0.0/16"}.with(more))
	}
	dst := func(key, to string) keys { return keys{"routes": []keys{{key: to}}} }
	six := reserving([]string{"fd00::1/64"})
	for name, c := range map[string]struct {
		config keys
		env    string
		code   uint
		text   string
	}{
		"mtu":              {config: keys{"mtu": 70000}, code: 7, text: "mtu: 70000: larger than 65521"},
		"type of a key":    {config: keys{"mtu": "x"}, code: 7, text: "requires a whole number, not a string"},
		"half a number":    {config: keys{"mtu": 1400.5}, code: 7, text: "requires a whole number, not 1400.5"},
		"type of ipam":     {config: keys{"ipam": "static"}, code: 7, text: "ipam: the key requires an object, not"},
		"type of owner":    {config: keys{"owner": true}, code: 7, text: "4294967294, not true or false"},
		"owner -1":         {config: keys{"owner": -1}, code: 7, text: "owner: the key requires a number"},
		"owner 2^32-1":     {config: keys{"owner": uint32(math.MaxUint32)}, code: 7, text: "not 4294967295"},
		"mac":              {config: keys{"mac": "01:00:00:00:00:01"}, code: 7, text: "multicast"},
		"alias":            {config: keys{"alias": strings.Repeat("x", 300)}, code: 7, text: "alias: 300 bytes"},
		"txqueuelen":       {config: keys{"txqueuelen": -1}, code: 7, text: "to 2147483647, not -1"},
		"CNI_ARGS":         {env: "CNI_ARGS=FOO=bar", code: 4, text: "CNI_ARGS: "},
		"bridge":           {config: keys{"bridge": "br9"}, code: 101, text: "tap0: master br9: no such device"},
		"not a bridge":     {config: keys{"bridge": "lo"}, code: 7, text: "tap0: master lo: accepts no devices"},
		"netns":            {env: "CNI_NETNS=/run/netns/none", code: 8, text: "no such network namespace"},
		"own netns":        {env: "CNI_NETNS=/proc/thread-self/ns/net", code: 8, text: "of the plugin"},
		"selinuxContext":   {config: keys{"selinuxContext": "a:b:c:d"}, code: 101, text: "does not use SELinux"},
		"ipam":             {config: keys{"ipam": keys{"type": "none"}}, code: 101, text: "ipam none: failed to find"},
		"no address":       {config: reserving(nil), code: 101, text: "it returned no address"},
		"gateway":          {config: route(keys{"gw": "192.0.2.1"}), code: 7, text: "gateway"},
		"MTU of a route":   {config: route(keys{"mtu": 1000}), code: 7, text: "not supported"},
		"dst of a route":   {config: dst("dest", "10.0.0.0/8"), code: 7, text: "routes: dst is missing"},
		"not a network":    {config: dst("dst", "10.0.0/8"), code: 7, text: "routes: invalid CIDR address: 10.0.0/8"},
		"no version":       {config: keys{"cniVersion": ""}, code: 7, text: "missing, and therefore 0.1.0: "},
		"old version":      {config: keys{"cniVersion": "0.2.0"}, code: 7, text: "0.2.0: the result of this version"},
		"scope of a route": {config: route(keys{"scope": 254}), code: 7, text: "scope 254"},
		"IPv6 and mtu":     {config: six.with(keys{"mtu": 1000}), code: 7, text: "mtu 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			if c.env != "" {
				b.env = []string{c.env}
			}
			_, refusal := b.call("ADD", c.config)
			if refusal == nil || refusal.Code != c.code || !strings.Contains(refusal.Msg, c.text) {
				t.Errorf("got %+v", refusal)
			}
			if !b.empty() {
				t.Error("something is left")
			}
		})
	}
}

// TestNamesThatExist: ADD changes no device that exists, and reserves no address for it.
func TestNamesThatExist(t *testing.T) {
	for name, c := range map[string]struct {
		line string
		text string
	}{
		"tap":  {"tuntap add tap0 mode tap", "exists already, as a tap of anyone"},
		"tun":  {"tuntap add tap0 mode tun", "exists already, as a tun of anyone"},
		"veth": {"link add tap0 type veth peer name other", "exists already, as a veth"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			b.ip(c.line)
			before := b.ip("-d link")
			_, refusal := b.call("ADD", keys{"mtu": 1400}.with(reserving([]string{"10.1.2.2/24"})))
			if refusal == nil || refusal.Code != codeExists || !strings.Contains(refusal.Msg, c.text) {
				t.Errorf("got %+v", refusal)
			}
			b.must("DEL", keys{}) // as a runtime after a failed ADD
			if b.ip("-d link") != before {
				t.Errorf("before:\n%sthen:\n%s", before, b.ip("-d link"))
			}
		})
	}
}

// TestTheResultCannotBePrinted: then the runtime knows of no tap.
func TestTheResultCannotBePrinted(t *testing.T) {
	b := newBox(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	b.out = full
	if _, refusal := b.call("ADD", reserving([]string{"10.1.2.2/24"})); refusal == nil || !b.empty() {
		t.Error("something is left", refusal)
	}
}

// TestASignalEndsADD sends SIGTERM while the IPAM plugin hangs.
func TestASignalEndsADD(t *testing.T) {
	b := newBox(t)
	cmd := b.command("ADD", keys{"ipam": keys{"type": stub, "hang": true}})
	var out strings.Builder
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	reserved := func() bool { _, err := os.Stat("/run/reserved-ctr"); return err == nil }
	for end := time.Now().Add(nstest.Patience(10 * time.Second)); !reserved(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the IPAM plugin reserves no address")
		}
	}
	if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	refusal := new(types.Error)
	if json.Unmarshal([]byte(out.String()), refusal) != nil || refusal.Code != types.ErrTryAgainLater || !b.empty() {
		t.Error("something is left", err, out.String())
	}
}

// TestAnotherSecurityContext runs the process that creates a tap in another SELinux context, without a context.
func TestAnotherSecurityContext(t *testing.T) {
	b := newBox(t)
	b.must("STATUS", keys{}) // creates the directory of the records, as the process before does
	_, network, err := net.ParseCIDR("10.1.2.2/24")
	if err != nil {
		t.Fatal(err)
	}
	network.IP = net.IPv4(10, 1, 2, 2)
	addresses := &current.Result{IPs: []*current.IPConfig{{Address: *network}}}
	o := order{skel.CmdArgs{ContainerID: "ctr", Netns: container, IfName: "tap0",
		StdinData: []byte(`{"name": "net1", "mtu": 1400}`)}, addresses}
	tap, err := b.make(o)
	if err != nil || tap.Name != "tap0" || tap.Mtu != 1400 || !strings.Contains(b.ip("addr show tap0"), "10.1.2.2/24") {
		t.Fatal(tap, err)
	}
	_, err = b.make(o)
	if refusal := new(types.Error); !errors.As(err, &refusal) || refusal.Code != codeExists {
		t.Error(err)
	}
	b.must("DEL", keys{})
	if !b.empty() {
		t.Error("something is left")
	}
}

// make runs the process of an order.
func (b *box) make(o order) (*current.Interface, error) {
	b.Helper()
	input, err := json.Marshal(o)
	if err != nil {
		b.Fatal(err)
	}
	cmd := b.command("ADD", nil)
	cmd.Args, cmd.Stdin = []string{maker}, bytes.NewReader(input)
	out, err := cmd.Output()
	return answer(out, err)
}

// TestOwnKeys: the warning of a typing error knows all keys.
func TestOwnKeys(t *testing.T) {
	if got := ownKeys(); len(got) != 11 || !slices.Contains(got, "selinuxContext") {
		t.Error(got)
	}
}

// TestWarningsOfKeys: a typing error, and a word of other tools, have a warning with the key that was meant.
func TestWarningsOfKeys(t *testing.T) {
	for key, meant := range map[string]string{
		"user": "owner", "GID": "group", "multi_queue": "multiQueue", "ipMasq": "",
	} {
		t.Run(key, func(t *testing.T) {
			b := newBox(t)
			var got strings.Builder
			cmd := b.command("ADD", keys{key: 1})
			cmd.Stderr = &got
			if err := cmd.Run(); err != nil {
				t.Fatal(err)
			}
			want := ""
			if meant != "" {
				want = fmt.Sprintf("tunadm-cni: tap0: warning: key %q is unknown and has no effect: did you mean %s?\n",
					key, meant)
			}
			if got.String() != want {
				t.Errorf("got %q, want %q", got.String(), want)
			}
		})
	}
}
