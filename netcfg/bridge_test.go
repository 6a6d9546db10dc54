package netcfg

import (
	"context"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/users"
)

// numbered matches what the kernel chooses again for a bridge or a tap that is re-created.
var numbered = regexp.MustCompile(`(?m)^\d+: |@\S+| state \w+|,?LOWER_UP|,?NO-CARRIER| ?fe80\S+| linkdown`)

// portNo matches the number of a port, which the kernel gives it when it joins.
var portNo = regexp.MustCompile(`port_no \S+`)

// bridged returns what ip(8) and bridge(8) report of bridges, of their ports, addresses and routes.
func bridged(t *testing.T) string {
	t.Helper()
	all := ip(t, "-br addr show br0") + ip(t, "route") + nstest.Run(t, "bridge", "-d", "link")
	for _, port := range []string{"v7", "tap0"} {
		vlans, _ := exec.Command("bridge", "vlan", "show", "dev", port).Output() // not each kernel has VLANs of ports
		all += string(vlans) + portNo.FindString(ip(t, "-d link show "+port))
	}
	return strings.Join(strings.Fields(numbered.ReplaceAllString(all, "")), " ")
}

// TestADeletedBridgeIsReCreatedWithItsPorts deletes two bridges in an atomic run. While it runs, a link joins the
// second one, which is then kept. The first one is deleted by then.
func TestADeletedBridgeIsReCreatedWithItsPorts(t *testing.T) {
	k := open(t)
	ip(t, "link add v7 type veth peer name w7")
	ip(t, "link add v8 type veth peer name w8")
	ip(t, "link add v9 type veth peer name w9")
	for _, line := range []string{"br0 address 02:00:00:00:00:b0 type bridge ageing_time 5000 stp_state 1",
		"br1 address 02:00:00:00:00:b1 type bridge"} {
		ip(t, "link add "+line)
	}
	ip(t, "link set v7 master br0 up")
	add(t, k, Spec{Name: "tap0", Mode: link.TAP, Access: users.Root(), Master: &Master{Name: "br0"},
		Link: Link{MAC: link.MAC{2, 0, 0, 0, 0, 1}, Up: on(true), Settings: rtnl.Settings{rtnl.Isolated: on(1)}}})
	for _, line := range []string{"link set v7 type bridge_slave cost 9",
		"link set v8 master br0", "link set br0 mtu 1400 up", "addr add 10.7.0.1/24 dev br0",
		"route add 10.9.0.0/16 via 10.7.0.9 dev br0"} {
		ip(t, line)
	}
	if exec.Command("ip", "link", "set", "br0", "type", "bridge", "vlan_filtering", "1").Run() == nil {
		for _, line := range []string{"add dev v7 vid 10", "add dev tap0 vid 20 pvid untagged", "del dev tap0 vid 1"} {
			nstest.Run(t, "bridge", strings.Fields("vlan "+line)...)
		}
	}
	before := bridged(t)
	joined := false
	options := Options{Atomic: true, Log: func(Step) {
		if !joined {
			ip(t, "link set v9 master br1")
		}
		joined = true
	}}
	results, err := k.Run(context.Background(), []Change{
		{Name: "br0", Kind: Bridge, Ports: []string{"v7", "v8"}, Expect: Present},
		{Name: "tap0", Expect: Present},
		{Name: "br1", Kind: Bridge, Expect: Present},
		{Name: "tun5", Want: &Spec{Name: "tun5", Mode: link.TUN, Access: users.Root()}},
	}, options)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if cause.Of(r.Err) != cause.OtherFailed && r.Name != "br1" || !r.PutBack && len(r.Steps) > 0 {
			t.Errorf("%s: %v, undo: %v, put back: %t", r.Name, r.Err, r.UndoErr, r.PutBack)
		}
	}
	if br1 := results[2]; cause.Of(br1.Err) != cause.InUse || !strings.Contains(br1.Err.Error(), "its port v9") {
		t.Errorf("br1: %v", br1.Err)
	}
	if !results[0].Remade || !results[1].Remade {
		t.Errorf("br0 and tap0 were not deleted: %t, %t", results[0].Remade, results[1].Remade)
	}
	ip(t, "link set v9 nomaster")
	if after := bridged(t); after != before {
		t.Errorf("got:\n%s\nwant:\n%s", after, before)
	}
}
