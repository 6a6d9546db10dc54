package declare

import (
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/link"
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
		Alias: "a \"b\" \\ {n} \x01\x7f\u2028 é", Master: "br0", Promisc: true, Up: true,
		Addresses: []netcfg.Address{address}, Routes: []netcfg.Route{route},
	}
	open := &netcfg.Device{Name: "tun1", Kind: "tun", Mode: link.TUN, MTU: 1500, TxQueueLen: 500, Multicast: true}
	text := ""
	for _, d := range []*netcfg.Device{all, open} {
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
	for _, k := range keys {
		if !strings.Contains(text, "\n"+k.name+" = ") {
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
