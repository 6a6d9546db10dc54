package netcfg

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tunadm/tunadm/internal/driver"
	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/internal/rtnl"
)

// TestTheDelayOfABridgeUnderAnotherRoot changes the forward delay of a bridge that is not the root of the spanning
// tree. Netlink does not report it. A program that cannot read it otherwise leaves it alone, with a warning.
func TestTheDelayOfABridgeUnderAnotherRoot(t *testing.T) {
	for _, reads := range []bool{true, false} {
		k := open(t)
		if !reads {
			k.features &^= ownDelay
		}
		ip(t, "link add br0 up type bridge stp_state 1 forward_delay 300")
		ip(t, "link add br1 up type bridge stp_state 1 forward_delay 200 priority 1")
		ip(t, "link add v0 type veth peer name v1")
		ip(t, "link set v0 up master br0")
		ip(t, "link set v1 up master br1")
		deadline := time.Now().Add(nstest.Patience(20 * time.Second))
		for !strings.Contains(ip(t, "-d link show br0"), " forward_delay 200 ") {
			if time.Now().After(deadline) {
				t.Fatal("br1 does not become the root: ", ip(t, "-d link show br0"))
			}
			time.Sleep(10 * time.Millisecond)
		}
		want, delay := &Spec{Name: "br0", Kind: Bridge}, 400
		want.Settings[rtnl.ForwardDelay] = &delay
		results, err := k.Run(context.Background(), []Change{{Name: "br0", Expect: Present, Want: want}}, Options{})
		if err != nil || results[0].Err != nil {
			t.Fatal(err, results)
		}
		warned := slices.ContainsFunc(results[0].Warnings, func(text string) bool {
			return strings.HasPrefix(text, "forward_delay is left unchanged: ")
		})
		now, err := driver.ForwardDelay(k.socket.FD(), "br0")
		if err != nil || now != map[bool]int{true: 400, false: 300}[reads] || warned == reads {
			t.Errorf("readable: %t: the delay is %d, %v, warnings: %q", reads, now, err, results[0].Warnings)
		}
		ip(t, "link del br0")
		ip(t, "link del br1")
		ip(t, "link del v0")
	}
}

// TestAnUndoRestoresTheVLANsOfPorts changes the default PVID of a bridge in a run that fails afterwards. The kernel
// takes the PVID of a port of others for it, and does not give it back.
func TestAnUndoRestoresTheVLANsOfPorts(t *testing.T) {
	k := open(t)
	if exec.Command("ip", "link", "add", "br0", "type", "bridge", "vlan_filtering", "1").Run() != nil {
		t.Skip("requires a kernel that filters VLANs in bridges, such as those of make kernels")
	}
	ip(t, "link set br0 type bridge vlan_default_pvid 0")
	ip(t, "link add v7 master br0 type veth peer name w7")
	ip(t, "tuntap add dev tap1 mode tap user root")
	nstest.Run(t, "bridge", "vlan", "add", "dev", "v7", "vid", "50", "pvid", "untagged")
	was := nstest.Run(t, "bridge", "vlan", "show", "dev", "v7")
	want, pvid, taken := &Spec{Name: "br0", Kind: Bridge}, 30, ""
	want.Settings[rtnl.VLANDefaultPVID] = &pvid
	options := Options{Atomic: true, Log: func(s Step) {
		if s.Device == "br0" && taken == "" {
			taken = nstest.Run(t, "bridge", "vlan", "show", "dev", "v7")
			ip(t, "link del tap1")
		}
	}}
	results, err := k.Run(context.Background(), []Change{
		{Name: "br0", Expect: Present, Want: want},
		{Name: "tap1", Expect: Present, Want: &Spec{Name: "tap1", Master: &Master{Name: "br0"}}},
	}, options)
	if err != nil || results[0].Err == nil || results[0].UndoErr != nil {
		t.Fatalf("%v %+v", err, results)
	}
	if now := nstest.Run(t, "bridge", "vlan", "show", "dev", "v7"); taken == was || now != was {
		t.Errorf("before:\n%s\nin the run:\n%s\nafter it:\n%s", was, taken, now)
	}
}
