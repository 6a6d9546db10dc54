package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// hidden reports whether the table of a route has one through a link to the same or a larger network.
func (j *journey) hidden(by *rtnl.Route, layer3 *netcfg.Device) bool {
	return slices.ContainsFunc(j.host.RoutesThrough(layer3.Index), func(r rtnl.Route) bool {
		return r.Table == by.Table && r.To.Contains(j.packet.To) && r.To.Bits() <= by.To.Bits() &&
			slices.Contains(j.host.Links(r), layer3.Index)
	})
}

// ordinary reports whether the kernel's own rules look up a table.
func ordinary(table uint32) bool {
	return table == tableMain || table == tableLocal || table == tableDefault
}

// blackhole reports whether a nexthop object discards packets.
func (j *journey) blackhole(id uint32) bool {
	n := j.host.Nexthop(id)
	if n != nil && len(n.Group) > 0 {
		n = j.host.Nexthop(n.Group[0])
	}
	return n != nil && n.Blackhole
}

// forbidden reports a route that discards packets, and the rule that led to its table if an administrator added it.
func (j *journey) forbidden(last evidence.Step) []Finding {
	kind := rtnl.Actions[last.Route.Type]
	if last.Route.To.Bits() < j.part.Bits() {
		if ordinary(last.Rule.Table) {
			return j.noRoute(evidence.Way{Route: *last.Route}) // the device's own route would be more specific
		}
		return one(Error, fmt.Sprintf("a policy rule leads packets to %s to a route that forbids them: %s", j.packet.To,
			last.Rule.Words()), kind+" "+last.Route.To.String(), last.Rule.Delete())
	}
	return j.barred(last.Route, kind)
}

// barred reports a route without a link that keeps packets away from the device.
func (j *journey) barred(r *rtnl.Route, kind string) []Finding {
	what := fmt.Sprintf("a route forbids packets to %s: %s %s", j.packet.To, kind, r.To)
	means := "sending fails, with an error such as \"permission denied\" or \"no route to host\""
	if kind == "throw" {
		what = fmt.Sprintf("a throw route ends the look-up of %s in the table of the device's route: throw %s",
			j.packet.To, r.To)
		means = "ping prints \"network is unreachable\", or the packets take a route of another table"
	}
	command := append(family(r.To.Addr()), "route", "del", kind, r.To.String())
	if r.Metric != 0 {
		command = append(command, "metric", strconv.FormatUint(uint64(r.Metric), 10))
	}
	return one(Error, what, means, fix.Run(ip(inTable(command, r.Table)...)))
}

// away reports that the host reaches a part of a network of the device through another link.
func (j *journey) away(level Level, r *rtnl.Route, other *netcfg.Device) Finding {
	name := words.Escape(other.Name)
	kind := "a more specific route"
	if slices.ContainsFunc(j.host.RoutesThrough(j.layer3().Index), func(o rtnl.Route) bool {
		return o.Table == r.Table && o.To == r.To
	}) {
		kind = "a route with a smaller metric"
	}
	what := fmt.Sprintf("packets to %s leave through %s, which has %s", r.To, name, kind)
	if r.Protocol != unix.RTPROT_BOOT && r.Protocol != unix.RTPROT_STATIC {
		return one(level, what,
			"the route belongs to an address of "+name+" or to a routing daemon: the two networks overlap",
			append(j.hostRoute(r), fix.Sentence("give the device or "+name+" an address of another network"))...)[0]
	}
	return one(level, what, "", deleteRoute(r, other))[0]
}

// hostRoute returns the command that leads the destination of the packet through the device in spite of a route to its
// network, and no other destination.
func (j *journey) hostRoute(r *rtnl.Route) []fix.Fix {
	to := j.packet.To
	if !r.To.Contains(to) {
		return nil
	}
	command := append(family(to), "route", "replace", to.String(), "dev", j.layer3().Name)
	if from := j.packet.From; j.indexOf(from) == j.layer3().Index {
		command = append(command, "src", from.String())
	}
	return fixes(fix.Run(ip(inTable(command, r.Table)...)))
}

// parted finds routes of other links to parts of the device's networks.
func (j *journey) parted() (found []Finding) {
	subnet, layer3 := j.part, j.layer3()
	for _, r := range j.host.RoutesWithin(subnet) {
		if r.Type != unix.RTN_UNICAST || r.Index == layer3.Index {
			continue
		}
		if other := j.byIndex(r.Index); other != nil && (r.Protocol != unix.RTPROT_KERNEL || j.missed(&r)) {
			found = append(found, j.away(Warning, &r, other))
		}
	}
	return found
}

// missed reports whether this host looks in vain for a host in a network of another link, which may be behind the
// device. A VPN often leads to a large network, and this host has a small part of it for containers.
func (j *journey) missed(r *rtnl.Route) bool {
	return slices.ContainsFunc(j.host.Neighbours(r.Index), func(n evidence.Neighbour) bool {
		return r.To.Contains(n.To) && n.Unanswered()
	})
}

// sameSubnetBy reports whether the other link also has an address in the network of the packet's destination.
func (j *journey) sameSubnetBy(other *netcfg.Device) bool {
	for _, a := range own(j.layer3()) {
		if a.Subnet().Contains(j.packet.To) && j.sameSubnet(a, j.layer3()) == other {
			return true
		}
	}
	return false
}

// deleteRoute returns the command that deletes a route through a link; nil: through none.
func deleteRoute(r *rtnl.Route, other *netcfg.Device) fix.Fix {
	words := append(family(r.To.Addr()), "route", "del", r.To.String())
	switch {
	case r.Nexthop != 0:
		words = append(words, "nhid", strconv.FormatUint(uint64(r.Nexthop), 10))
	case other != nil:
		words = append(words, "dev", other.Name)
	}
	if (other == nil || r.Nexthop != 0) && r.Metric != 0 {
		words = append(words, "metric", strconv.FormatUint(uint64(r.Metric), 10))
	}
	return fix.Run(ip(inTable(words, r.Table)...))
}

// family returns the option of ip(8) for the family of an address. IPv4 needs none.
func family(a netip.Addr) []string {
	if a.Is6() {
		return []string{"-6"}
	}
	return nil
}

// noRoute reports that this host has no route through the device to the packet's destination, that the device's own
// route to its network is missing, or that no rule looks it up.
func (j *journey) noRoute(way evidence.Way) []Finding {
	to, layer3 := j.packet.To, j.layer3()
	subnet := j.part
	if !j.looksIntoMain(to.Is6()) {
		add := ip(append(family(to), "rule", "add", "pref", "32766", "lookup", "main")...)
		return one(Error, "no policy rule looks up the main routing table",
			"the kernel does not find the route to "+subnet.String(), fix.Run(add))
	}
	if j.linkdown(to) {
		return nil // the check linkdown reports it
	}
	exists := false
	for _, r := range j.host.RoutesThrough(layer3.Index) {
		switch {
		case r.To != subnet || !slices.Contains(j.host.Links(r), layer3.Index):
		case ordinary(r.Table):
			exists = true
		default:
			add := append(family(to), "rule", "add", "pref", "32765", "lookup", tableWord(r.Table))
			return one(Error,
				fmt.Sprintf("its route to %s is in table %d, which no policy rule looks up", subnet, r.Table),
				"packets to that network take another route or none", fix.Run(ip(add...)))
		}
	}
	what, means := "this host has no route to "+to.String(), "ping prints \"network is unreachable\""
	switch other := j.byIndex(way.Index); {
	case rtnl.Actions[way.Type] != "":
		what = "no route to " + to.String() + " leads through it"
		means = "a route forbids the packets: " + rtnl.Actions[way.Type] + " " + way.To.String()
	case other != nil && way.Refusal == 0:
		what = "no route to " + to.String() + " leads through it"
		means = "packets leave through " + words.Escape(other.Name)
		if match, err := j.host.Match(j.packet); err == nil {
			means += ", by its route to " + match.To.String()
		}
	}
	i := slices.IndexFunc(own(layer3), func(a netcfg.Address) bool { return a.Subnet() == subnet })
	switch {
	case exists:
		return one(Error, "packets to "+to.String()+" do not take its route to "+subnet.String(), means,
			fix.Sentence("inspect the rules and routes: ip route get "+to.String()))
	case i >= 0:
		what = "its route to " + subnet.String() + " is missing"
		if a := own(layer3)[i]; j.withoutRoute(a) {
			means = "its address " + a.String() + " has noprefixroute, so the kernel adds no route; " + means
		}
	}
	return one(Error, what, means, fix.Run(ip("route", "replace", subnet.String(), "dev", layer3.Name)))
}

// withoutRoute reports whether the kernel adds no route to the network of an address.
func (j *journey) withoutRoute(a netcfg.Address) bool {
	same := func(o rtnl.Address) bool { return o.Local == a.Local && o.Bits == a.Bits }
	all := j.host.Addresses(j.layer3().Index, a.Local.Is6())
	i := slices.IndexFunc(all, same)
	return i >= 0 && all[i].Flags&unix.IFA_F_NOPREFIXROUTE != 0
}

// looksIntoMain reports whether a rule looks up the main routing table.
func (v *view) looksIntoMain(ipv6 bool) bool {
	return slices.ContainsFunc(v.policies, func(r rtnl.Rule) bool {
		return r.IPv6 == ipv6 && r.Table == tableMain
	})
}

// localFirst reports whether the kernel looks for each IPv4 address in the table local first, and there are no VRFs.
func (v *view) localFirst() bool {
	return len(v.policies) > 0 && v.policies[0].Plain() == rtnl.Rule{Table: tableLocal} &&
		!slices.ContainsFunc(v.policies, func(r rtnl.Rule) bool { return r.VRF })
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
func linkdownIgnored(v *view) []Finding {
	d := v.device
	if !d.Up || d.Master != "" || d.Carrier {
		return nil
	}
	for _, a := range own(d) {
		to := target(a)
		if !to.IsValid() || !v.linkdown(to) {
			continue
		}
		if way, err := v.host.Find(flow.Packet{From: a.Local, To: to}); err != nil || way.Index == d.Index {
			continue
		}
		var use []fix.Command
		for _, where := range v.ignoring(familyOf(to), d.Name) {
			use = append(use, fix.Sysctl(familyOf(to), where, "ignore_routes_with_linkdown", "0"))
		}
		return one(Warning, "the kernel ignores its routes while it has no carrier (ignore_routes_with_linkdown)",
			"until a program attaches, packets to "+to.String()+" take another route or none",
			fix.Sentence("start the program that reads it"), fix.Run(use...))
	}
	return nil
}
