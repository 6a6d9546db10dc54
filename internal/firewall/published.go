package firewall

import (
	"cmp"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/flow"
)

// A Published is a rule that leads packets to another destination (DNAT, port forwarding).
type Published struct {
	Rule   Verdict        // its place and counter; the action says nothing
	To     netip.AddrPort // the new destination; a port of 0 does not change
	Packet flow.Packet    // for what the rule asks: In, From, To, Protocol and ToPort; zero, or To ::: it does not ask
}

// A condition is a value that a rule asks for.
type condition struct {
	label label
	data  []byte
}

// wants notes a value for which the rule asks.
func (r *run) wants(l label, data []byte) {
	part := func(b byte) bool { return b != 0xff }
	if r.conditions != nil && (!l.here() || !slices.ContainsFunc(l.mask, part)) {
		*r.conditions = append(*r.conditions, condition{l, data})
	}
}

// wantsFrom notes the first value of a range for which the rule asks.
func (r *run) wantsFrom(l label, data []byte) {
	if !l.here() {
		r.wants(l, data)
	}
}

// here reports whether a value is a device or an address of this host. The first of several may be one that the host
// does not have, although the rule matches others.
func (l label) here() bool {
	return strings.HasPrefix(l.text, "iif") || strings.HasSuffix(l.text, " daddr")
}

// wantsElement notes the first element of a set for which the rule asks.
func (r *run) wantsElement(l label, s *set) {
	if r.conditions == nil || len(s.fields) > 0 {
		return
	}
	r.rules.load(s)
	var keys [][]byte
	for _, e := range s.elements {
		if e.flags&(unix.NFT_SET_ELEM_INTERVAL_END|catchAll) == 0 {
			keys = append(keys, e.key)
		}
	}
	switch {
	case len(keys) > 1 || len(keys) == 1 && s.flags&unix.NFT_SET_INTERVAL != 0:
		r.wantsFrom(l, keys[0])
	case len(keys) == 1:
		r.wants(l, keys[0])
	}
}

// Publishes returns the rules that lead packets of a family to an address.
func (rs *Ruleset) Publishes(ipv6 bool) (all []Published) {
	p := flow.Packet{To: netip.IPv4Unspecified()}
	if ipv6 {
		p.To = netip.IPv6Unspecified()
	}
	for base, r := range rs.natRules(Prerouting, p) {
		if found, leads := rs.publishes(base, r, p); leads {
			all = append(all, found)
		}
	}
	slices.SortFunc(all, func(a, b Published) int {
		return cmp.Or(cmp.Compare(a.Rule.Chain, b.Rule.Chain), cmp.Compare(a.Rule.Number, b.Rule.Number))
	})
	return all
}

// publishes reads the conditions of a rule that leads to another destination.
func (rs *Ruleset) publishes(base *chain, r *rule, p flow.Packet) (found Published, leads bool) {
	if !r.translates("DNAT") {
		return found, false
	}
	run, place := rs.asks(Prerouting, base, r, p)
	if !run.leads.Addr().IsValid() {
		return found, false
	}
	found = Published{Rule: place, To: run.leads, Packet: flow.Packet{To: p.To}}
	for _, c := range *run.conditions {
		c.apply(rs, &found.Packet)
	}
	return found, true
}

// asks evaluates all expressions of a rule, whether it applies to the packet or not, and notes its conditions. place
// is where the rule is.
func (rs *Ruleset) asks(h Hook, base *chain, r *rule, p flow.Packet) (asked *run, place Verdict) {
	w := rs.Walk(p)
	w.hook, w.chain = h, base
	asked = &run{Walk: w, rule: r, match: yes, conditions: &[]condition{}}
	asked.value = unknown(64)
	for _, e := range r.decode() {
		understood(e.name)(asked, e)
	}
	o := outcome{rule: r, words: asked.sentence("")}
	if len(asked.verdicts) == 1 {
		o.words = asked.sentence(asked.verdicts[0].words())
	}
	return asked, w.verdict(base, o)
}

// translates reports whether a rule has an expression that translates addresses, or one of these targets of iptables.
func (r *rule) translates(targets ...string) bool {
	for _, e := range r.decode() {
		if e.name == "nat" || e.name == "masq" ||
			e.name == "target" && slices.Contains(targets, e.text(unix.NFTA_TARGET_NAME)) {
			return true
		}
	}
	return false
}

// apply gives a packet the property for which a condition asks.
func (c condition) apply(rs *Ruleset, p *flow.Packet) {
	data := c.data
	if strings.HasSuffix(c.label.text, " saddr") && !p.IPv6() { // nft compares only the bytes of the prefix
		data = append(slices.Clone(data), make([]byte, max(0, net.IPv4len-len(data)))...)
	}
	ip, isIP := netip.AddrFromSlice(data)
	isIP = isIP && c.label.kind == address
	side, port := "", strings.HasSuffix(c.label.text, " dport") && len(c.data) == 2
	if isIP {
		_, side, _ = strings.Cut(c.label.text, " ")
	}
	name, _, ended := strings.Cut(string(c.data), "\x00") // without a zero byte it is the beginning of a name
	switch {
	case side == "saddr":
		p.From = ip
	case side == "daddr":
		p.To = ip
	case port:
		p.ToPort = binary.BigEndian.Uint16(c.data)
		switch {
		case strings.HasPrefix(c.label.text, "tcp "):
			p.Protocol = unix.IPPROTO_TCP
		case strings.HasPrefix(c.label.text, "udp "):
			p.Protocol = unix.IPPROTO_UDP
		}
	case c.label.kind == protocol && len(c.data) == 1:
		p.Protocol = c.data[0]
	case c.label.text == "oifname" && ended:
		p.Out = name
	case c.label.text == "iifname" && ended:
		p.In = name
	case c.label.text == "iif" && len(c.data) == 4 && rs.Link != nil:
		p.In = rs.Link(int(binary.NativeEndian.Uint32(c.data))).Name
	}
}
