package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/tunadm/tunadm/netcfg"
)

// The tables of routes that the kernel asks without a rule of the administrator's.
const (
	tableDefault = 253
	tableMain    = 254
	tableLocal   = 255
)

// target is an address that is reached through the device by one of its own, or invalid where there is none.
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

// A detour is an address of the device's own network that is reached by another way, or by none.
type detour struct {
	from, to netip.Addr
	way      netcfg.Way
}

// detours asks the kernel for the way to each network of the device.
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
		way, err := v.namespace.Way(a.Local, to)
		if err == nil && way.Index != d.Index && !way.Local {
			found = append(found, detour{a.Local, to, way})
		}
	}
	return found
}

// routeElsewhere looks for routes and rules that lead packets for the device's networks away from it.
func routeElsewhere(v *view) (found []Finding) {
	for _, dt := range v.detours() {
		other := v.network.ByIndex(dt.way.Index)
		rule := v.ruleOf(dt)
		switch {
		case rule != nil && other != nil:
			found = append(found, one(Fault, fmt.Sprintf("a policy rule leads packets to %s away, through %s: %s", dt.to, netcfg.Escape(other.Name), rule.Words()),
				"the rule is asked before the device's own routes", rule.Delete())...)
		case other != nil && v.sameSubnetBy(dt, other):
			// subnet-twice says so
		case other != nil && dt.way.Match.Bits() < v.subnetOf(dt.to).Bits(): // its own route would come first, if it were there
			found = append(found, v.noRoute(dt))
		case other != nil:
			found = append(found, v.away(Fault, dt.way.Match, dt.way.Foreign, other, deleteRoute(dt.way, other)))
		case !v.linkdown(dt.to):
			found = append(found, v.noWay(dt))
		}
	}
	if len(found) == 0 && v.asked() {
		found = v.parted()
	}
	return found
}

// away is a part of a network of the device that is reached through another link.
func (v *view) away(level Level, part netip.Prefix, foreign bool, other *netcfg.Device, command string) Finding {
	what := fmt.Sprintf("packets to %s go through %s, which has a route to that part of its network", part, netcfg.Escape(other.Name))
	if foreign {
		return one(level, what, "the kernel made the route, of an address of that link, or a daemon did: the networks overlap", "give the device another network, or that link: ip addr")[0]
	}
	return one(level, what, "a route to a smaller network, or with a smaller metric, comes first", command)[0]
}

// parted looks for routes of other links to parts of the device's networks.
func (v *view) parted() (found []Finding) {
	d := v.device
	if !d.Up || d.Master != "" {
		return nil
	}
	for _, a := range own(d) {
		for _, r := range v.network.Routes {
			other := v.network.ByIndex(r.Index)
			if other == nil || other.Index == d.Index || !r.Main() || r.To.Bits() <= a.Subnet().Bits() || !a.Subnet().Contains(r.To.Addr()) {
				continue
			}
			found = append(found, v.away(Warning, r.To, r.Foreign(), other, deleteRoute(netcfg.Way{Match: r.To, Table: tableMain}, other)))
		}
	}
	return found
}

// subnetOf is the network of the device that an address is in.
func (v *view) subnetOf(ip netip.Addr) netip.Prefix {
	for _, a := range own(v.device) {
		if a.Subnet().Contains(ip) {
			return a.Subnet()
		}
	}
	return netip.PrefixFrom(ip, ip.BitLen())
}

// sameSubnetBy says that the other link has the network too.
func (v *view) sameSubnetBy(dt detour, other *netcfg.Device) bool {
	for _, a := range own(v.device) {
		if a.Subnet().Contains(dt.to) && v.sameSubnet(a, v.device) == other {
			return true
		}
	}
	return false
}

// ruleOf is the rule that led to the table which was found, or nil if that is one of the kernel's.
func (v *view) ruleOf(dt detour) *netcfg.Rule {
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

// fits says whether a rule may hold for packets of this host to an address. Of an odd one that is not known.
func fits(r netcfg.Rule, dt detour) bool {
	return r.IPv6 == dt.to.Is6() && !r.Detached && (!r.To.IsValid() || r.To.Contains(dt.to)) && (!r.From.IsValid() || r.From.Contains(dt.from)) &&
		(r.In == "" || r.In == "lo") && r.Out == "" && (r.Mark == 0 || r.Odd)
}

func deleteRoute(way netcfg.Way, other *netcfg.Device) string {
	command := "ip route del "
	if way.Match.Addr().Is6() {
		command = "ip -6 route del "
	}
	command += way.Match.String() + " dev " + netcfg.Word(other.Name)
	if way.Table != tableMain {
		command += " table " + strconv.FormatUint(uint64(way.Table), 10)
	}
	return command
}

// noWay is the rule or the route that forbids packets to a network of the device, or that there is no route.
func (v *view) noWay(dt detour) Finding {
	what, means := fmt.Sprintf("packets to %s are forbidden", dt.to), "a program that sends one gets \"permission denied\", \"no route to host\" or the like"
	for _, r := range v.network.Rules {
		if r.Action != "" && fits(r, dt) {
			return one(Fault, what+" by a policy rule: "+r.Words(), means, r.Delete())[0]
		}
	}
	for _, r := range v.network.Routes {
		if r.Barrier != "" && r.To.Contains(dt.to) && r.To.Bits() >= v.subnetOf(dt.to).Bits() {
			words := r.Barrier + " " + r.Route.String()
			return one(Fault, what+" by a route: "+words, means, "ip route del "+words)[0]
		}
	}
	return v.noRoute(dt)
}

// noRoute is a network of the device that its own route does not lead to any more.
func (v *view) noRoute(dt detour) Finding {
	subnet := v.subnetOf(dt.to)
	if !v.looksIntoMain(dt.to.Is6()) {
		mend := "ip rule add pref 32766 lookup main"
		if dt.to.Is6() {
			mend = "ip -6 rule add pref 32766 lookup main"
		}
		return one(Fault, "no policy rule leads to the main table of routes", "packets to "+subnet.String()+" do not find its route", mend)[0]
	}
	means := "somebody removed it: \"network is unreachable\""
	if other := v.network.ByIndex(dt.way.Index); other != nil {
		means = fmt.Sprintf("somebody removed it: packets go through %s, by its route to %s", netcfg.Escape(other.Name), dt.way.Match)
	}
	return one(Fault, "its route to "+subnet.String()+" is not there", means, fmt.Sprintf("ip route replace %s dev %s", subnet, netcfg.Word(v.device.Name)))[0]
}

// looksIntoMain says that a rule without conditions leads to the main table.
func (v *view) looksIntoMain(ipv6 bool) bool {
	return slices.ContainsFunc(v.network.Rules, func(r netcfg.Rule) bool { return r.IPv6 == ipv6 && r.Table == tableMain })
}

// linkdown says that the kernel leaves out the device's routes while it has no carrier.
func (v *view) linkdown(to netip.Addr) bool {
	d := v.device
	return !d.Carrier && len(ignoring(familyOf(to), d.Name)) > 0
}

func familyOf(ip netip.Addr) string {
	if ip.Is6() {
		return "ipv6"
	}
	return "ipv4"
}

// ignoring are the places where ignore_routes_with_linkdown is set for a device.
func ignoring(family, device string) (where []string) {
	for _, name := range []string{"all", device} {
		if value, _ := setting(family, name, "ignore_routes_with_linkdown"); value == "1" {
			where = append(where, name)
		}
	}
	return where
}

// linkdownIgnored looks for routes that are not used while nobody is attached.
func linkdownIgnored(v *view) (found []Finding) {
	for _, dt := range v.detours() {
		if dt.way.Index != 0 || !v.linkdown(dt.to) {
			continue
		}
		mend := ""
		for _, where := range ignoring(familyOf(dt.to), v.device.Name) {
			if mend != "" {
				mend += " && "
			}
			mend += sysctl(familyOf(dt.to), where, "ignore_routes_with_linkdown", "0")
		}
		found = append(found, one(Warning, "its routes are not used while it has no carrier (ignore_routes_with_linkdown)", "packets to "+dt.to.String()+" go another way, or none, until a program is attached",
			"start the program that reads it", mend)...)
	}
	return found
}
