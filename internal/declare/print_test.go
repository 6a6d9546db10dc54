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

// tapOfAll returns a tap with a value for each key of a tap and of a port.
func tapOfAll(address netcfg.Address, route netcfg.Route) *netcfg.Device {
	d := &netcfg.Device{
		Name: "tap\"é.0", Kind: "tun", Mode: link.TAP, Persist: true, MultiQueue: true, PI: true, VnetHdr: true,
		Access: users.Access{User: &users.ID{Number: 1000, Name: "waldner"}, Group: &users.ID{Number: 12}},
		MTU:    1400, MAC: link.MAC{2, 0, 0, 0, 0, 1}, TxQueueLen: 5,
		Alias: "a \"b\" \\ {n} \x01\x7f\u2028 é", Master: "br0", MasterKind: netcfg.Bridge, Promisc: true, Up: true,
		Addresses: []netcfg.Address{address}, Routes: []netcfg.Route{route},
		VLANs: []rtnl.VLAN{{ID: 7, PVID: true, Untagged: true}, {ID: 8}, {ID: 9}},
	}
	for i := range d.Settings {
		if value := 1; rtnl.Setting(i).OfPort() {
			d.Settings[i] = &value
		}
	}
	off := 0
	d.Settings[rtnl.Learning], d.Settings[rtnl.Flood] = &off, &off
	return d
}

// bridgeOfAll returns a bridge with a value for each key of a bridge.
func bridgeOfAll(address netcfg.Address, route netcfg.Route) *netcfg.Device {
	d := &netcfg.Device{
		Name: "br0", Index: 3, Kind: netcfg.Bridge, MTU: 1400, MAC: link.MAC{2, 0, 0, 0, 0, 2}, Up: true,
		TxQueueLen: 1000, Multicast: true, Addresses: []netcfg.Address{address}, Routes: []netcfg.Route{route},
	}
	for i := range d.Settings {
		if value := rtnl.Setting(i).Value(3); !rtnl.Setting(i).OfPort() {
			d.Settings[i] = &value
		}
	}
	on, off := 1, 0
	d.Settings[rtnl.STP], d.Settings[rtnl.VLANFiltering], d.Settings[rtnl.MulticastSnooping] = &on, &on, &off
	return d
}

// printed returns what TOML prints of the device, and checks that the engine has nothing to change when it is read.
func printed(t *testing.T, d *netcfg.Device) string {
	t.Helper()
	spec, _ := d.Spec()
	text, err := TOML(spec)
	if err != nil {
		t.Fatal(err)
	}
	declared, mistakes := parse("f", []byte(text))
	if len(mistakes) > 0 {
		t.Fatalf("%v in\n%s", mistakes, text)
	}
	again := &declared[0].Spec
	again.Access = spec.Access
	if steps, err := netcfg.Plan(again, d); len(steps) > 0 || err != nil {
		t.Errorf("to do: %v, %v, by\n%s", steps, err, text)
	}
	return text
}

// TestEveryKeyIsPrinted checks that export prints every key that a file may have, in a form that reads as the same.
func TestEveryKeyIsPrinted(t *testing.T) {
	address, _ := netcfg.ParseAddress("10.0.0.1 peer 10.0.0.2")
	route, _ := netcfg.ParseRoute("10.1.0.0/16 via 10.0.0.2 metric 5 table 7")
	open := &netcfg.Device{Name: "tun1", Kind: "tun", Mode: link.TUN, MTU: 1500, TxQueueLen: 500, Multicast: true}
	text := printed(t, tapOfAll(address, route)) + printed(t, open) + printed(t, bridgeOfAll(address, route))
	for _, k := range slices.Concat(keys(), bridgeKeys()) {
		if k.name == "ports" || k.name == "move_addresses" || k.name == "sysctl" { // an observed device has none
			continue
		}
		if !strings.Contains(text, "\n"+k.name+" = ") {
			t.Errorf("%s is not printed in\n%s", k.name, text)
		}
	}
	for _, k := range portKeys() {
		if !regexp.MustCompile(`\nport = \{.*\b` + k.name + ` = `).MatchString(text) {
			t.Errorf("%s is not printed in\n%s", k.name, text)
		}
	}
}

// TestWhatNoFileCanDeclare checks that export refuses names that a file reads as patterns, or cannot contain.
func TestWhatNoFileCanDeclare(t *testing.T) {
	for _, name := range []string{"tap[x", "tap[0-1]", "tap\xff"} {
		d := netcfg.Device{Name: name, Kind: "tun", Mode: link.TAP, MTU: 1500, TxQueueLen: 500, Multicast: true}
		spec, _ := d.Spec()
		if text, err := TOML(spec); err == nil {
			t.Errorf("%q: got\n%s", name, text)
		}
	}
}
