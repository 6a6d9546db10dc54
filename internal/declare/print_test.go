package declare

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/netcfg"
)

// TestEveryKeyIsPrinted: what can be declared, export declares, and it reads as the same.
func TestEveryKeyIsPrinted(t *testing.T) {
	address, _ := netcfg.ParseAddress("10.0.0.1 peer 10.0.0.2")
	route, _ := netcfg.ParseRoute("10.1.0.0/16 via 10.0.0.2 metric 5 table 7")
	all := &netcfg.Device{
		Name: "tap\"é.0", Kind: "tun", Mode: link.TAP, Persist: true, MultiQueue: true, PI: true, VnetHdr: true,
		Access: users.Access{User: &users.ID{Number: 1000, Name: "waldner"}, Group: &users.ID{Number: 12}},
		MTU:    1400, MAC: link.MAC{2, 0, 0, 0, 0, 1}, TxQueueLen: 5,
		Alias: "a \"b\" \\ {n} \x01\x7f\u2028 é", Master: "br0", MasterKind: netcfg.Bridge, Promisc: true, Up: true,
		Addresses: []netcfg.Address{address}, Routes: []netcfg.Route{route},
	}
	for i := range all.Settings {
		one := 1
		if rtnl.Setting(i).OfPort() {
			all.Settings[i] = &one
		}
	}
	off := 0
	all.Settings[rtnl.Learning], all.Settings[rtnl.Flood] = &off, &off
	all.VLANs = []rtnl.VLAN{{ID: 7, PVID: true, Untagged: true}, {ID: 8}, {ID: 9}}
	bridge := &netcfg.Device{
		Name: "br0", Index: 3, Kind: netcfg.Bridge, MTU: 1400, MAC: link.MAC{2, 0, 0, 0, 0, 2}, Up: true,
		TxQueueLen: 1000, Multicast: true, Addresses: []netcfg.Address{address}, Routes: []netcfg.Route{route},
	}
	for i := range bridge.Settings {
		three := 3
		if one := 1; rtnl.Setting(i) == rtnl.STP || rtnl.Setting(i) == rtnl.VLANFiltering {
			bridge.Settings[i] = &one
		} else if !rtnl.Setting(i).OfPort() {
			bridge.Settings[i] = &three
		}
	}
	bridge.Settings[rtnl.MulticastSnooping] = &off
	open := &netcfg.Device{Name: "tun1", Kind: "tun", Mode: link.TUN, MTU: 1500, TxQueueLen: 500, Multicast: true}
	text := ""
	for _, d := range []*netcfg.Device{all, open, bridge} {
		spec, _ := d.Spec()
		one, err := TOML(spec)
		if err != nil {
			t.Fatal(err)
		}
		text += one
		declared, mistakes := parse("f", []byte(one))
		if len(mistakes) > 0 {
			t.Fatalf("%v in\n%s", mistakes, one)
		}
		again := &declared[0].Spec
		again.Access = spec.Access
		if steps, err := netcfg.Plan(again, d); len(steps) > 0 || err != nil {
			t.Errorf("to do: %v, %v, by\n%s", steps, err, one)
		}
	}
	for _, k := range slices.Concat(keys, bridgeKeys) {
		if k.name == "ports" || k.name == "move_addresses" || k.name == "sysctl" { // an observed device has none
			continue
		}
		if !strings.Contains(text, "\n"+k.name+" = ") {
			t.Errorf("%s is not printed in\n%s", k.name, text)
		}
	}
	for _, k := range portKeys {
		if !regexp.MustCompile(`\nport = \{.*\b` + k.name + ` = `).MatchString(text) {
			t.Errorf("%s is not printed in\n%s", k.name, text)
		}
	}
	for _, name := range []string{"tap[x", "tap[0-1]", "tap\xff"} {
		bad := *open
		bad.Name, bad.Mode = name, link.TAP
		spec, _ := bad.Spec()
		if text, err := TOML(spec); err == nil {
			t.Errorf("%q: got\n%s", name, text)
		}
	}
}
