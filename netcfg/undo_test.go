package netcfg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/users"
	"golang.org/x/sys/unix"
)

// replaced returns a change that re-creates a tap like busyDevice's as a tun.
func replaced(want Spec) Change {
	want.Name, want.Mode, want.Access, want.Replace = "tap7", link.TUN, users.Root(), true
	return Change{Name: "tap7", Want: &want, Expect: PresentOrNot}
}

// TestUndoLeavesADeviceThatTookTheName lets another program take the name at the moment at which it is free.
func TestUndoLeavesADeviceThatTookTheName(t *testing.T) {
	ns := open(t)
	busyDevice(t, ns)
	foreign := ""
	r := run(t, ns, replaced(Spec{}), after(StepDelete, func() {
		hold(t, "tap7", unix.IFF_TUN|unix.IFF_NO_PI)
		ip(t, "link set tap7 alias theirs")
		foreign = ip(t, "-d -j link show dev tap7")
	}))
	if e := new(cause.Error); !errors.As(r.Err, &e) || e.Cause != cause.Exists {
		t.Errorf("got %v, want that the name is taken", r.Err)
	} else if hint := e.Hint().String(); !strings.Contains(hint, "find out which program") {
		t.Errorf("the hint is %q: the device is another program's", hint)
	}
	for _, want := range []string{"another program", "lost: tap of root", "alias mine", "10.0.0.1/24",
		"10.3.0.0/16 metric 77 table 99"} {
		if r.UndoErr == nil || !strings.Contains(r.UndoErr.Error(), want) {
			t.Errorf("got %v, want %q in it", r.UndoErr, want)
		}
	}
	if r.PutBack || r.Made || r.Created {
		t.Errorf("got %+v", r)
	}
	same(t, foreign, ip(t, "-d -j link show dev tap7"))
}

// TestUndoTakesNoDeviceFromAProgram attaches to the new device before a later step fails.
func TestUndoTakesNoDeviceFromAProgram(t *testing.T) {
	ns := open(t)
	many := true
	want := Spec{Name: "tap7", Mode: link.TAP, Access: users.Root(), MultiQueue: &many,
		Link: Link{Alias: on(strings.Repeat("x", 300))}}
	r := run(t, ns, Change{Name: "tap7", Want: &want}, after(StepCreate, func() {
		hold(t, "tap7", unix.IFF_TAP|unix.IFF_NO_PI|unix.IFF_MULTI_QUEUE)
	}))
	if e := new(cause.Error); r.Err == nil || !errors.As(r.UndoErr, &e) || e.Cause != cause.InUse {
		t.Errorf("got %v, undo %v", r.Err, r.UndoErr)
	}
	if !r.Made || r.Created || r.Index == 0 {
		t.Errorf("got %+v, want a device that is there", r)
	}
	ip(t, "link show dev tap7")
}

// TestUndoGoesOn brings the device down before the undo: the routes cannot be restored, but everything else is.
func TestUndoGoesOn(t *testing.T) {
	ns := open(t)
	busyDevice(t, ns)
	before := ip(t, "-4 -br addr show dev tap7")
	want := Spec{Link: Link{TxQueueLen: on(7), Alias: on("new")}, Addresses: addresses("10.7.0.1/24"),
		Routes: routes("10.8.0.0/16 via 10.7.0.9")}
	r := run(t, ns, Change{Name: "tap7", Want: &want, Expect: Present},
		after(StepRemoveAddress, func() { ip(t, "link set tap7 down") }))
	if r.Err == nil || r.UndoErr == nil {
		t.Fatalf("got %v, undo %v", r.Err, r.UndoErr)
	}
	for _, left := range []string{"route 10.1.0.0/16 via 10.0.0.9 metric 5", "route 10.3.0.0/16 metric 77 table 99",
		"route fd02::/48 metric 9", "the device is down"} {
		if !strings.Contains(r.UndoErr.Error(), left) {
			t.Errorf("got %v, want %q in it", r.UndoErr, left)
		}
	}
	got := ip(t, "link show dev tap7")
	if !strings.Contains(got, "alias mine") || !strings.Contains(got, "qlen 1000") {
		t.Errorf("got %s", got)
	}
	same(t, strings.ReplaceAll(before, "UNKNOWN", "DOWN"),
		strings.ReplaceAll(ip(t, "-4 -br addr show dev tap7"), "UNKNOWN", "DOWN"))
}

// TestRoomIsTakenBeforeADelete has a Reserve that fails: no device may be deleted.
func TestRoomIsTakenBeforeADelete(t *testing.T) {
	full := errors.New("no space left")
	for _, c := range []struct {
		name   string
		change Change
		atomic bool
	}{
		{"to be re-created", replaced(Spec{}), false},
		{"to be put back if another fails", Change{Name: "tap7", Expect: PresentOrNot}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			ns := open(t)
			busyDevice(t, ns)
			before := witness(t)
			var asked []string
			results, err := ns.Run(context.Background(), []Change{c.change},
				Options{Atomic: c.atomic, Reserve: func(gone []Step) error {
					for _, s := range gone {
						asked = append(asked, s.Device)
					}
					return full
				}})
			if err != nil {
				t.Fatal(err)
			}
			wantError(t, results[0], cause.NotPermitted, nil)
			if !errors.Is(results[0].Err, full) || !slices.Equal(asked, []string{"tap7"}) {
				t.Errorf("got %v, asked for %v", results[0].Err, asked)
			}
			same(t, before, witness(t))
		})
	}
}

// TestUndoNeedsNoMemory re-creates the old device although that can no longer be recorded.
func TestUndoNeedsNoMemory(t *testing.T) {
	ns := open(t)
	busyDevice(t, ns)
	old, err := ns.Devices("tap7")
	if err != nil {
		t.Fatal(err)
	}
	var restored []int
	o := Options{Remember: func(made []Step) error {
		for _, s := range made {
			restored = append(restored, s.Restores())
		}
		return errors.New("no space left")
	}}
	results, err := ns.Run(context.Background(), []Change{replaced(Spec{})}, o)
	if err != nil {
		t.Fatal(err)
	}
	if r := results[0]; r.Err == nil || r.UndoErr != nil || !r.Remade || r.Made ||
		!slices.Equal(restored, []int{0, old[0].Index}) {
		t.Errorf("got %+v, restored %v", r, restored)
	}
}

// TestFirstOwnerIsSetAfterNewDevicesAreKept makes a new device fail to become persistent beside a first owner, which
// the kernel cannot unset.
func TestFirstOwnerIsSetAfterNewDevicesAreKept(t *testing.T) {
	ns := open(t)
	ip(t, "tuntap add dev tap7 mode tap")
	before := ip(t, "-d link show dev tap7")
	changes := []Change{
		{Name: "tap7", Want: &Spec{Name: "tap7", Access: users.Root()}, Expect: Present},
		{Name: "tap8", Want: &Spec{Name: "tap8", Mode: link.TAP, Access: users.Root()}, Expect: Absent},
	}
	o := Options{Atomic: true, Remember: func([]Step) error { return errors.New("no space left") }}
	results, err := ns.Run(context.Background(), changes, o)
	if err != nil || results[0].Err == nil || results[1].Err == nil || results[0].UndoErr != nil {
		t.Errorf("%v, %+v", err, results)
	}
	same(t, before, ip(t, "-d link show dev tap7"))
}

// losses are changes whose undo would remove more than the change added.
var losses = []struct {
	name  string
	setup []string
	want  Spec
}{
	{"the first IPv4 address, and a daemon's route", []string{"route add 10.2.0.0/16 dev tap7 proto zebra"},
		Spec{AddAddresses: *addresses("10.0.0.1/24")}},
	{"an address before a secondary one, which is a source elsewhere",
		[]string{"addr add 10.0.0.1/24 dev tap7", "addr add 10.0.0.2/24 dev tap7",
			"route add 10.2.0.0/16 dev v0 src 10.0.0.2"}, Spec{AddAddresses: *addresses("10.1.0.1/24")}},
	{"the order of IPv6 addresses", []string{"addr add fd00::1/64 dev tap7 nodad",
		"addr add fd00::2/64 dev tap7 nodad", "addr add fd00::3/64 dev tap7 nodad"},
		Spec{RemoveAddresses: *addresses("fd00::2/64"), AddAddresses: *addresses("fd00::4/64")}},
	{"the MTU of an IPv6 route", []string{"route add fd00:1::/64 dev tap7 mtu 1350 proto bird"},
		Spec{Link: Link{MTU: on(1290)}}},
	{"a prefix that an IPv6 address brought",
		[]string{"addr add fd00::1/64 dev tap7 nodad valid_lft 5000 preferred_lft 4000 noprefixroute"},
		Spec{AddAddresses: *addresses("fd00::4/64")}},
	{"a copy of a kernel's route in another table",
		[]string{"route add 10.3.0.0/16 dev tap7 proto kernel scope link table 101"},
		Spec{AddAddresses: *addresses("10.0.0.1/24")}},
	{"the route that a manager added for an address",
		[]string{"addr add 10.0.0.1/24 dev tap7 noprefixroute",
			"route add 10.0.0.0/24 dev tap7 proto kernel scope link src 10.0.0.1 metric 50"},
		Spec{RemoveAddresses: *addresses("10.0.0.1/24")}},
	{"the source of an IPv6 route of the kernel's protocol",
		[]string{"addr add fd00:1::1/128 dev tap7 nodad", "addr add 10.0.0.1/24 dev tap7",
			"route add fd00:23::/64 via fe80::9 dev tap7 proto kernel src fd00:1::1"},
		Spec{RemoveAddresses: *addresses("fd00:1::1/128", "10.0.0.1/24")}},
	{"the MTU of an IPv6 route of the kernel's protocol",
		[]string{"addr add 10.0.0.1/24 dev tap7", "route add fd00:22::/64 dev tap7 proto kernel mtu 1300"},
		Spec{Link: Link{MTU: on(1290)}, RemoveAddresses: *addresses("10.0.0.1/24")}},
	{"a daemon's route of another type of service, and no other look",
		[]string{"addr add 10.0.0.1/24 dev tap7", "route add 10.2.0.0/16 dev tap7 proto bird tos 8"},
		Spec{Link: Link{MTU: on(1290)}, AddRoutes: *routes("10.2.0.0/16")}},
	{"a redirected route", []string{"route add 10.2.0.0/16 dev tap7 proto redirect"},
		Spec{AddAddresses: *addresses("10.0.0.1/24")}},
	{"a route of another type of service",
		[]string{"addr add 10.0.0.1/24 dev tap7", "route add 10.2.0.0/16 dev tap7 proto bird tos 8"},
		Spec{AddRoutes: *routes("10.2.0.0/16")}},
}

// TestUndoRestoresWhatItDrops changes states in which the undo of a harmless change removes more than the change added.
func TestUndoRestoresWhatItDrops(t *testing.T) {
	for _, c := range losses {
		for _, reason := range []cause.Cause{cause.NoPort, cause.RouteTaken} { // the late one makes the plan read more
			t.Run(fmt.Sprintf("%s, cause %d", c.name, reason), func(t *testing.T) {
				ns := open(t)
				ip(t, "link add v0 type veth")
				ip(t, "link set v0 up")
				add(t, ns, Spec{Name: "tap7", Mode: link.TAP, Link: Link{MTU: on(1400), Up: on(true)}})
				for _, line := range c.setup {
					ip(t, line)
				}
				want, other := c.want, route(taken(t))
				if reason == cause.NoPort {
					want.Master = &Master{Name: "v0"}
				} else {
					want.AddRoutes = append(slices.Clone(want.AddRoutes), other)
				}
				before := witness(t)
				wantError(t, run(t, ns, Change{Name: "tap7", Want: &want, Expect: Present}, nil), reason, nil)
				same(t, before, witness(t))
			})
		}
	}
}

// TestUndoLeavesTheBridgeFirst joins a bridge whose IPv6 the device's own MTU would remove.
func TestUndoLeavesTheBridgeFirst(t *testing.T) {
	ns := open(t)
	ip(t, "link add br0 type bridge")
	ip(t, "link add v0 type veth")
	ip(t, "link set v0 master br0")
	ip(t, "link set br0 up")
	ip(t, "addr add fd00::1/64 dev br0 nodad")
	add(t, ns, Spec{Name: "tap7", Mode: link.TAP, Link: Link{MTU: on(1000)}})
	before := ip(t, "-o addr show dev br0")
	want := &Spec{Master: &Master{Name: "br0"},
		Access: &users.Access{User: &users.ID{Number: 0}, Group: &users.ID{Number: 0}}}
	r := run(t, ns, Change{Name: "tap7", Want: want, Expect: Present},
		after(StepMaster, func() { hold(t, "tap7", unix.IFF_TAP|unix.IFF_NO_PI) }))
	wantError(t, r, cause.InUse, nil)
	same(t, before, ip(t, "-o addr show dev br0"))
	if got := ip(t, "link show dev tap7"); !strings.Contains(got, "mtu 1000 ") || strings.Contains(got, "br0") {
		t.Errorf("got %s", got)
	}
}

// TestNothingIsDeletedWithoutTheRightToRestoreIt deletes devices of root without CAP_NET_ADMIN, which root may.
func TestNothingIsDeletedWithoutTheRightToRestoreIt(t *testing.T) {
	for name, c := range map[string]struct {
		change Change
		o      Options
		want   cause.Cause
	}{
		"atomic":          {Change{Name: "tap7", Expect: Present}, Options{Atomic: true}, cause.NotPermitted},
		"replace":         {replaced(Spec{}), Options{}, cause.NotPermitted},
		"without an undo": {Change{Name: "tap7", Expect: Present}, Options{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			ns := open(t)
			add(t, ns, Spec{Name: "tap7", Mode: link.TAP, Access: users.Root()})
			before := witness(t)
			dropNetAdmin(t)
			results, err := ns.Run(context.Background(), []Change{c.change}, c.o)
			if err != nil {
				t.Fatal(err)
			}
			if c.want == 0 && results[0].Err == nil {
				return
			}
			wantError(t, results[0], c.want, unix.EPERM)
			same(t, before, witness(t))
		})
	}
}

// TestDownGivesBackWhatItDrops brings a device down in a change that fails afterwards, at a name that is taken, and in
// one that succeeds, which must not touch the routes of another device with a source of this one.
func TestDownGivesBackWhatItDrops(t *testing.T) {
	elsewhere := "route add 10.5.0.0/16 dev v0 src 10.0.0.1"
	for _, rename := range []string{"v0", ""} {
		ns := open(t)
		ip(t, "link add v0 type veth peer name v1")
		ip(t, "link set v1 up")
		ip(t, "link set v0 up")
		awaitLinkLocal(t, "v0", "v1")
		add(t, ns, Spec{Name: "tap7", Mode: link.TAP, Link: Link{Up: on(true)}})
		for _, line := range []string{"addr add 10.0.0.1/24 dev tap7", "addr add fd00::1/64 dev tap7 nodad",
			"route add 10.1.0.0/16 dev tap7", "route add 10.2.0.0/16 via 10.0.0.9 proto bird metric 7",
			"route add 10.3.0.0/16 dev tap7 table 99", "route add 10.4.0.0/16 nexthop dev tap7 nexthop dev v0",
			"route add fd01::/64 dev tap7 proto bird", "route add fd02::/64 via fd00::9", elsewhere} {
			ip(t, line)
		}
		before := witness(t)
		want := &Spec{Link: Link{Up: on(false)}, Rename: rename}
		r := run(t, ns, Change{Name: "tap7", Want: want, Expect: Present}, nil)
		if rename != "" {
			wantError(t, r, cause.Exists, nil)
			same(t, before, witness(t))
		} else if got := ip(t, "route show 10.5.0.0/16"); r.Err != nil || !strings.Contains(got, "src 10.0.0.1") {
			t.Errorf("%v; routes of the other device: %s", r.Err, got)
		}
	}
}
