package doctor

import (
	"io/fs"
	"net/netip"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/netcfg"
)

// A tree has the content of files of /proc and /run, by path.
type tree map[string]string

func (f tree) read(path string) ([]byte, error) {
	if text, found := f[path]; found {
		return []byte(text), nil
	}
	return nil, fs.ErrNotExist
}

func addresses(list ...string) (found []netcfg.Address) {
	for _, text := range list {
		p := netip.MustParsePrefix(text)
		found = append(found, withLength(p.Addr(), p.Bits()))
	}
	return found
}

// tun0 returns a configured tun to which a program of the user 1000 is attached, after some changes.
func tun0(changes ...func(*netcfg.Device)) *netcfg.Device {
	d := &netcfg.Device{Index: 5, Name: "tun0", Kind: "tun", Mode: link.TUN, Persist: true, Up: true, Carrier: true,
		MTU:        1500,
		TxQueueLen: 500, Queues: 1, Holders: []netcfg.Holder{{PID: 77, Command: "vpnd", User: kim, Queues: 1}},
		Access: users.Access{User: &kim}, Addresses: addresses("10.0.0.1/24")}
	for _, change := range changes {
		change(d)
	}
	return d
}

func idle(d *netcfg.Device) { d.Queues, d.Holders, d.Carrier = 0, nil, false }

// port makes the device a tap and a port of br0.
func port(d *netcfg.Device) {
	d.Mode, d.Master, d.MasterKind, d.MAC = link.TAP, "br0", "bridge", link.MAC{2, 0, 0, 0, 0, 1}
}

var (
	kim  = users.ID{Number: 1000, Name: "kim"}
	kvms = users.ID{Number: 100, Name: "kvms"}
	eth1 = &netcfg.Device{Index: 9, Name: "eth1", Up: true, MTU: 1400, MAC: link.MAC{2, 0, 0, 0, 0, 1}, Master: "br0",
		MasterKind: "bridge"}
	br0 = &netcfg.Device{Index: 10, Name: "br0", Kind: "bridge", MTU: 1400}
)

// A situation is what a check looks at, and what it finds: "" is nothing, and a text of level OK is not compared.
type situation struct {
	look      func(*view) []Finding
	device    *netcfg.Device
	question  Question
	person    users.Person
	network   netcfg.Network
	files     tree
	declared  *netcfg.Spec
	refused   error // with which apply would leave the device unchanged
	want, fix string
}

func (s situation) view() *view {
	links := append([]*netcfg.Device{s.device}, s.network.Links...)
	v := &view{Question: s.question, namespace: &netcfg.Namespace{}, person: s.person, admin: true, device: s.device,
		people: map[string]users.Person{},
		links:  indexOf(links), policies: s.network.Rules,
		devices: []*netcfg.Device{s.device}, file: s.files.read}
	v.Declared = func() []Declared { return nil }
	v.Unapplied = func() map[string]error { return map[string]error{"tun0": s.refused} }
	if s.declared != nil {
		v.Declared = func() []Declared { return []Declared{{s.declared, "/etc/tunadm.toml:3"}} }
		s.declared.Name = "tun0"
	}
	return v
}

// check compares the first finding and its first fix.
func (s situation) check(t *testing.T) {
	t.Helper()
	got, fix := "", ""
	if found := s.look(s.view()); len(found) > 0 {
		got = found[0].Level.String() + " " + found[0].What
		if len(found[0].Fixes) > 0 {
			fix = found[0].Fixes[0].String()
		}
	}
	if s.want == "ok" {
		got, _, _ = strings.Cut(got, " ")
	}
	if got != s.want || fix != s.fix {
		t.Errorf("got  %s\n  fix %s\nwant %s\n  fix %s", got, fix, s.want, s.fix)
	}
}

var named = Question{Device: "tun0"}

// checkAll checks each situation by its name.
func checkAll(t *testing.T, all map[string]situation) {
	t.Helper()
	for name, s := range all {
		t.Run(name, s.check)
	}
}

func TestStateChecks(t *testing.T) {
	lowered := func(d *netcfg.Device) { d.Up = false }
	checkAll(t, map[string]situation{
		"up": {look: down, device: tun0(), want: "ok"},
		"down with an address": {look: down, device: tun0(idle, lowered), want: "error it is down",
			fix: "tunadm set tun0 --up"},
		"down with nothing": {look: down, device: tun0(idle, lowered, func(d *netcfg.Device) { d.Addresses = nil }),
			want: "ok"},
		"down with nothing, named": {look: down, device: tun0(idle, lowered), question: named,
			want: "error it is down", fix: "tunadm set tun0 --up"},
		"down as declared": {look: down, device: tun0(lowered),
			declared: &netcfg.Spec{Link: netcfg.Link{Up: new(bool)}}, want: "ok"},

		"carrier": {look: noCarrier, device: tun0(), want: "ok"},
		"carrier off": {look: noCarrier, device: tun0(func(d *netcfg.Device) { d.Carrier = false }),
			want: "error a program is attached, but the carrier is off", fix: "ip link set dev tun0 carrier on"},
		"idle": {look: noCarrier, device: tun0(idle), want: "ok"},
		"idle, named": {look: noCarrier, device: tun0(idle), question: named,
			want: "warning no program is attached, so the kernel drops every packet sent to it",
			fix:  "start the program that reads it"},
		"idle, named for a user": {look: noCarrier, device: tun0(idle), question: Question{Device: "tun0", User: "kim"},
			want: "ok"},
		"idle with the kernel's own drops": {look: noCarrier,
			device: tun0(idle, func(d *netcfg.Device) { d.Stats.TxDropped = ownPackets }),
			want:   "ok"},
		"idle with drops": {look: noCarrier, device: tun0(idle,
			func(d *netcfg.Device) { d.Stats.TxDropped = ownPackets + 1 }),
			want: "error no program is attached, so the kernel dropped 33 packets sent to it",
			fix:  "start the program that reads it"},

		"read": {look: unread, device: tun0(), question: named},
		"not read": {look: unread, device: tun0(func(d *netcfg.Device) { d.Stats.TxDropped = 40 }), question: named,
			want: "warning the attached program has read no packet, and the kernel dropped 40 packets",
			fix:  "restart the program: in use by vpnd (pid 77, user kim)"},
		"read some": {look: unread,
			device: tun0(func(d *netcfg.Device) { d.Stats.TxDropped, d.Stats.TxPackets = 40, 1 }), question: named},
	})
}

func TestLinkChecks(t *testing.T) {
	checkAll(t, map[string]situation{
		"default queue": {look: queueLength, device: tun0(), want: "ok"},
		"no queue": {look: queueLength, device: tun0(func(d *netcfg.Device) { d.TxQueueLen = 0 }),
			want: "error its transmit queue length is 0 (txqueuelen)", fix: "tunadm set tun0 --txqueuelen 500"},
		"no queue on a tap": {look: queueLength, device: tun0(port, func(d *netcfg.Device) { d.TxQueueLen = 0 }),
			want: "error its transmit queue length is 0 (txqueuelen)", fix: "tunadm set tun0 --txqueuelen 1000"},
		"short queue without drops": {look: queueLength, device: tun0(func(d *netcfg.Device) { d.TxQueueLen = 9 }),
			want: "ok"},
		"short queue with drops": {look: queueLength,
			device: tun0(func(d *netcfg.Device) { d.TxQueueLen, d.Stats.TxDropped = 9, 1 }),
			want: "warning the kernel dropped 1 packet sent to it, " +
				"and its transmit queue length is only 9 (txqueuelen)",
			fix: "tunadm set tun0 --txqueuelen 500"},

		"MTU of no bridge": {look: mtuOfMaster, device: tun0()},
		"MTU above the bridge's": {look: mtuOfMaster, device: tun0(port),
			network: netcfg.Network{Links: []*netcfg.Device{br0}},
			want:    "warning its MTU is 1500, but that of its bridge br0 is 1400", fix: "tunadm set tun0 --mtu 1400"},
		"MTU below the bridge's": {look: mtuOfMaster, device: tun0(port, func(d *netcfg.Device) { d.MTU = 1400 }),
			network: netcfg.Network{Links: []*netcfg.Device{br0}}},
		"bridge down": {look: bridgeDown, device: tun0(port), network: netcfg.Network{Links: []*netcfg.Device{br0}},
			want: "error its master br0 is down", fix: "ip link set dev br0 up"},
		"same MAC address": {look: macTwice, device: tun0(port), network: netcfg.Network{Links: []*netcfg.Device{eth1}},
			want: "error eth1, a port of the same bridge, has the same MAC address: 02:00:00:00:00:01",
			fix:  "tunadm set tun0 --mac " + ownMAC(tun0()).String()},
		"MAC address of no other port": {look: macTwice, device: tun0(port),
			network: netcfg.Network{Links: []*netcfg.Device{br0}}},

		"IPv6 nowhere": {look: mtuIPv6, device: tun0(func(d *netcfg.Device) { d.MTU = 1000 }), question: named},
		"IPv6 elsewhere": {look: mtuIPv6, device: tun0(func(d *netcfg.Device) { d.MTU = 1000 }), question: named,
			network: netcfg.Network{Links: []*netcfg.Device{{Index: 9, Addresses: addresses("fd00::1/64")}}},
			want:    "warning its MTU is 1000, but IPv6 requires 1280", fix: "tunadm set tun0 --mtu 1280"},

		"frames to its own MAC address": {look: otherMACs,
			device: tun0(func(d *netcfg.Device) { d.Mode = link.TAP })},
		"frames to another MAC address": {look: otherMACs,
			device: tun0(func(d *netcfg.Device) {
				d.Mode, d.MAC, d.Stats.RxOtherHost = link.TAP, link.MAC{2, 0, 0, 0, 0, 7}, 2
			}),
			want: "warning the program sent 2 packets to a MAC address other than that of the tap, 02:00:00:00:00:07",
			fix:  "make the program resolve the MAC address by ARP"},
	})
}

func TestDeclaredChecks(t *testing.T) {
	yes := true
	checkAll(t, map[string]situation{
		"as declared": {look: declared, device: tun0(), declared: &netcfg.Spec{Name: "tun0"}},
		"not as declared": {look: declared, device: tun0(),
			declared: &netcfg.Spec{Name: "tun0", Link: netcfg.Link{MTU: &br0.MTU}},
			want: "warning it differs from its declaration (/etc/tunadm.toml:3); " +
				"missing: ip link set tun0 mtu 1400",
			fix: "tunadm apply"},
		"other mode than declared": {look: declared, device: tun0(idle),
			declared: &netcfg.Spec{Name: "tun0", Mode: link.TAP},
			refused:  &cause.Error{Device: "tun0", Cause: cause.WrongMode},
			want:     "warning it differs from its declaration (/etc/tunadm.toml:3): it is a tun, not a tap",
			fix:      "tunadm apply --replace"},
		"other queues than declared, in use": {look: declared, device: tun0(),
			declared: &netcfg.Spec{Name: "tun0", MultiQueue: &yes},
			refused:  &cause.Error{Device: "tun0", Cause: cause.WrongQueues},
			want:     "warning it differs from its declaration (/etc/tunadm.toml:3): it is single-queue",
			fix:      "end the program, then run tunadm apply --replace: in use by vpnd (pid 77, user kim)"},
		"declared in another bridge": {look: declared, device: tun0(port),
			declared: &netcfg.Spec{Name: "tun0", Mode: link.TAP, Master: &netcfg.Master{Name: "br7"}},
			refused:  &cause.Error{Device: "tun0", Cause: cause.NoMaster},
			want:     "warning it is not a port of br7, as declared (/etc/tunadm.toml:3)",
			fix:      "create br7, then run tunadm apply; or declare it: [bridge.br7]"},
		"declared in another namespace": {look: declared, device: tun0(), question: Question{Netns: "blue"},
			declared: &netcfg.Spec{Name: "tun0", Link: netcfg.Link{MTU: &br0.MTU}}},
	})
}
