package netcfg

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/internal/rtnl"
)

// diverted returns rules as loop changes them: they replace the kernel's rule for the host's own addresses.
func diverted(ipv6 bool) Rules {
	rules := Rules{
		Add: []rtnl.Rule{
			{Priority: 200, In: "lo", Table: 77},
			{Priority: 100, In: "tun7", Table: link.TableLocal},
			{Priority: 1000, Table: link.TableLocal},
		},
		Remove: []rtnl.Rule{{Table: link.TableLocal, Protocol: unix.RTPROT_KERNEL}},
	}
	for _, list := range [][]rtnl.Rule{rules.Add, rules.Remove} {
		for i := range list {
			if list[i].IPv6 = ipv6; list[i].Protocol == 0 {
				list[i].Protocol = unix.RTPROT_STATIC
			}
		}
	}
	return rules
}

func printed(steps []Step) (lines []string) {
	for _, s := range steps {
		lines = append(lines, s.String())
	}
	return lines
}

// TestPlanRules compares plans as text, in both directions, with rules that already exist and rules that other programs
// have restored.
func TestPlanRules(t *testing.T) {
	r := diverted(false)
	kernel, others := r.Remove[0], rtnl.Rule{Priority: 32766, Table: link.TableMain, Protocol: unix.RTPROT_KERNEL}
	byHand, detached, narrower := kernel, r.Add[1], r.Add[1]
	byHand.Protocol = unix.RTPROT_BOOT
	detached.Detached = true
	narrower.Odd = true
	all := append(slices.Clone(r.Add), others)
	for _, c := range []struct {
		name  string
		want  Rules
		have  []rtnl.Rule
		lines []string
	}{
		{name: "forward", want: r, have: []rtnl.Rule{kernel, others}, lines: []string{
			"ip rule add pref 100 iif tun7 lookup local protocol static",
			"ip rule add pref 1000 lookup local protocol static",
			"ip rule add pref 200 iif lo lookup 77 protocol static",
			"ip rule del pref 0 lookup local",
		}},
		{name: "back", want: r.Reverse(), have: all, lines: []string{
			"ip rule add pref 0 lookup local",
			"ip rule del pref 200 iif lo lookup 77 protocol static",
			"ip rule del pref 100 iif tun7 lookup local protocol static",
			"ip rule del pref 1000 lookup local protocol static",
		}},
		{name: "done", want: r, have: all},
		{name: "back, done", want: r.Reverse(), have: []rtnl.Rule{kernel, others}},
		{name: "back, put back by hand", want: r.Reverse(), have: []rtnl.Rule{byHand, others}},
		{name: "back, the device is gone", want: r.Reverse(), have: []rtnl.Rule{kernel, detached}, lines: []string{
			"ip rule del pref 100 iif tun7 lookup local protocol static",
		}},
		{name: "back, a similar rule of somebody else", want: r.Reverse(), have: []rtnl.Rule{kernel, narrower}},
	} {
		if got := printed(planRules(c.want, c.have)); !slices.Equal(got, c.lines) {
			t.Errorf("%s: %q, want %q", c.name, got, c.lines)
		}
	}
}

// TestRulesAreUndoneFromAnywhere changes more rules each time and undoes all of them, and then has one rule fail. The
// namespace must have a rule for its own addresses at any time.
func TestRulesAreUndoneFromAnywhere(t *testing.T) {
	ns := open(t)
	add(t, ns, Spec{Name: "tun7", Mode: link.TUN})
	state := func() string { return nstest.Run(t, "ip", "-d", "rule") + nstest.Run(t, "ip", "-d", "-6", "rule") }
	before := state()
	run := func(final bool, all ...Rules) error {
		var changes []Change
		for _, r := range all {
			changes = append(changes, Change{Rules: &r, Final: final})
		}
		results, err := ns.Run(context.Background(), changes, Options{Atomic: !final, Log: func(Step) {
			for _, family := range []string{"-4", "-6"} {
				if rules := nstest.Run(t, "ip", family, "rule"); !strings.Contains(rules, "from all lookup local") {
					t.Errorf("no rule for the host's own addresses: %s", rules)
				}
			}
		}})
		for _, r := range results {
			if cause.Of(r.Err) != cause.OtherFailed {
				err = errors.Join(err, r.Err)
			}
			if r.UndoErr != nil {
				t.Error(r.UndoErr)
			}
		}
		return err
	}
	all := []Rules{diverted(false), diverted(true)}
	for n := range len(all[0].Add) + 2 {
		part := all[0]
		part.Add = part.Add[:min(n, len(part.Add))]
		if n <= len(part.Add) {
			part.Remove = nil
		}
		if err := run(false, part, all[1]); err != nil {
			t.Fatal(n, err)
		}
		if state() == before {
			t.Errorf("%d rules change nothing", n)
		}
		if err := run(true, all[0].Reverse(), all[1].Reverse()); err != nil {
			t.Error(n, err)
		}
		if after := state(); after != before {
			t.Errorf("%d rules:\n%s\nbefore:\n%s", n, after, before)
		}
	}
	bad := diverted(true)
	bad.Add[0].In = "a-name-that-is-too-long"
	if err := run(false, all[0], bad); err == nil || !strings.Contains(err.Error(), "rule pref 200 iif a-name") {
		t.Error(err)
	}
	if after := state(); after != before {
		t.Errorf("after a failure:\n%s\nbefore:\n%s", after, before)
	}
}

// TestARouteWithASource adds and removes routes with a source in a table. The IPv6 source is tentative at that moment.
func TestARouteWithASource(t *testing.T) {
	ns := open(t)
	var routes []Route
	for to, from := range map[string]string{"10.0.2.1/32": "10.0.1.1", "fd00:2::1/128": "fd00:1::1"} {
		r := route(to + " table 77")
		r.Source = address(from).Local
		routes = append(routes, r)
	}
	add(t, ns, Spec{
		Name: "tun7", Mode: link.TUN, Link: Link{Up: on(true)}, AddRoutes: routes,
		Addresses: addresses("10.0.1.1/32", "fd00:1::1/128"),
	})
	show := func() string {
		return nstest.Run(t, "ip", "route", "show", "table", "77") + nstest.Run(t, "ip", "-6", "route", "show", "table",
			"77")
	}
	for _, want := range []string{"10.0.2.1 dev tun7 proto static scope link src 10.0.1.1",
		"fd00:2::1 dev tun7 proto static src fd00:1::1"} {
		if got := show(); !strings.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
	c := Change{Name: "tun7", Want: &Spec{RemoveRoutes: routes}, Expect: Present}
	if r := run(t, ns, c, nil); r.Err != nil {
		t.Error(r.Err)
	}
	if got := show(); strings.Contains(got, "tun7") {
		t.Errorf("left: %q", got)
	}
}
