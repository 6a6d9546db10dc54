package netcfg

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/link"
)

// ways are routes that the kernel accepts or refuses, by the state of the device tun7 and what else is asked.
var ways = map[string]struct {
	setup       []string // ip(8) lines
	remove, add []string // addresses
	routes      []string
	unforeseen  bool // the kernel refuses the route, and the plan cannot be sure of it
}{
	"no address":       {routes: []string{"10.1.0.0/16 via 10.0.0.2"}},
	"an address":       {add: []string{"10.0.0.1/24"}, routes: []string{"10.1.0.0/16 via 10.0.0.2"}},
	"another network":  {add: []string{"10.0.0.1/24"}, routes: []string{"10.1.0.0/16 via 10.9.0.1"}},
	"its own address":  {add: []string{"10.0.0.1/24"}, routes: []string{"10.1.0.0/16 via 10.0.0.1"}},
	"its only address": {add: []string{"10.0.0.1/32"}, routes: []string{"10.1.0.0/16 via 10.0.0.1"}},
	"a single host":    {add: []string{"10.0.0.1/32"}, routes: []string{"10.1.0.0/16 via 10.0.0.2"}},
	"this host":        {add: []string{"10.0.0.1/24"}, routes: []string{"10.1.0.0/16 via 127.0.0.1"}},
	"a peer": {add: []string{"10.0.0.1 peer 10.5.0.2"},
		routes: []string{"10.1.0.0/16 via 10.5.0.2"}},
	"a peer's network": {add: []string{"10.0.0.1 peer 10.5.0.2/24"},
		routes: []string{"10.1.0.0/16 via 10.5.0.9"}},
	"not that of local": {add: []string{"10.0.0.1 peer 10.5.0.2/24"},
		routes: []string{"10.1.0.0/16 via 10.0.0.9"}},
	"a network without a prefix route": {add: []string{"10.0.0.1/0"}, routes: []string{"10.1.0.0/16 via 11.0.0.2"}},
	"a directed broadcast": {add: []string{"10.0.0.1/24"}, routes: []string{"10.1.0.0/16 via 10.0.0.255"},
		unforeseen: true},
	"a route of this change": {routes: []string{"10.1.0.0/16 via 10.2.0.1", "10.2.0.0/24"}},
	"no route of the gateway's": {add: []string{"10.0.0.1/24"},
		routes: []string{"10.1.0.0/16 via 10.2.0.1", "10.2.0.0/24 via 10.0.0.2"}},
	"a route that was there": {setup: []string{"route add 10.2.0.0/24 dev tun7"},
		routes: []string{"10.1.0.0/16 via 10.2.0.1"}},
	"a daemon's route": {setup: []string{"route add 10.2.0.0/24 dev tun7 proto bird"},
		routes: []string{"10.1.0.0/16 via 10.2.0.1"}},
	"a daemon's default route": {setup: []string{"route add default dev tun7 proto bird"},
		routes: []string{"10.1.0.0/16 via 10.2.0.1"}},
	"no prefix route": {setup: []string{"addr add 10.0.0.1/24 dev tun7 noprefixroute"},
		routes: []string{"10.1.0.0/16 via 10.0.0.2"}},
	"a prefix route of another's": {setup: []string{"addr add 10.0.0.1/24 dev tun7 noprefixroute",
		"route add 10.0.0.0/24 dev tun7 proto kernel scope link src 10.0.0.1 metric 50"},
		routes: []string{"10.1.0.0/16 via 10.0.0.2"}},
	"the same table": {setup: []string{"route add 10.2.0.0/24 dev tun7 table 100"},
		routes: []string{"10.1.0.0/16 via 10.2.0.1 table 100"}},
	"another table": {setup: []string{"route add 10.2.0.0/24 dev tun7 table 100"},
		routes: []string{"10.1.0.0/16 via 10.2.0.1"}, unforeseen: true},
	"another table with a rule": {
		setup:  []string{"route add 10.2.0.0/24 dev tun7 table 100", "rule add pref 99 table 100"},
		routes: []string{"10.1.0.0/16 via 10.2.0.1"}},
	"another device": {setup: []string{"addr add 10.2.0.1/24 dev lo"}, routes: []string{"10.1.0.0/16 via 10.2.0.2"}},
	"an address that goes": {setup: []string{"addr add 10.0.0.1/24 dev tun7"}, remove: []string{"10.0.0.1/24"},
		routes: []string{"10.1.0.0/16 via 10.0.0.2"}},
	"an address that is replaced": {setup: []string{"addr add 10.0.0.1/24 dev tun7"},
		remove: []string{"10.0.0.1/24"}, add: []string{"10.0.0.3/24"}, routes: []string{"10.1.0.0/16 via 10.0.0.2"}},
	"several hops": {setup: []string{"link set lo up", "route add 10.2.0.0/24 nexthop dev tun7 nexthop dev lo"},
		routes: []string{"10.1.0.0/16 via 10.2.0.1"}, unforeseen: true}, // their scope is wider
	"a gateway of the other family": {setup: []string{"route add 10.2.0.0/24 via inet6 fe80::9 dev tun7"},
		routes: []string{"10.1.0.0/16 via 10.2.0.1"}, unforeseen: true},

	"the prefix route": {add: []string{"10.0.0.1/24"}, routes: []string{"10.0.0.0/24"}},
	"the prefix route of an address that was there": {setup: []string{"addr add 10.0.0.1/24 dev tun7"},
		routes: []string{"10.0.0.0/24"}},
	"the prefix route by a gateway": {add: []string{"10.0.0.1/24"}, routes: []string{"10.0.0.0/24 via 10.0.0.2"}},
	"with a metric":                 {add: []string{"10.0.0.1/24"}, routes: []string{"10.0.0.0/24 metric 5"}},
	"in a table":                    {add: []string{"10.0.0.1/24"}, routes: []string{"10.0.0.0/24 table 100"}},
	"a more specific one":           {add: []string{"10.0.0.1/24"}, routes: []string{"10.0.0.0/25"}},
	"of a single host":              {add: []string{"10.0.0.1/32"}, routes: []string{"10.0.0.1/32"}},
	"of a peer":                     {add: []string{"10.0.0.1 peer 10.5.0.2"}, routes: []string{"10.5.0.2/32"}},
	"a prefix route that was deleted": {setup: []string{"addr add 10.0.0.1/24 dev tun7",
		"route del 10.0.0.0/24 dev tun7"}, routes: []string{"10.0.0.0/24"}},
	"a secondary address of one": {setup: []string{"addr add 10.0.0.1/24 dev tun7",
		"route del 10.0.0.0/24 dev tun7"}, add: []string{"10.0.0.3/24"}, routes: []string{"10.0.0.0/24"}},
	"an address without a prefix route": {setup: []string{"addr add 10.0.0.1/24 dev tun7 noprefixroute"},
		routes: []string{"10.0.0.0/24"}},
	"an address with a metric": {setup: []string{"addr add 10.0.0.1/24 dev tun7 metric 50"},
		routes: []string{"10.0.0.0/24"}},
	"the metric of an address": {setup: []string{"addr add 10.0.0.1/24 dev tun7 metric 50"},
		routes: []string{"10.0.0.0/24 metric 50"}},
	"in the place of an address": {setup: []string{"addr add 10.0.0.1/24 dev tun7"}, remove: []string{"10.0.0.1/24"},
		routes: []string{"10.0.0.0/24"}},

	"IPv6: no address":    {routes: []string{"fd01::/64 via fd00::2"}},
	"IPv6: an address":    {add: []string{"fd00::1/64"}, routes: []string{"fd01::/64 via fd00::2"}},
	"IPv6: link-local":    {routes: []string{"fd01::/64 via fe80::9"}},
	"IPv6: own address":   {add: []string{"fd00::1/64"}, routes: []string{"fd01::/64 via fd00::1"}},
	"IPv6: a single host": {add: []string{"fd00::1/128"}, routes: []string{"fd01::/64 via fd00::2"}},
	"IPv6: a peer": {add: []string{"fd00::1 peer fd05::2"}, routes: []string{"fd01::/64 via fd05::2"},
		unforeseen: true}, // the kernel adds the route to it a moment later
	"IPv6: another network": {add: []string{"fd00::1/64"}, routes: []string{"fd01::/64 via fd09::2"}},
	"IPv6: a route of this change": {add: []string{"fd00::1/64"},
		routes: []string{"fd01::/64 via fd02::1", "fd02::/64"}},
	"IPv6: a daemon's route": {setup: []string{"route add fd02::/64 dev tun7 proto bird"},
		routes: []string{"fd01::/64 via fd02::1"}},
	"IPv6: a router's prefix": {setup: []string{"route add fd02::/64 dev tun7 proto kernel"},
		routes: []string{"fd01::/64 via fd02::1"}},
	"IPv6: no prefix route": {setup: []string{"addr add fd00::1/64 dev tun7 nodad noprefixroute"},
		routes: []string{"fd01::/64 via fd00::2"}},
	"IPv6: an address that goes": {setup: []string{"addr add fd00::1/64 dev tun7 nodad"},
		remove: []string{"fd00::1/64"}, routes: []string{"fd01::/64 via fd00::2"}},
	"IPv6: another device": {setup: []string{"link set lo up", "addr add fd02::1/64 dev lo"},
		routes: []string{"fd01::/64 via fd02::2"}},
	"IPv6: beside the prefix route": {add: []string{"fd00::1/64"}, routes: []string{"fd00::/64"}},
	"IPv6: the prefix route":        {add: []string{"fd00::1/64"}, routes: []string{"fd00::/64 metric 256"}},
	"IPv6: of an address that was there": {setup: []string{"addr add fd00::1/64 dev tun7 nodad"},
		routes: []string{"fd00::/64 metric 256"}},
	"IPv6: that was deleted": {setup: []string{"addr add fd00::1/64 dev tun7 nodad",
		"route del fd00::/64 dev tun7"}, routes: []string{"fd00::/64 metric 256"}},
}

// TestThePlanKnowsWhichRoutesTheKernelRefuses compares the plan with ip(8), which adds the same addresses and routes.
func TestThePlanKnowsWhichRoutesTheKernelRefuses(t *testing.T) {
	for name, c := range ways {
		for _, isNew := range []bool{false, true} {
			if isNew && len(c.setup) > 0 {
				continue
			}
			t.Run(name+map[bool]string{true: ", a new device"}[isNew], func(t *testing.T) {
				ns := open(t)
				change := Change{Name: "tun7", Want: &Spec{Name: "tun7", Mode: link.TUN, Link: Link{Up: on(true)},
					AddAddresses: *addresses(c.add...), RemoveAddresses: *addresses(c.remove...),
					AddRoutes: *routes(c.routes...)}, Expect: PresentOrNot}
				foresee := func() error {
					results, err := ns.Run(context.Background(), []Change{change}, Options{DryRun: true})
					if err != nil {
						t.Fatal(err)
					}
					return results[0].Err
				}
				var foreseen error
				if isNew {
					foreseen = foresee()
				}
				ip(t, "tuntap add tun7 mode tun")
				ip(t, "link set tun7 up")
				for _, line := range c.setup {
					ip(t, line)
				}
				if !isNew {
					foreseen = foresee()
				}
				refused := asked(t, change.Want)
				switch {
				case foreseen != nil && refused == "":
					t.Errorf("the plan refuses what the kernel accepts: %v", foreseen)
				case foreseen == nil && refused != "" && !c.unforeseen:
					t.Errorf("the kernel refuses what the plan accepts: %s", refused)
				case foreseen != nil && (strings.Contains(refused, "File exists") !=
					(cause.Of(foreseen) == cause.RouteTaken)):
					t.Errorf("the plan says %v, and the kernel %s", foreseen, refused)
				}
			})
		}
	}
}

// asked adds by ip(8) what the Spec asks, and returns how the kernel refuses a route, or "".
func asked(t *testing.T, want *Spec) string {
	t.Helper()
	for _, a := range want.RemoveAddresses {
		ip(t, "addr del "+a.String()+" dev tun7")
	}
	for _, a := range want.AddAddresses {
		ip(t, "addr add "+a.String()+" dev tun7")
	}
	for _, far := range []bool{false, true} {
		for _, r := range want.AddRoutes {
			if r.Via.IsValid() != far {
				continue
			}
			step := Step{Kind: StepAddRoute, Device: "tun7", Route: &r}
			if out, err := exec.Command("sh", "-c", step.String()).CombinedOutput(); err != nil {
				return string(out)
			}
		}
	}
	return ""
}
