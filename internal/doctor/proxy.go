package doctor

import (
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// A proxied host is one behind the device that has an address in the network of another link: the hosts there ask for
// its MAC address, so this host has to answer.
type proxied struct {
	host netip.Addr
	part netip.Prefix   // the route to it through the device
	lan  netip.Prefix   // the network that it seems to be in
	link *netcfg.Device // the link to this network
}

// proxyARP finds hosts behind the device for which this host does not answer ARP or neighbour discovery.
func proxyARP(v *view) (found []Finding) {
	if !v.asked() || !v.layer3().Up {
		return nil
	}
	for _, p := range v.proxiedHosts() {
		if found = v.unproxied(p); !passes(found) {
			return found
		}
	}
	return nil
}

// proxiedHosts returns a host of each route through the device that is a part of another link's network.
func (v *view) proxiedHosts() (all []proxied) {
	const most, wide = 4, 8
	layer3 := v.layer3()
	for _, r := range v.host.UnicastThrough(layer3.Index) {
		if len(all) == most || r.To.Bits() < wide || !r.To.Addr().IsGlobalUnicast() {
			continue
		}
		p := proxied{host: hostIn(r.To), part: r.To}
		for _, asked := range []netip.Addr{v.To, v.From} {
			if r.To.Contains(asked) && !v.isOwn(asked) {
				p.host = asked
			}
		}
		if p.lan, p.link = v.lanAround(r.To); p.link == nil || v.isOwn(p.host) {
			continue
		}
		if way, err := v.host.Find(flow.Packet{To: p.host}); err == nil && way.Refusal == 0 &&
			way.Index == layer3.Index {
			all = append(all, p)
		}
	}
	return all
}

// lanAround returns the smallest network of another Ethernet link that contains a smaller one; nil: there is none.
func (v *view) lanAround(part netip.Prefix) (lan netip.Prefix, at *netcfg.Device) {
	ipv6 := part.Addr().Is6()
	look := func(network netip.Prefix, number int) {
		if network.Bits() >= part.Bits() || !network.Contains(part.Addr()) ||
			at != nil && lan.Bits() >= network.Bits() || number == v.layer3().Index || number == v.device.Index {
			return
		}
		if l := v.byIndex(number); l != nil && l.Up && len(l.MAC) > 0 && l.Kind != "loopback" &&
			!v.host.WithoutARP(number) {
			lan, at = network, l
		}
	}
	routes, all := v.host.SomeRoutes(ipv6)
	for _, r := range routes {
		if connected(r) {
			look(r.To, r.Index)
		}
	}
	var around []netip.Prefix
	for bits := range part.Bits() {
		around = append(around, netip.PrefixFrom(part.Addr(), bits).Masked())
	}
	if !all { // very many routes; those to the networks of its links are derived from its addresses
		for number, a := range v.addressesIn(around...) {
			look(a.Subnet(), number)
		}
	}
	return lan, at
}

// connected reports whether a route leads to the hosts of a link themselves.
func connected(r rtnl.Route) bool {
	return r.Type == unix.RTN_UNICAST && !r.Via.IsValid() && !r.Special && r.To.Bits() > 0
}

// unproxied reports that this host does not answer for a host, if that keeps packets away from it.
func (v *view) unproxied(p proxied) []Finding {
	why, begun, add := v.proxy4(p)
	if p.host.Is6() {
		why, begun, add = v.proxy6(p)
	}
	protocol, about := "ARP", v.To == p.host || v.From == p.host
	if p.host.Is6() {
		protocol = "neighbour discovery"
	}
	name := words.Escape(p.link.Name)
	if why == "" {
		return ok(fmt.Sprintf("this host answers %s for %s on %s", protocol, p.host, name))
	}
	what := fmt.Sprintf("%s is behind it and in the network %s of %s, and this host does not answer %s for it there "+
		"(%s)", p.host, p.lan, name, protocol, why)
	lost, answered, evidence := v.lostBehind(p)
	level := Error
	switch {
	case lost || begun && about:
	case begun || about && !answered:
		level = Warning
	default:
		return ok(what)
	}
	return one(level, what, fmt.Sprintf("the hosts of %s do not find its MAC address, so they send it nothing, unless "+
		"their router leads it here; %s", name, evidence), add...)
}

// lostBehind reports whether the program has sent packets and received no answer from other hosts, or some.
func (v *view) lostBehind(p proxied) (lost, answered bool, evidence string) {
	if p.host.Is6() {
		count := func(l *netcfg.Device) uint64 {
			return v.host.Counter("dev_snmp6/"+l.Name, "", "Ip6OutForwDatagrams")
		}
		sent, received := count(p.link), count(v.layer3())
		return sent > 0 && received == 0, received > 0, fmt.Sprintf("this host forwarded %s to %s, and %d from "+
			"there", packets(sent), words.Escape(p.link.Name), received)
	}
	t := v.traffic()
	return t.unanswered(), t.sent > 0 && !t.unanswered(), fmt.Sprintf("the program has sent %s, and received %s",
		packets(t.sent), packets(t.received))
}

// proxy4 returns why this host does not answer ARP for a host on another link; "": it answers. begun reports that an
// administrator has begun to configure this.
func (v *view) proxy4(p proxied) (why string, begun bool, add []fix.Fix) {
	name := p.link.Name
	entries := v.host.ProxyLinks(p.host)
	forwarding, _ := v.setting("ipv4", name, "forwarding")
	entered := slices.Contains(entries, p.link.Index) || slices.Contains(entries, 0)
	answers := v.largest("proxy_arp", name) == 1 || entered
	forward := fix.Sysctl("ipv4", name, "forwarding", "1")
	switch {
	case answers && forwarding != "0":
		return "", true, nil
	case answers:
		return "forwarding 0 on " + words.Escape(name), true, fixes(fix.Run(forward))
	case len(entries) > 0:
		why, begun = "the proxy entry is for "+v.nameOf(entries[0]), true
	case v.largest("proxy_arp_pvlan", name) == 1:
		why = "proxy_arp 0 on " + words.Escape(name) + ", and proxy_arp_pvlan answers only for hosts of the same link"
	default:
		why = "proxy_arp 0 on " + words.Escape(name) + ", no proxy entry"
	}
	entry := fix.Run(ip("neigh", "add", "proxy", p.host.String(), "dev", name))
	wide := fix.Run(fix.Sysctl("ipv4", name, "proxy_arp", "1"))
	if forwarding == "0" {
		entry.Commands, wide.Commands = append(entry.Commands, forward), append(wide.Commands, forward)
	}
	if p.part.IsSingleIP() {
		return why, begun, []fix.Fix{entry, wide}
	}
	return why, begun, []fix.Fix{wide}
}

// proxy6 is proxy4 for IPv6, which requires an entry for each host and the sysctl.
func (v *view) proxy6(p proxied) (why string, begun bool, add []fix.Fix) {
	name := p.link.Name
	entries := v.host.ProxyLinks(p.host)
	entry := slices.Contains(entries, p.link.Index) || slices.Contains(entries, 0)
	own, _ := v.setting("ipv6", name, "proxy_ndp")
	all, _ := v.setting("ipv6", "all", "proxy_ndp")
	forwarding, _ := v.setting("ipv6", name, "forwarding")
	on := own == "1" || all == "1"
	var commands []fix.Command
	if !on {
		why = "proxy_ndp 0 on " + words.Escape(name)
		commands = append(commands, fix.Sysctl("ipv6", name, "proxy_ndp", "1"))
	}
	add6 := ip("-6", "neigh", "add", "proxy", p.host.String(), "dev", name)
	switch {
	case entry && on && forwarding == "0":
		return "forwarding 0 on " + words.Escape(name), true,
			fixes(fix.Run(fix.Sysctl("ipv6", "all", "forwarding", "1")))
	case entry && on:
		return "", true, nil
	case entry:
		return why, true, fixes(fix.Run(commands...))
	case len(entries) > 0:
		why = joined(why, "the proxy entry is for "+v.nameOf(entries[0]))
	default:
		why = joined(why, "no proxy entry on "+words.Escape(name))
	}
	return why, len(entries) > 0, fixes(fix.Run(append(commands, add6)...))
}

// joined joins two reasons.
func joined(a, b string) string {
	if a == "" {
		return b
	}
	return a + ", " + b
}

// nameOf returns the name of a link, for a message.
func (v *view) nameOf(index int) string {
	if l := v.byIndex(index); l != nil {
		return words.Escape(l.Name)
	}
	return fmt.Sprintf("the link with the index %d", index)
}
