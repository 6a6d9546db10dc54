package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// The routing tables that the kernel's own rules look up.
const (
	tableDefault = 253
	tableMain    = 254
	tableLocal   = 255
)

// target returns another address in the network of a. It is invalid if the network has no other address.
func target(a netcfg.Address) netip.Addr {
	subnet := a.Subnet()
	if a.Peer.IsValid() {
		return a.Peer
	}
	if subnet.IsSingleIP() {
		return netip.Addr{}
	}
	for ip := subnet.Addr(); subnet.Contains(ip); ip = ip.Next() {
		if ip != a.Local && (ip != subnet.Addr() || subnet.Bits() == ip.BitLen()-1) {
			return ip
		}
	}
	return netip.Addr{}
}

// A detour is an address in a network of the device that the host reaches through another device, or not at all.
type detour struct {
	from, to netip.Addr
	way      way
}

// detours asks the kernel for the route to each network of the device, once.
func (v *view) detours() []detour {
	if v.ways == nil {
		v.ways = append([]detour{}, v.askWays()...)
	}
	return v.ways
}

func (v *view) askWays() (found []detour) {
	d := v.device
	if !d.Up || d.Master != "" {
		return nil
	}
	for _, a := range own(d) {
		to := target(a)
		if !to.IsValid() || to.Is6() && (a.Tentative() || a.Duplicate()) {
			continue
		}
		way, err := findWay(a.Local, to)
		if err == nil && way.Index != d.Index && !way.Local {
			found = append(found, detour{a.Local, to, way})
		}
	}
	return found
}

// routeElsewhere finds routes and rules that keep packets for the device's networks away from it.
func routeElsewhere(v *view) (found []Finding) {
	for _, dt := range v.detours() {
		other := v.network.ByIndex(dt.way.Index)
		rule := v.ruleOf(dt)
		switch {
		case rule != nil && other != nil:
			found = append(found, one(Error,
				fmt.Sprintf("packets to %s leave through %s, because of a policy rule: %s", dt.to,
					words.Escape(other.Name), rule.Words()),
				"the kernel evaluates the rule before the device's own routes", rule.Delete())...)
		case other != nil && v.sameSubnetBy(dt, other):
			// subnet-twice reports it
		case other != nil && dt.way.Match.Bits() < v.subnetOf(dt.to).Bits():
			// The device's own route would be more specific.
			found = append(found, v.noRoute(dt))
		case other != nil:
			found = append(found, v.away(Error, dt.way.Match, dt.way.Foreign, other, deleteRoute(dt.way, other)))
		case !v.linkdown(dt.to):
			found = append(found, v.noWay(dt))
		}
	}
	if len(found) == 0 && v.asked() {
		found = v.parted()
	}
	return found
}

// away reports that the host reaches a part of a network of the device through another link.
func (v *view) away(level Level, part netip.Prefix, foreign bool, other *netcfg.Device, how fix.Fix) Finding {
	name := words.Escape(other.Name)
	kind := "a more specific route"
	if part.Bits() <= v.subnetOf(part.Addr()).Bits() {
		kind = "a route with a smaller metric"
	}
	what := fmt.Sprintf("packets to %s leave through %s, which has %s", part, name, kind)
	if foreign {
		return one(level, what,
			"the route belongs to an address of "+name+" or to a routing daemon: the two networks overlap",
			fix.Sentence("move the device or "+name+" to another network: ip addr"))[0]
	}
	return one(level, what, "", how)[0]
}

// parted finds routes of other links to parts of the device's networks.
func (v *view) parted() (found []Finding) {
	d := v.device
	if !d.Up || d.Master != "" {
		return nil
	}
	for _, a := range own(d) {
		for _, r := range v.network.Routes {
			other := v.network.ByIndex(r.Index)
			if other == nil || other.Index == d.Index || !r.Main() || r.To.Bits() <= a.Subnet().Bits() ||
				!a.Subnet().Contains(r.To.Addr()) {
				continue
			}
			found = append(found, v.away(Warning, r.To, r.Foreign(), other,
				deleteRoute(way{Match: r.To, Table: tableMain}, other)))
		}
	}
	return found
}

// subnetOf returns the network of the device that contains an address.
func (v *view) subnetOf(ip netip.Addr) netip.Prefix {
	for _, a := range own(v.device) {
		if a.Subnet().Contains(ip) {
			return a.Subnet()
		}
	}
	return netip.PrefixFrom(ip, ip.BitLen())
}

// sameSubnetBy reports whether the other link also has an address in the network of the detour.
func (v *view) sameSubnetBy(dt detour, other *netcfg.Device) bool {
	for _, a := range own(v.device) {
		if a.Subnet().Contains(dt.to) && v.sameSubnet(a, v.device) == other {
			return true
		}
	}
	return false
}

// ruleOf returns the rule that led to the routing table of the detour, or nil if it is one of the kernel's own.
func (v *view) ruleOf(dt detour) *rtnl.Rule {
	if t := dt.way.Table; t == tableMain || t == tableLocal || t == tableDefault || t == 0 {
		return nil
	}
	for i, r := range v.network.Rules {
		if r.Table == dt.way.Table && fits(r, dt) {
			return &v.network.Rules[i]
		}
	}
	return nil
}

// fits reports whether a rule may match packets of the detour. Of an odd rule only a part is known.
func fits(r rtnl.Rule, dt detour) bool {
	return r.IPv6 == dt.to.Is6() && !r.Detached && (!r.To.IsValid() || r.To.Contains(dt.to)) &&
		(!r.From.IsValid() || r.From.Contains(dt.from)) &&
		(r.In == "" || r.In == "lo") && r.Out == "" && (r.Mark == 0 || r.Odd)
}

// deleteRoute returns the command that deletes the route of a way.
func deleteRoute(way way, other *netcfg.Device) fix.Fix {
	words := append(family(way.Match.Addr()), "route", "del", way.Match.String(), "dev", other.Name)
	if way.Table != tableMain {
		words = append(words, "table", strconv.FormatUint(uint64(way.Table), 10))
	}
	return fix.Run(ip(words...))
}

// family returns the option of ip(8) for the family of an address. IPv4 needs none.
func family(a netip.Addr) []string {
	if a.Is6() {
		return []string{"-6"}
	}
	return nil
}

// noWay reports the rule or the route that forbids packets to a network of the device, or that there is no route.
func (v *view) noWay(dt detour) Finding {
	means := "sending fails, with an error such as \"permission denied\" or \"no route to host\""
	for _, r := range v.network.Rules {
		if r.Action != "" && fits(r, dt) {
			return one(Error, fmt.Sprintf("a policy rule forbids packets to %s: %s", dt.to, r.Words()), means,
				r.Delete())[0]
		}
	}
	for _, r := range v.network.Routes {
		if r.Barrier != "" && r.To.Contains(dt.to) && r.To.Bits() >= v.subnetOf(dt.to).Bits() {
			return one(Error, fmt.Sprintf("a route forbids packets to %s: %s %s", dt.to, r.Barrier, r.Route), means,
				deleteBarrier(r))[0]
		}
	}
	return v.noRoute(dt)
}

// deleteBarrier returns the command that deletes a route without a device.
func deleteBarrier(r netcfg.NetworkRoute) fix.Fix {
	words := append(family(r.To.Addr()), "route", "del", r.Barrier, r.To.String())
	if r.Metric != 0 {
		words = append(words, "metric", strconv.FormatUint(uint64(r.Metric), 10))
	}
	if r.Table != 0 {
		words = append(words, "table", strconv.FormatUint(uint64(r.Table), 10))
	}
	return fix.Run(ip(words...))
}

// noRoute reports that the device's own route to its network is missing, or that no rule looks it up.
func (v *view) noRoute(dt detour) Finding {
	subnet := v.subnetOf(dt.to)
	if !v.looksIntoMain(dt.to.Is6()) {
		add := ip(append(family(dt.to), "rule", "add", "pref", "32766", "lookup", "main")...)
		return one(Error, "no policy rule looks up the main routing table",
			"the kernel does not find the route to "+subnet.String(), fix.Run(add))[0]
	}
	means := "the route was deleted, or the address has noprefixroute: ping prints \"network is unreachable\""
	if other := v.network.ByIndex(dt.way.Index); other != nil {
		means = fmt.Sprintf("the route was deleted, or the address has noprefixroute: "+
			"packets leave through %s, by its route to %s",
			words.Escape(other.Name), dt.way.Match)
	}
	return one(Error, "its route to "+subnet.String()+" is missing", means,
		fix.Run(ip("route", "replace", subnet.String(), "dev", v.device.Name)))[0]
}

// looksIntoMain reports whether a rule looks up the main routing table.
func (v *view) looksIntoMain(ipv6 bool) bool {
	return slices.ContainsFunc(v.network.Rules, func(r rtnl.Rule) bool {
		return r.IPv6 == ipv6 && r.Table == tableMain
	})
}

// linkdown reports whether the kernel ignores the device's routes because it has no carrier.
func (v *view) linkdown(to netip.Addr) bool {
	d := v.device
	return !d.Carrier && len(v.ignoring(familyOf(to), d.Name)) > 0
}

// familyOf returns the name of the address family in sysctls.
func familyOf(ip netip.Addr) string {
	if ip.Is6() {
		return "ipv6"
	}
	return "ipv4"
}

// ignoring returns the names, of all devices or of this one, under which ignore_routes_with_linkdown is set.
func (v *view) ignoring(family, device string) (where []string) {
	for _, name := range []string{"all", device} {
		if value, _ := v.setting(family, name, "ignore_routes_with_linkdown"); value == "1" {
			where = append(where, name)
		}
	}
	return where
}

// linkdownIgnored finds routes that the kernel ignores until a program attaches.
func linkdownIgnored(v *view) (found []Finding) {
	for _, dt := range v.detours() {
		if dt.way.Index != 0 || !v.linkdown(dt.to) {
			continue
		}
		var use []fix.Command
		for _, where := range v.ignoring(familyOf(dt.to), v.device.Name) {
			use = append(use, sysctl(familyOf(dt.to), where, "ignore_routes_with_linkdown", "0"))
		}
		found = append(found, one(Warning,
			"the kernel ignores its routes while it has no carrier (ignore_routes_with_linkdown)",
			"until a program attaches, packets to "+dt.to.String()+" take another route or none",
			fix.Sentence("start the program that reads it"), fix.Run(use...))...)
	}
	return found
}
