package netcfg

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/link"
	"golang.org/x/sys/unix"
)

// metricV6 is the metric that the kernel gives an IPv6 route without one.
const metricV6 = 1024

// A Route is a unicast route through a device, as asked or as the kernel has it.
type Route struct {
	To     netip.Prefix // the destination
	Via    netip.Addr   // the gateway; invalid: on the link
	Metric uint32       // priority, smaller first; 0: the kernel's default, 1024 for IPv6
	Table  uint32       // 0: main
	Source netip.Addr   // for packets whose program sets no source; invalid: none is asked

	kept kept // the kernel's message; zero if the route is only asked for
}

// ParseRoute parses "10.1.0.0/16", "10.2.0.0/16 via 10.0.0.2" or "default via 10.0.0.2 metric 5 table 7".
func ParseRoute(s string) (Route, error) {
	words := strings.Fields(s)
	if len(words)%2 == 0 {
		return Route{}, fmt.Errorf("%q is not a route: write PREFIX [via ADDRESS] [metric N] [table T]", s)
	}
	r := Route{}
	seen := map[string]bool{}
	for i := 1; i < len(words); i += 2 {
		if seen[words[i]] {
			return Route{}, fmt.Errorf("%q twice in one route", words[i])
		}
		seen[words[i]] = true
		if err := r.parseOption(words[i], words[i+1]); err != nil {
			return Route{}, err
		}
	}
	return r, r.parseDestination(words[0])
}

func (r *Route) parseOption(word, value string) (err error) {
	switch word {
	case "via":
		if r.Via, err = netip.ParseAddr(value); err != nil {
			return fmt.Errorf("via %q is not an IP address", value)
		}
		return link.CheckHost(r.Via)
	case "metric":
		n, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			return fmt.Errorf("metric %q is not a number from 0 to 4294967295", value)
		}
		r.Metric = uint32(n)
	case "table":
		r.Table, err = link.ParseTable(value)
		return err
	default:
		return fmt.Errorf("%q is not a keyword of a route: write via, metric or table", word)
	}
	return nil
}

func (r *Route) parseDestination(s string) error {
	if s == "default" {
		r.To = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if r.Via.Is6() {
			r.To = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		return nil
	}
	p, err := link.ParsePrefix(s)
	if err != nil {
		return err
	}
	switch {
	case p != p.Masked():
		return fmt.Errorf("%s has bits set beyond its length: write %s", p, p.Masked())
	case r.Via.IsValid() && r.Via.Is4() != p.Addr().Is4():
		return fmt.Errorf("%q via %s mixes IPv4 and IPv6", s, r.Via)
	}
	r.To = p
	return nil
}

// String returns the route in the form that ip(8) and [ParseRoute] accept.
func (r Route) String() string {
	var b strings.Builder
	b.WriteString(r.To.String())
	if r.Via.IsValid() {
		fmt.Fprintf(&b, " via %s", r.Via)
	}
	if r.metric() != (Route{To: r.To}).metric() {
		fmt.Fprintf(&b, " metric %d", r.Metric)
	}
	if r.table() != link.TableMain {
		fmt.Fprintf(&b, " table %d", r.Table)
	}
	return b.String()
}

// Foreign reports whether the kernel or a routing daemon added the route.
func (r Route) Foreign() bool { return r.kept.foreign }

func (r Route) table() uint32 {
	if r.Table == 0 {
		return link.TableMain
	}
	return r.Table
}

// in returns the table of the kernel that has the route.
func (r Route) in() table {
	if r.To.Addr().Is6() {
		return table{unix.AF_INET6, r.table()}
	}
	return table{unix.AF_INET, r.table()}
}

func (r Route) metric() uint32 {
	if r.Metric == 0 && r.To.Addr().Is6() {
		return metricV6
	}
	return r.Metric
}

// sameKey reports whether two routes exclude each other in the kernel's tables.
func (r Route) sameKey(o Route) bool {
	return r.To == o.To && r.metric() == o.metric() && r.table() == o.table()
}

// alike reports whether two routes have the same key and gateway.
func (r Route) alike(o Route) bool {
	return r.sameKey(o) && r.Via == o.Via && r.kept.elsewhere == o.kept.elsewhere
}

// same reports whether two routes are the same. If no source is asked for, any source is the same.
func (r Route) same(o Route) bool {
	free := func(r Route) bool { return r.kept.message == nil && !r.Source.IsValid() }
	return r.alike(o) && (r.Source == o.Source || free(r) || free(o))
}

// sameOrigin reports whether two routes have the same protocol and type of service in the kernel's messages.
func (r Route) sameOrigin(o Route) bool {
	const service, protocol = 3, 5 // offsets in struct rtmsg
	a, b := r.kept.message, o.kept.message
	return len(a) > protocol && len(b) > protocol && a[service] == b[service] && a[protocol] == b[protocol]
}

// A routeWay is the key of all routes with the same destination and gateway.
type routeWay struct {
	to            netip.Prefix
	via           netip.Addr
	metric, table uint32
	elsewhere     int
}

func (r Route) way() routeWay {
	return routeWay{r.To, r.Via, r.metric(), r.table(), r.kept.elsewhere}
}

// A routeSet holds routes by their ways. Routes of one way differ in their sources.
type routeSet map[routeWay][]Route

func setOfRoutes(list []Route) routeSet {
	s := make(routeSet, len(list))
	for _, r := range list {
		s.add(r)
	}
	return s
}

func (s routeSet) add(r Route) { s[r.way()] = append(s[r.way()], r) }

// has reports whether the set contains a route that is the same as r.
func (s routeSet) has(r Route) bool {
	for _, o := range s[r.way()] {
		if r.same(o) {
			return true
		}
	}
	return false
}

// routeKey identifies a route in a network namespace.
type routeKey struct {
	to            netip.Prefix
	metric, table uint32
}

func (r Route) key() routeKey { return routeKey{r.To, r.metric(), r.table()} }
