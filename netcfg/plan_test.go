package netcfg

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/users"
)

func address(s string) Address {
	a, err := ParseAddress(s)
	if err != nil {
		panic(err)
	}
	return a
}

func route(s string) Route {
	r, err := ParseRoute(s)
	if err != nil {
		panic(err)
	}
	return r
}

// at and through return what a step holds.
func at(s string) *Address {
	a := address(s)
	return &a
}

func through(s string) *Route {
	r := route(s)
	return &r
}

func addresses(list ...string) *[]Address {
	as := make([]Address, len(list))
	for i, s := range list {
		as[i] = address(s)
	}
	return &as
}

func routes(list ...string) *[]Route {
	rs := make([]Route, len(list))
	for i, s := range list {
		rs[i] = route(s)
	}
	return &rs
}

// live returns a device that is up and has an index.
func live(mode link.Mode, change func(*Device)) *Device {
	d := Fresh(mode.String()+"7", mode)
	d.Index, d.Up, d.Access = 7, true, *users.Root()
	if change != nil {
		change(d)
	}
	return d
}

func on[T any](v T) *T { return &v }

// Foreign objects: an address of the kernel, and a route of a routing daemon.
var (
	foreign = func() Address { a := address("10.9.9.9/24"); a.kept.foreign = true; return a }()
	daemon  = func() Route { r := route("10.99.0.0/16"); r.kept = kept{foreign: true, message: []byte{1}}; return r }()
)

// planned lists Specs, devices, and the steps between them.
var planned = []struct {
	name string
	want *Spec
	have *Device
	plan []string
}{
	{"absent and not wanted", nil, nil, nil},
	{"gone", nil, live(link.TUN, nil), []string{"ip link delete dev tun7"}},
	{"the sentence",
		&Spec{Name: "tun77", Mode: link.TUN, Access: &users.Access{User: &users.ID{Number: 1000, Name: "waldner"}}},
		nil,
		[]string{"ip tuntap add dev tun77 mode tun user waldner"}},
	{"the default owner is root", &Spec{Name: "tap0", Mode: link.TAP, MultiQueue: on(true), PI: true, VnetHdr: true},
		nil,
		[]string{"ip tuntap add dev tap0 mode tap user root pi vnet_hdr multi_queue"}},
	{"all of a new device, in one link step", &Spec{Name: "tap0", Mode: link.TAP,
		Access: &users.Access{Group: &users.ID{Number: 107, Name: "kvm"}},
		Link: Link{MTU: on(1400), MAC: link.MAC{2, 0, 0, 0, 0, 1}, TxQueueLen: on(10), Alias: on("a b"),
			Promisc:   on(true),
			Multicast: on(false), Up: on(true)}, Addresses: addresses("10.0.0.1/24"),
		Routes: routes("10.1.0.0/16 via 10.0.0.2 metric 5 table 7"), Master: &Master{Name: "br0"}},
		nil, []string{
			"ip tuntap add dev tap0 mode tap group kvm",
			"ip link set tap0 mtu 1400 address 02:00:00:00:00:01 txqueuelen 10 alias 'a b' promisc on multicast off up",
			"ip addr add 10.0.0.1/24 dev tap0",
			"ip route add 10.1.0.0/16 via 10.0.0.2 dev tap0 proto static metric 5 table 7",
			"ip link set tap0 master br0"}},
	{"as it is",
		&Spec{Mode: link.TUN, Link: Link{MTU: on(1500), Up: on(true), Multicast: on(true)}, Access: users.Root(),
			Addresses: addresses()}, live(link.TUN, nil), nil},
	{"an unnumbered name keeps the word dev", &Spec{Link: Link{MTU: on(1400)}},
		live(link.TUN, func(d *Device) { d.Name = "up" }), []string{"ip link set dev up mtu 1400"}},
	{"exactly these addresses, and foreign ones stay", &Spec{Addresses: addresses("10.0.0.1/24", "10.5.0.1/24")},
		live(link.TUN,
			func(d *Device) { d.Addresses = []Address{foreign, address("10.0.0.1/24"), address("10.1.0.1/24")} }),
		[]string{"ip addr add 10.5.0.1/24 dev tun7", "ip addr del 10.1.0.1/24 dev tun7"}},
	{"another address of the same subnet comes after the old one is gone", &Spec{Addresses: addresses("10.0.0.2/24")},
		live(link.TUN, func(d *Device) { d.Addresses = *addresses("10.0.0.1/24") }),
		[]string{"ip addr del 10.0.0.1/24 dev tun7", "ip addr add 10.0.0.2/24 dev tun7"}},
	{"one address more, one less", &Spec{AddAddresses: *addresses("fd00::1/64"),
		RemoveAddresses: *addresses("10.0.0.1/24")},
		live(link.TUN, func(d *Device) { d.Addresses = *addresses("10.0.0.1/24", "10.1.0.1/24") }),
		[]string{"ip addr add fd00::1/64 dev tun7", "ip addr del 10.0.0.1/24 dev tun7"}},
	{"an empty list asks for none, of the administrator's", &Spec{Addresses: addresses(), Routes: routes()},
		live(link.TUN, func(d *Device) {
			d.Addresses, d.Routes = []Address{foreign, address("10.0.0.1/24")}, []Route{daemon, route("10.1.0.0/16")}
		}), []string{"ip addr del 10.0.0.1/24 dev tun7", "ip route del 10.1.0.0/16 dev tun7"}},
	{"a route by another gateway", &Spec{Routes: routes("10.1.0.0/16 via 10.0.0.3")},
		live(link.TUN, func(d *Device) { d.Routes = *routes("10.1.0.0/16 via 10.0.0.2") }),
		[]string{"ip route del 10.1.0.0/16 via 10.0.0.2 dev tun7",
			"ip route add 10.1.0.0/16 via 10.0.0.3 dev tun7 proto static"}},
	{"removals come last, and down at the very end",
		&Spec{Link: Link{Up: on(false), MTU: on(1000), TxQueueLen: on(5)}, Master: &Master{},
			Access: &users.Access{User: &users.ID{Number: 5}}},
		live(link.TUN, func(d *Device) { d.Master = "vrf0" }),
		[]string{"ip link set tun7 txqueuelen 5", "ip link set tun7 mtu 1000", "ip link set tun7 nomaster",
			"ip link set tun7 down", "# tunadm set tun7 --user 5"}},
	{"an empty bridge keeps its address",
		&Spec{Master: &Master{Name: "br0", kind: "bridge", mac: link.MAC{2, 0, 0, 0, 0, 9},
			hold: true}}, live(link.TAP, nil),
		[]string{"ip link set br0 address 02:00:00:00:00:09", "ip link set tap7 master br0"}},
	{"addresses that the kernel removes are restored", &Spec{RemoveAddresses: *addresses("10.0.0.1/24")},
		live(link.TUN, func(d *Device) {
			d.Addresses, d.Routes = *addresses("10.0.0.1/24", "10.0.0.2/24"), *routes("10.1.0.0/16")
		}), []string{"ip addr del 10.0.0.1/24 dev tun7", "ip addr add 10.0.0.2/24 dev tun7",
			"ip route add 10.1.0.0/16 dev tun7 proto static"}},
	{"but not where another address keeps it", &Spec{RemoveAddresses: *addresses("10.0.0.1/24")},
		live(link.TUN, func(d *Device) {
			d.Addresses, d.Routes = *addresses("10.0.0.1/24", "10.5.0.2/24"), *routes("10.1.0.0/16")
		}), []string{"ip addr del 10.0.0.1/24 dev tun7"}},
	{"objects that the kernel dropped are restored",
		&Spec{RemoveAddresses: *addresses("10.0.0.1/24"), before: live(link.TUN, func(d *Device) {
			d.Addresses, d.Routes = *addresses("10.0.0.1/24", "10.0.0.2/24"), []Route{daemon}
		})}, live(link.TUN, nil), []string{"ip addr add 10.0.0.2/24 dev tun7", "# tun7: route 10.99.0.0/16 as it was"}},
	{"going down asks for no route and no IPv6 address back",
		&Spec{Link: Link{Up: on(false)}, before: live(link.TUN, func(d *Device) {
			d.Addresses, d.Routes = *addresses("10.0.0.1/24", "fd00::1/64"), []Route{daemon}
		})}, live(link.TUN, func(d *Device) { d.Up, d.Addresses = false, *addresses("10.0.0.1/24") }), nil},
}

func TestPlan(t *testing.T) {
	for _, c := range planned {
		steps, err := Plan(c.want, c.have)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got []string
		for _, s := range steps {
			got = append(got, s.String())
		}
		if !slices.Equal(got, c.plan) {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, strings.Join(got, "\n     "), strings.Join(c.plan, "\n     "))
		}
	}
}

func TestPlanRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		want  *Spec
		have  *Device
		cause cause.Cause
	}{
		{"to delete another kind", nil, &Device{Name: "v0", Kind: "veth"}, cause.OtherKind},
		{"to change another kind", &Spec{}, &Device{Name: "lo"}, cause.OtherKind},
		{"another mode", &Spec{Mode: link.TAP}, live(link.TUN, nil), cause.WrongMode},
		{"other queues", &Spec{MultiQueue: on(true)}, live(link.TUN, nil), cause.WrongQueues},
		{"to unset an owner", &Spec{Access: &users.Access{}}, live(link.TUN, nil), cause.OwnerFixed},
		{"to trade an owner for a group", &Spec{Access: &users.Access{Group: &users.ID{Number: 5}}},
			live(link.TUN, nil), cause.OwnerFixed},
		{"a MAC on a tun", &Spec{Link: Link{MAC: link.MAC{2, 0, 0, 0, 0, 1}}}, live(link.TUN, nil), cause.TunHasNoMAC},
		{"an MTU beyond a tap's", &Spec{Link: Link{MTU: on(65522)}}, live(link.TAP, nil), cause.MTUBounds},
		{"an MTU that takes an address", &Spec{Link: Link{MTU: on(1279)}},
			live(link.TUN, func(d *Device) { d.Addresses = *addresses("fd00::1/64") }), cause.MTUBelowIPv6},
		{"an MTU that takes a route", &Spec{Link: Link{MTU: on(1279)}},
			live(link.TUN, func(d *Device) { d.Routes = *routes("fd01::/48") }), cause.MTUBelowIPv6},
		{"IPv6 below 1280", &Spec{AddAddresses: *addresses("fd00::1/64")},
			live(link.TUN, func(d *Device) { d.MTU = 1000 }),
			cause.MTUBelowIPv6},
		{"a route on a device that is down", &Spec{AddRoutes: *routes("10.1.0.0/16")},
			live(link.TUN, func(d *Device) { d.Up = false }), cause.DeviceDown},
		{"a tun in a bridge", &Spec{Master: &Master{Name: "br0", kind: "bridge"}}, live(link.TUN, nil),
			cause.TunInBridge},
	} {
		steps, err := Plan(c.want, c.have)
		e := new(cause.Error)
		if !errors.As(err, &e) || e.Cause != c.cause || len(steps) > 0 {
			t.Errorf("%s: got %v, %v (cause %d), want cause %d", c.name, steps, err, e.Cause, c.cause)
		}
	}
}

func TestLinkLocalIPv6GoesWithASmallMTU(t *testing.T) {
	linkLocal := address("fe80::1/64")
	linkLocal.kept.foreign = true
	before := live(link.TUN, func(d *Device) { d.Addresses = []Address{linkLocal} })
	now := live(link.TUN, func(d *Device) { d.MTU = 1000 })
	if steps, err := Plan(&Spec{Link: Link{MTU: on(1000)}, before: before}, now); err != nil || len(steps) > 0 {
		t.Errorf("got %v, %v; want nothing more to do", steps, err)
	}
}

func TestUndoRestoresTheOrderOfIPv4Addresses(t *testing.T) {
	before := live(link.TUN, func(d *Device) {
		d.Addresses = *addresses("10.0.0.1/24", "10.0.0.2/24", "10.1.0.1/24",
			"fd00::1/64")
	})
	now := live(link.TUN, func(d *Device) { d.Addresses = *addresses("10.0.0.2/24", "10.1.0.1/24", "10.7.0.1/24") })
	steps, err := Plan(before.spec([]*task{{Step: Step{Kind: StepAddAddress, address: at("10.7.0.1/24")}}}), now)
	if err != nil {
		t.Fatal(err)
	}
	list := slices.Clone(now.Addresses)
	for _, s := range steps {
		switch s.Kind {
		case StepRemoveAddress:
			list = slices.DeleteFunc(list, s.address.same)
		case StepAddAddress:
			list = append(list, *s.address)
		}
	}
	got := slices.DeleteFunc(list, func(a Address) bool { return a.Local.Is6() })
	if want := before.Addresses[:3]; !slices.EqualFunc(got, want, Address.same) {
		t.Errorf("got %v, want %v, by %v", got, want, steps)
	}
}
