package doctor

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/firewall"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// forwardStages are the places that a packet of the program for another host passes after its receipt.
func forwardStages() []stage {
	return []stage{
		{"delivery", delivery}, {"forwarding", forwarding}, {"hops", hops}, {"next-hop", nextHop}, {"ipsec", decrypted},
		{"route-cache", routeCache},
		{"firewall", hooks(firewall.Forward, firewall.Postrouting, firewall.Egress)},
		{"source-nat", sourceNAT}, {"path-mtu", pathMTU}, {"hairpin", hairpin}, {"uplink", uplink},
		{"far-neighbour", farNeighbour}, {"invalid", unknownConnection}, {"old-connection", oldConnection},
		{"firewall", answers(firewall.Prerouting, firewall.Forward, firewall.Postrouting, firewall.Egress)},
		{"return-route", returnRoute}, {"return-forwarding", returnForwarding}, {"untracked", untracked},
		{"masquerade", masquerade},
	}
}

// forwarding finds packets to other hosts that this host does not forward.
func forwarding(j *journey) []Finding {
	dev := j.layer3().Name
	way, err := j.host.Find(j.packet)
	if j.forwards(dev) || err == nil && way.Local() { // see delivery
		return nil
	}
	n := j.host.Counter("snmp", "Ip", "InAddrErrors")
	if j.packet.IPv6() {
		n = j.own6("Ip6InAddrErrors")
	}
	b := j.blame(n)
	if j.packet.IPv6() && n > 0 {
		b.level, b.sure = Error, n
	}
	kind := "IPv4"
	if j.packet.IPv6() {
		kind = "IPv6"
	}
	what := "this host does not forward " + kind + " packets that arrive through " + words.Escape(dev)
	switch {
	case b.tells(j.explicit()):
		return []Finding{{Level: b.level, counted: b.sure, vague: b.sure == 0,
			What:  what + ", and dropped " + packets(n) + " to other hosts",
			Means: "hosts behind the device reach only this host; " + b.evidence, Fixes: j.forwardFixes()}}
	case j.explicit():
		return one(Error, what, "hosts behind the device reach only this host", j.forwardFixes()...)
	case n > 0:
		return ok(what + ", and no packet of this device is known to be dropped for it")
	}
	return ok(what + ", and none was dropped")
}

// forwards reports whether packets that arrive through a link are forwarded. IPv6 has one switch for all links, and
// since Linux 6.17 another for each.
func (j *journey) forwards(link string) bool {
	if !j.packet.IPv6() {
		value, _ := j.setting("ipv4", link, "forwarding")
		return value != "0"
	}
	all, _ := j.setting("ipv6", "all", "forwarding")
	forced, _ := j.setting("ipv6", link, "force_forwarding")
	return all != "0" || forced == "1"
}

// forwardFixes returns how to forward packets of the program and the answers to them.
func (j *journey) forwardFixes() []fix.Fix {
	dev, family, name, global := j.layer3().Name, "ipv4", "forwarding", "net.ipv4.ip_forward"
	if j.packet.IPv6() {
		family, name, global = "ipv6", "force_forwarding", "net.ipv6.conf.all.forwarding"
	}
	if j.course == inward {
		dev = j.at.Name
	}
	wide := fix.Run(sysctlKey(global, "1"))
	on, known := j.setting(family, dev, name)
	if !known {
		return []fix.Fix{wide}
	}
	var narrow []fix.Command
	if on == "0" {
		narrow = append(narrow, fix.Sysctl(family, dev, name, "1"))
	}
	for _, out := range j.outlets() {
		if !j.forwards(out.Name) {
			narrow = append(narrow, fix.Sysctl(family, out.Name, name, "1"))
		}
	}
	if len(narrow) == 0 {
		return []fix.Fix{wide}
	}
	if all, _ := j.setting("ipv4", "all", "forwarding"); family == "ipv4" && all == "1" {
		return []fix.Fix{fix.Run(narrow...)} // ip_forward is on already
	}
	return []fix.Fix{fix.Run(narrow...), wide}
}

// outlet returns the link through which this host would send the packet, or nil.
func (j *journey) outlet() *netcfg.Device {
	way, err := j.host.Find(j.packet)
	if err == nil && way.Refusal != 0 { // as if it were a packet of this host
		way, err = j.host.Find(flow.Packet{To: j.packet.To, Mark: j.packet.Mark})
	}
	if err != nil || way.Refusal != 0 || way.Local() {
		return nil
	}
	return j.byIndex(way.Index)
}

// outlets returns the links through which this host would send packets of the program to other networks: that of the
// packet, and if this is a typical one, those of the other typical packets.
func (j *journey) outlets() (all []*netcfg.Device) {
	hosts := []netip.Addr{j.packet.To}
	if j.course == through && !j.explicit() {
		hosts = append(hosts, j.farHosts(j.layer3(), j.packet.IPv6())...)
	}
	for _, to := range hosts {
		other := *j
		other.packet.To = to
		if out := other.outlet(); out != nil && !slices.Contains(all, out) {
			all = append(all, out)
		}
	}
	return all
}

// returnForwarding finds a link through which answers arrive, and which does not forward them.
func returnForwarding(j *journey) []Finding {
	out, t := j.outlet(), j.traffic()
	if out == nil || j.packet.IPv6() || j.forwards(out.Name) || !j.forwards(j.layer3().Name) {
		return nil // nothing answers packets that this host does not forward: see forwarding
	}
	what := fmt.Sprintf("this host does not forward IPv4 packets that arrive through %s, such as answers to the "+
		"program", words.Escape(out.Name))
	n := j.host.Counter("snmp", "Ip", "InAddrErrors")
	if !j.explicit() && (n == 0 || out.Stats.RxPackets == 0 || !t.unanswered()) {
		return ok(what)
	}
	return []Finding{{Level: Error, What: what, Fixes: j.forwardFixes(), Means: fmt.Sprintf(
		"the program has sent %s and received %s, and this host dropped %s to other hosts", packets(t.sent),
		packets(t.received), packets(n))}}
}

// hops finds packets of the program whose TTL is used up.
func hops(j *journey) []Finding {
	if found := j.shortLived(); found != nil {
		return found
	}
	n, told := j.invalid(), j.host.Counter("snmp", "Icmp", "OutTimeExcds")
	if j.packet.IPv6() {
		n, told = j.own6("Ip6InHdrErrors"), j.own6("Icmp6OutTimeExcds")
	}
	if told == 0 {
		return nil
	}
	b := j.blame(n)
	if t := j.traffic(); b.level == OK || n*2 < t.sent {
		return nil // traceroute
	}
	b.level = Warning
	found := b.finding("the TTL of "+packets(n)+" of the program was used up here (ICMP time exceeded)",
		"a packet needs a TTL of at least 2 to be forwarded; or it goes round in a loop of routes")
	found[0].Fixes = fixes(fix.Sentence("make the program write packets with a TTL of 64"))
	found[0].vague = b.sure == 0
	return found
}

// nextHop finds packets of the program that this host cannot forward, because no route leads to their destination or a
// rule or a route forbids them.
func nextHop(j *journey) []Finding {
	way, err := j.host.Find(j.packet)
	if err != nil {
		return nil
	}
	if way.Refusal != 0 && way.Refusal != unix.EXDEV && j.forwards(j.layer3().Name) {
		// A rule that says "unreachable" is refused as a destination without a route is.
		if found := j.stopped(); found != nil || way.Refusal != unix.ENETUNREACH {
			return found
		}
	}
	n := j.host.Counter("netstat", "IpExt", "InNoRoutes")
	b := j.blame(n)
	if j.packet.IPv6() {
		if n = j.own6("Ip6InNoRoutes"); n > 0 {
			b = blame{level: Error, sure: n, evidence: "the counter is that of the device"}
		}
	}
	switch {
	case way.Refusal == unix.ENETUNREACH && j.explicit() && !b.tells(true):
		return one(Error, "this host has no route to "+j.packet.To.String(), "it cannot forward packets to it",
			j.routeFix())
	case b.level == OK:
		return nil
	}
	why := j.missingRoute()
	if why == "" && way.Refusal == 0 && !j.moving {
		return nil // the default route came later
	}
	found := b.finding("this host has no route for "+packets(n)+" of the program to other networks",
		cmp.Or(why, "the routes do not cover their destinations"))
	found[0].Fixes = fixes(j.routeFix())
	return found
}

// missingRoute says why there may be no route to other networks. It is empty if there is a default route.
func (j *journey) missingRoute() string {
	if l := j.ignoresRouters(); l != nil {
		return fmt.Sprintf("%s takes no default route from router advertisements, because this host forwards IPv6 "+
			"(accept_ra 1)", words.Escape(l.Name))
	}
	for _, l := range j.every() {
		if !l.Up && l.Index != j.device.Index && len(own(l)) > 0 {
			return "the link " + words.Escape(l.Name) + " is down, so its routes are gone"
		}
	}
	if way, err := j.host.Find(flow.Packet{To: unknownHost(j.packet.IPv6())}); err == nil && way.Refusal != 0 {
		return "there is no default route"
	}
	return ""
}

// routeFix returns how to get a route to other networks.
func (j *journey) routeFix() fix.Fix {
	if l := j.ignoresRouters(); l != nil {
		return fix.Run(fix.Sysctl("ipv6", l.Name, "accept_ra", "2"))
	}
	for _, l := range j.every() {
		if !l.Up && l.Index != j.device.Index && len(own(l)) > 0 {
			return fix.Run(ip("link", "set", "dev", l.Name, "up"))
		}
	}
	return fix.Sentence("add a route to them, or a default route: ip route add default via GATEWAY")
}

// stopped names the rule by which this host does not forward packets of the program.
func (j *journey) stopped() []Finding {
	t := j.traffic()
	steps := j.host.Explain(j.policies, j.packet)
	if len(steps) == 0 || t.sent == 0 && !j.explicit() {
		return nil
	}
	last := steps[len(steps)-1]
	means := fmt.Sprintf("the program has sent %s, and received %s", packets(t.sent), packets(t.received))
	level := Error
	if !j.explicit() && !t.unanswered() {
		level = Warning
	}
	switch {
	case last.Rule.Action != "":
		return one(level, fmt.Sprintf("a policy rule forbids packets of the program to %s: %s", j.packet.To,
			last.Rule.Words()), means, last.Rule.Delete())
	case last.Route != nil && rtnl.Actions[last.Route.Type] != "":
		found := j.barred(last.Route, rtnl.Actions[last.Route.Type])
		found[0].Level, found[0].Means = level, means
		return found
	}
	return nil
}
