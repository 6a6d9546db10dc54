package doctor

import (
	"fmt"
	"net/netip"

	"github.com/tunadm/tunadm/internal/firewall"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// uplink finds a link without a carrier on the way to other hosts.
func uplink(j *journey) []Finding {
	out, t := j.outlet(), j.traffic()
	if out == nil || out.Index == j.layer3().Index || out.Carrier || !out.Up {
		return nil
	}
	what := fmt.Sprintf("packets of the program to other networks, such as %s, leave through %s, which has no carrier",
		j.packet.To, words.Escape(out.Name))
	if !t.unanswered() && !j.explicit() {
		return ok(what)
	}
	return one(Warning, what, fmt.Sprintf("the program has sent %s, and received %s", packets(t.sent),
		packets(t.received)), fix.Sentence("connect "+words.Escape(out.Name)+", or bring up its other end"))
}

// The networks whose addresses no other network routes, unless its administrator has added the route.
var private = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("fc00::/7"),
}

// masquerade finds packets from private addresses that leave to another network and are not answered, because it
// knows no return path.
func masquerade(j *journey) []Finding {
	out, t := j.outlet(), j.traffic()
	if out == nil || out.Index == j.layer3().Index || !isPrivate(j.packet.From) || j.refused ||
		j.answersCome(j.packet.To) {
		return nil
	}
	forwarded, answered := j.forwarded(out)
	const few = 3
	if !j.exact() && (t.sent < t.received+few || !j.explicit() && (forwarded == 0 || !t.unanswered() || answered)) {
		return nil
	}
	p, known := j.located(j.packet)
	wall := j.wall()
	if !known || wall.err != nil || len(wall.rules.Unread) > 0 {
		return nil
	}
	if is, sure := wall.rules.MasqueradesFor(p); is || !sure {
		return nil
	}
	subnet := j.subnetOf(j.packet.From)
	lacks := "no firewall rule masquerades them (NAT)"
	if n := wall.rules.TooNarrow(p); n != nil {
		lacks = j.otherPackets(n)
	}
	what := fmt.Sprintf("packets from %s leave through %s with their private source address", subnet,
		words.Escape(out.Name))
	if j.view.heard != nil || t.sent > t.received {
		what += ", and nothing comes back"
	}
	return []Finding{{Level: Warning, vague: true, far: j.packet.To, unlikely: answered && j.demanded(), What: what,
		Means: fmt.Sprintf("%s, so other networks need a route back to %s; the program has sent %s and received %s, "+
			"and this host forwarded %s", lacks, subnet, packets(t.sent), packets(t.received), packets(forwarded)),
		Fixes: []fix.Fix{natFix(subnet, out.Name), fix.Sentence("or add a route to " + subnet.String() +
			" through this host on the routers of the other network")}}}
}

// forwarded returns how many packets this host has forwarded through a link, and whether these include answers to most
// packets of the program. The kernel counts IPv6 packets on the link through which they leave, and IPv4 packets of both
// directions together: without answers, they are those that the program sent and that are missing in what it received.
func (j *journey) forwarded(out *netcfg.Device) (n uint64, answered bool) {
	const half, both = 2, 3 // half of them: one answer to two packets, which are three
	if j.packet.IPv6() {
		count := func(l *netcfg.Device) uint64 { return j.host.Counter("dev_snmp6/"+l.Name, "", "Ip6OutForwDatagrams") }
		n = count(out)
		return n, n > 0 && count(j.layer3())*half >= n
	}
	t := j.traffic()
	n = j.host.Counter("snmp", "Ip", "ForwDatagrams")
	return n, t.received > 0 && n > 0 && n >= both*(t.sent-min(t.sent, t.received))
}

// otherPackets says for which other packets a rule translates the source.
func (j *journey) otherPackets(n *firewall.Narrow) string {
	text := place(n.Rule) + ": only for packets "
	switch {
	case n.Out == "":
		return text + "from another network, such as " + n.From.String()
	case j.link(n.Out) == nil:
		return text + "that leave through " + words.Escape(n.Out) + ", which this host does not have"
	}
	return text + "that leave through " + words.Escape(n.Out)
}

// subnetOf returns the network of the device that contains an address, or the address alone.
func (v *view) subnetOf(ip netip.Addr) netip.Prefix {
	for _, a := range own(v.layer3()) {
		if a.Subnet().Contains(ip) {
			return a.Subnet()
		}
	}
	return netip.PrefixFrom(ip, ip.BitLen())
}

// farNeighbour finds a next hop behind another link that does not answer, for packets of the question and for those
// that the firewall has sent to another destination.
func farNeighbour(j *journey) []Finding {
	way, err := j.host.Find(j.packet)
	if err != nil || way.Refusal != 0 || way.Local() || way.Index == j.layer3().Index && !j.carried() {
		return nil
	}
	hop := j.packet.To
	if way.Via.IsValid() {
		hop = way.Via
	}
	for _, n := range j.host.Neighbours(way.Index) {
		if n.Index != way.Index || n.To != hop || !n.Unanswered() {
			continue
		}
		out := j.byIndex(way.Index)
		what := fmt.Sprintf("nobody on %s answers for %s, the next hop of packets to %s", words.Escape(out.Name), hop,
			j.packet.To)
		t := j.traffic()
		if j.carried() {
			return j.ownNeighbour(hop, what)
		}
		if !t.unanswered() && !j.explicit() && len(j.rules) == 0 {
			return ok(what)
		}
		return one(Warning, what, fmt.Sprintf("this host has no MAC address for it; the program has sent %s, and "+
			"received %s", packets(t.sent), packets(t.received)), fix.Sentence("start the host "+hop.String()+
			", or correct its address"))
	}
	return nil
}

func isPrivate(ip netip.Addr) bool {
	for _, p := range private {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// natFix returns the commands that masquerade packets from a network, in a table of their own.
func natFix(from netip.Prefix, out string) fix.Fix {
	const table = "tunadm-nat"
	family, match := "ip", "ip"
	if from.Addr().Is6() {
		family, match = "ip6", "ip6"
	}
	return fix.Run(
		fix.InNamespace("nft", "add", "table", family, table),
		fix.InNamespace("nft", "add", "chain", family, table, "postrouting",
			"{ type nat hook postrouting priority srcnat; }"),
		fix.InNamespace("nft", "add", "rule", family, table, "postrouting", match, "saddr", from.String(),
			"oifname", out, "masquerade"))
}
