package doctor

import (
	"testing"

	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/netcfg"
)

func TestAddressChecks(t *testing.T) {
	lan := &netcfg.Device{Index: 9, Name: "eth1", Up: true, Addresses: addresses("10.0.0.9/24")}
	checkAll(t, map[string]situation{
		"an address": {look: noAddress, device: tun0(), question: named},
		"no address": {look: noAddress, device: tun0(idle, func(d *netcfg.Device) { d.Addresses = nil }),
			question: named, want: "warning it has no address", fix: "tunadm set tun0 --address 192.168.77.1/24"},
		"no address, not named": {look: noAddress, device: tun0(func(d *netcfg.Device) { d.Addresses = nil }),
			want: "ok"},
		"a single host": {look: noAddress, question: named,
			device: tun0(func(d *netcfg.Device) { d.Addresses = addresses("10.6.0.1/32") }),
			want:   "warning its address 10.6.0.1/32 covers only this host, and no route leads out of the device",
			fix:    "tunadm set tun0 --add-address 10.6.0.1/24"},
		"an address on a port": {look: bridgeAddress, device: tun0(port),
			want: "error it has the address 10.0.0.1/24, but is a port of the bridge br0",
			fix:  "tunadm set tun0 --remove-address 10.0.0.1/24 && ip addr replace 10.0.0.1/24 dev br0"},
		"the same network twice": {look: subnetTwice, device: tun0(),
			network: netcfg.Network{Links: []*netcfg.Device{lan}},
			want:    "error eth1 also has an address in 10.0.0.0/24",
			fix:     "tunadm set tun0 --remove-address 10.0.0.1/24 --add-address 192.168.77.1/24"},
		"its own address": {look: ownAddress, device: tun0(), want: "ok"},
		"a stale rule": {look: leftRules, device: tun0(), network: netcfg.Network{Rules: []rtnl.Rule{{Priority: 77,
			In: "t x", Detached: true, Table: 100}}}, fix: "ip rule del pref 77 iif 't x' lookup 100",
			want: "warning it does not exist, but a policy rule names it: pref 77 iif 't x' lookup 100"},
	})
}
