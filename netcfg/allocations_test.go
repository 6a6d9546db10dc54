//go:build !race

package netcfg

import (
	"testing"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// full returns what users usually ask of a device.
func full() *Spec {
	return &Spec{Name: "tun7", Mode: link.TUN, Access: &users.Access{User: &users.ID{Number: 1000}},
		Link: Link{MTU: on(1400), Up: on(true)}, Addresses: addresses("10.0.0.1/24", "fd00::1/64"),
		Routes: routes("10.1.0.0/16 via 10.0.0.2")}
}

// TestPlanAllocates bounds the allocations of a plan for a new device, and for one that is already as asked.
func TestPlanAllocates(t *testing.T) {
	want := full()
	have := live(link.TUN, func(d *Device) {
		d.MTU, d.Access = 1400, *want.Access
		d.Addresses, d.Routes = *want.Addresses, *want.Routes
	})
	for _, c := range []struct {
		name  string
		have  *Device
		steps int
		most  float64
	}{
		{"a new device", nil, 5, 49},
		{"no change", have, 0, 63},
	} {
		if steps, err := Plan(want, c.have); err != nil || len(steps) != c.steps {
			t.Fatalf("%s: %v, %v", c.name, steps, err)
		}
		nstest.Allocates(t, "the plan of "+c.name, c.most, func() { _, _ = Plan(want, c.have) })
	}
}

// linkMessage returns the attributes that the kernel sends of a tun device, as far as tunadm reads them.
func linkMessage() []byte {
	tun := nl.NewRtAttr(nl.IFLA_INFO_DATA, nil)
	tun.AddRtAttr(nl.IFLA_TUN_TYPE, []byte{unix.IFF_TUN})
	tun.AddRtAttr(nl.IFLA_TUN_OWNER, nl.Uint32Attr(1000))
	tun.AddRtAttr(nl.IFLA_TUN_PERSIST, []byte{1})
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, []byte("tun"))
	info.AddChild(tun)
	r := nl.NewNetlinkRequest(unix.RTM_NEWLINK, 0)
	r.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	for _, a := range []*nl.RtAttr{
		nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated("tun7")),
		nl.NewRtAttr(unix.IFLA_TXQLEN, nl.Uint32Attr(500)),
		nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(1500)),
		nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(0)),
		nl.NewRtAttr(unix.IFLA_QDISC, nl.ZeroTerminated("fq_codel")),
		nl.NewRtAttr(unix.IFLA_STATS64, make([]byte, 25*8)),
		info,
	} {
		r.AddData(a)
	}
	return r.Serialize()[unix.SizeofNlMsghdr:]
}

// TestDecodeAllocates bounds the allocations for each link, address and route of a dump.
func TestDecodeAllocates(t *testing.T) {
	body := func(s Step) []byte { return s.encode().Serialize()[unix.SizeofNlMsghdr:] }
	local, via := address("10.0.0.1/24"), route("10.1.0.0/16 via 10.0.0.2")
	device, anAddress := linkMessage(), body(Step{Kind: StepAddAddress, address: &local})
	aRoute := body(Step{Kind: StepAddRoute, Route: &via})
	if d := decodeLink(device); d == nil || d.Name != "tun7" || d.MTU != 1500 || d.Access.User.Number != 1000 {
		t.Fatalf("%+v", d)
	}
	nstest.Allocates(t, "decoding a link", 6, func() { decodeLink(device) })
	nstest.Allocates(t, "decoding an address", 1, func() { decodeAddress(anAddress) })
	nstest.Allocates(t, "decoding a route", 1, func() { decodeRoute(aRoute, unix.AF_INET) })
	nstest.Allocates(t, "skipping a route of the other family", 1, func() { decodeRoute(aRoute, unix.AF_INET6) })
}

// TestEncodeAllocates bounds the allocations for the requests of a new device.
func TestEncodeAllocates(t *testing.T) {
	steps, err := Plan(full(), nil)
	if err != nil {
		t.Fatal(err)
	}
	bounds := map[StepKind]float64{StepLink: 21, StepAddAddress: 11, StepAddRoute: 18}
	seen := 0
	for _, s := range steps {
		if most, ok := bounds[s.Kind]; ok {
			s.Index = 7
			nstest.Allocates(t, "encoding "+s.String(), most, func() { s.encode().Serialize() })
			seen++
		}
	}
	if seen != 4 {
		t.Errorf("%d requests of %v", seen, steps)
	}
}
