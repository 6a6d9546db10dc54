package loop

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/netcfg"
)

// The routing tables among which a loop looks for an empty one. Few systems have names for them.
const (
	tableFirst = 200
	tableLast  = 250
)

// choose chooses unused priorities and an unused table.
func (l *Loop) choose(rules []rtnl.Rule) (err error) {
	l.rules = rules
	var asked []rtnl.Rule
	for _, ip := range l.Ends[0].Addresses {
		n := 0
		for _, r := range rules {
			if r.IPv6 != ip.Is6() {
				continue
			}
			asked = append(asked, r)
			if kernels := r.Plain() == localRule(ip, 0, ""); n == 0 && !kernels || n > 0 && r.Priority == 0 {
				const detail = "the first rule for IPv%d is not the kernel's own alone, but %q"
				return &cause.Error{Detail: fmt.Sprintf(detail, version(ip), r.Words())}
			}
			n++
		}
		if n == 0 {
			return &cause.Error{Detail: fmt.Sprintf("there is no rule for IPv%d", version(ip))}
		}
	}
	if l.Priorities, err = priorities(asked); err != nil {
		return err
	}
	l.Table, err = l.Namespace.EmptyTable(tableFirst, tableLast, asked)
	return err
}

func version(ip netip.Addr) int {
	if ip.Is6() {
		return 6
	}
	return 4
}

// priorities returns three unused priorities before every other rule except the kernel's first. They are well-known
// ones unless other rules come before them.
func priorities(rules []rtnl.Rule) (p [3]uint32, err error) {
	p = [3]uint32{100, 200, 1000}
	for _, r := range rules {
		switch {
		case r.Priority == 0 || r.Priority > p[2]:
		case r.Priority <= 3:
			return p, &cause.Error{Detail: fmt.Sprintf("no room for three rules before %q", r.Words())}
		default:
			p = [3]uint32{r.Priority - 3, r.Priority - 2, r.Priority - 1}
		}
	}
	return p, nil
}

// localRule returns a rule without a protocol that looks up the host's own addresses, in the family of ip.
func localRule(ip netip.Addr, priority uint32, in string) rtnl.Rule {
	return rtnl.Rule{IPv6: ip.Is6(), Priority: priority, In: in, Table: link.TableLocal}
}

// diversion returns the changes that route the traffic through the devices, one per family.
func (l *Loop) diversion() (changes []netcfg.Change) {
	for _, ip := range l.Ends[0].Addresses {
		p := l.Priorities
		rules := netcfg.Rules{Add: []rtnl.Rule{
			localRule(ip, p[2], ""),
			localRule(ip, p[0], l.Ends[0].Device),
			localRule(ip, p[0], l.Ends[1].Device),
			{IPv6: ip.Is6(), Priority: p[1], In: "lo", Table: l.Table}, // forwarded packets go as before
		}}
		for i := range rules.Add {
			rules.Add[i].Protocol = syscall.RTPROT_STATIC
		}
		first := func(r rtnl.Rule) bool { return r.Plain() == localRule(ip, 0, "") }
		rules.Remove = l.rules[slices.IndexFunc(l.rules, first):][:1]
		changes = append(changes, netcfg.Change{Rules: &rules})
	}
	return changes
}

// routes returns the routes through the device of one end to the addresses of the other.
func (l *Loop) routes(end int) (routes []netcfg.Route) {
	for _, to := range l.Ends[1-end].Addresses {
		from := l.Ends[end].Addresses
		routes = append(routes, netcfg.Route{
			To: netip.PrefixFrom(to, to.BitLen()), Table: l.Table, Source: from[slices.IndexFunc(from, sameFamily(to))],
		})
	}
	return routes
}
