package netcfg

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/nstest"
)

// TestDetourPriorities are those that most people know, or those just before the first that somebody uses.
func TestDetourPriorities(t *testing.T) {
	for _, c := range []struct {
		taken []uint32
		want  [3]uint32
	}{
		{[]uint32{0, 32766, 32767}, [3]uint32{100, 200, 1000}},
		{[]uint32{0, 1001}, [3]uint32{100, 200, 1000}},
		{[]uint32{0, 1000}, [3]uint32{997, 998, 999}},
		{[]uint32{0, 150, 500, 0, 4}, [3]uint32{1, 2, 3}},
		{[]uint32{0, 3}, [3]uint32{}},
	} {
		var rules []Rule
		for _, p := range c.taken {
			rules = append(rules, Rule{Priority: p})
		}
		got, err := detourPriorities(rules)
		if (err != nil) != (c.want == [3]uint32{}) || err == nil && got != c.want {
			t.Errorf("%v: %v, %v", c.taken, got, err)
		}
	}
}

// TestADetourIsUndoneFromAnywhere does the first turns, more of them each time, and takes back all; at no moment is there no rule for the
// host's own addresses.
func TestADetourIsUndoneFromAnywhere(t *testing.T) {
	ns := open(t)
	var ends [2]DetourEnd
	for i, a := range []string{"10.0.1.1/32", "10.0.2.1/32"} {
		name := []string{"tun7", "tun8"}[i]
		add(t, ns, Spec{Name: name, Mode: TUN, Link: Link{Up: on(true)}, Addresses: addresses(a, strings.Replace(a, "10.0.", "fd00::", 1)[:len("fd00::1")]+"/128")})
		devices, err := ns.Devices(name)
		if err != nil {
			t.Fatal(err)
		}
		ends[i] = DetourEnd{Device: name, Index: devices[0].Index, Addresses: []netip.Addr{devices[0].Addresses[0].Local, devices[0].Addresses[1].Local}}
	}
	state := func() string {
		return nstest.Run(t, "ip", "-d", "rule") + nstest.Run(t, "ip", "-d", "-6", "rule") + nstest.Run(t, "ip", "route", "show", "table", "all") +
			nstest.Run(t, "ip", "-6", "route", "show", "table", "all")
	}
	local := func(Turn) {
		for _, family := range []string{"-4", "-6"} {
			if rules := nstest.Run(t, "ip", family, "rule"); !strings.Contains(rules, "from all lookup local") {
				t.Errorf("no rule for the host's own addresses: %s", rules)
			}
		}
	}
	before := state()
	d, err := ns.PlanDetour(ends[0], ends[1])
	if err != nil || len(d.Turns) != 14 || d.Table != detourTable {
		t.Fatal(d, err)
	}
	for n := range len(d.Turns) + 1 {
		if err := ns.Divert(context.Background(), d.Turns[:n], local); err != nil {
			t.Fatal(n, err)
		}
		if n > 0 && state() == before {
			t.Errorf("%d turns change nothing", n)
		}
		if err := ns.Restore(d.Turns, local); err != nil {
			t.Error(n, err)
		}
		if after := state(); after != before {
			t.Errorf("%d turns:\n%s\nbefore:\n%s", n, after, before)
		}
	}
	// An error halfway is not the end of what can be undone.
	bad := append([]Turn{}, d.Turns...)
	bad[3].Message = detourRoute(ends[1].Addresses[0], netip.MustParseAddr("10.99.0.1"), ends[0].Index, d.Table)
	if err := ns.Divert(context.Background(), bad, local); err == nil || !strings.Contains(err.Error(), "ip route add") {
		t.Error(err)
	}
	if err := ns.Restore(bad, local); err != nil || state() != before {
		t.Error(err, state())
	}
}
