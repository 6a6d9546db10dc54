package doctor

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/firewall"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/words"
)

// changed lets the packet go on as the rules of the hook prerouting have changed it: the kernel looks up the route with
// the new mark and the new destination.
func changed(j *journey) (found []Finding) {
	if j.walk == nil || j.walk.steps == nil || j.frame() {
		return nil
	}
	steps, before := j.walk.steps, j.packet
	if to := steps.Goal(); to.Addr().IsValid() && (to.Addr() != before.To || to.Port() != 0) {
		j.packet.To = to.Addr()
		if to.Port() != 0 {
			j.packet.ToPort = to.Port()
		}
		if j.course != inward || j.isOwn(to.Addr()) {
			j.course = j.courseTo(to.Addr())
		}
		found = j.note(found, "its destination is now "+to.Addr().String(), steps.Changed(firewall.Destination))
	}
	if mark, known := steps.MarkNow(); known && mark != before.Mark {
		old, _ := j.host.Find(j.packet)
		j.packet.Mark = mark
		way, err := j.host.Find(j.packet)
		if err == nil && (way.Refusal != old.Refusal || way.Index != old.Index) {
			found = j.note(found, fmt.Sprintf("its mark is now 0x%x", mark), steps.Changed(firewall.Mark))
		}
	}
	if p, known := j.located(j.packet); known {
		j.walk.packet.Out, j.walk.packet.OutIndex = p.Out, p.OutIndex
		steps.Out, steps.OutIndex = p.Out, p.OutIndex
	}
	return found
}

// misled reports whether a rule leads the packet to a destination that is not known.
func (j *journey) misled() bool {
	return j.walk != nil && j.walk.steps != nil && j.walk.steps.Changed(firewall.Destination) != nil &&
		!j.walk.steps.Goal().Addr().IsValid()
}

// note remembers a rule that decides where the packet goes, and says so.
func (j *journey) note(found []Finding, what string, rule *firewall.Verdict) []Finding {
	if rule == nil {
		return found
	}
	text := what + " (" + place(*rule) + ")"
	j.rules = append(j.rules, text)
	return append(found, ok("the firewall changes the packet: "+text)...)
}

// because adds the rules that have changed the packet to a finding of a stage that depends on its destination or mark.
func (j *journey) because(stage string, f Finding) Finding {
	asks := []string{"delivery", "forwarding", "next-hop", "ipsec", "uplink", "far-neighbour", "listener"}
	if f.Level > Warning || len(j.rules) == 0 || !slices.Contains(asks, stage) {
		return f
	}
	if f.Means != "" {
		f.Means += "; "
	}
	f.Means += "the firewall has changed the packet: " + strings.Join(j.rules, ", ")
	return f
}

// unused reports whether a rule has counted no packet.
func unused(v firewall.Verdict) bool { return v.Count != nil && v.Count.Packets == 0 }

// removal returns the command that deletes a rule.
func removal(v firewall.Verdict) fix.Fix {
	command := []string{"nft", "delete", "rule", v.Family, v.Table, v.Chain, "handle", fmt.Sprint(v.Handle)}
	if tool, lasts := iptables(v, false); tool != "" && v.Handle == 0 {
		return fix.Fix{Commands: []fix.Command{fix.InNamespace(tool, "-t", v.Table, "-D", v.Chain,
			fmt.Sprint(v.Number))}, After: "  # " + lasts}
	}
	return fix.Run(fix.InNamespace(command...))
}

// shortLived finds a rule that gives packets of the program a TTL with which this host does not forward them.
func (j *journey) shortLived() []Finding {
	if j.walk == nil || j.walk.steps == nil {
		return nil
	}
	hops, known := j.walk.steps.Hops()
	rule := j.walk.steps.Changed(firewall.Hops)
	if !known || hops > 1 || rule == nil {
		return nil
	}
	told, word := j.host.Counter("snmp", "Icmp", "OutTimeExcds"), "TTL"
	if j.packet.IPv6() {
		told, word = j.own6("Icmp6OutTimeExcds"), "hop limit"
	}
	what := fmt.Sprintf("a firewall rule sets the %s of packets of the program to %d, so this host does not "+
		"forward them to other networks, such as %s: %s", word, hops, j.packet.To, place(*rule))
	t := j.traffic()
	if unused(*rule) && !j.demanded() || told == 0 && !j.explicit() && (t.sent == 0 || !t.unanswered()) {
		return ok(what + ", but no counter shows such packets")
	}
	return []Finding{{Level: Error, What: what, counted: told, Fixes: fixes(removal(*rule)),
		Means: fmt.Sprintf("forwarding requires at least 2; this host reported %s whose %s was used up (ICMP time "+
			"exceeded), and the program has sent %s", packets(told), word, packets(t.sent))}}
}

// sourceNAT finds packets whose source a rule translates to an address that this host does not have: the answers to
// them do not come here.
func sourceNAT(j *journey) []Finding {
	out, t := j.outlet(), j.traffic()
	if j.walk == nil || j.walk.steps == nil || out == nil || out.Index == j.layer3().Index {
		return nil
	}
	from, rule := j.walk.steps.Origin(), j.walk.steps.Changed(firewall.Source)
	if !from.IsValid() || rule == nil || j.isOwn(from) {
		return nil
	}
	if way, err := j.host.Find(flow.Packet{To: from}); err != nil || way.Local() {
		return nil
	}
	what := fmt.Sprintf("the firewall translates the source of packets to other networks, such as %s, to %s, which "+
		"is not an address of this host: %s", j.packet.To, from, place(*rule))
	if unused(*rule) && !j.demanded() || !t.unanswered() && (t.sent != 0 || !j.explicit()) {
		return ok(what)
	}
	level, means := Warning, "answers reach this host only if another router sends them here"
	for _, a := range own(out) {
		if a.Subnet().Contains(from) {
			level, means = Error, fmt.Sprintf("nobody answers for it in the network of %s, so no answer comes back",
				words.Escape(out.Name))
		}
	}
	return []Finding{{Level: level, What: what, Fixes: []fix.Fix{j.masqueradeFirst(*rule, out.Name),
		fix.Run(ip("addr", "add", from.String(), "dev", out.Name))},
		Means: fmt.Sprintf("%s; the program has sent %s, and received %s", means, packets(t.sent),
			packets(t.received))}}
}

// masqueradeFirst returns the command that translates the source to the current address of a link, before a rule.
func (j *journey) masqueradeFirst(v firewall.Verdict, out string) fix.Fix {
	match := "ip"
	if j.packet.IPv6() {
		match = "ip6"
	}
	subnet := j.subnetOf(j.packet.From).String()
	if tool, lasts := iptables(v, false); tool != "" {
		return fix.Fix{Commands: []fix.Command{fix.InNamespace(tool, "-t", v.Table, "-I", v.Base, "-s", subnet, "-o",
			out, "-j", "MASQUERADE")}, After: "  # " + lasts}
	}
	return fix.Run(fix.InNamespace("nft", "insert", "rule", v.Family, v.Table, v.Base, match, "saddr", subnet,
		"oifname", out, "masquerade"))
}

// unknownConnection finds a firewall that drops packets of the program because connection tracking did not see the
// requests that they answer: these came another way.
func unknownConnection(j *journey) []Finding {
	p, known := j.located(j.packet)
	if !known || j.wall().err != nil || j.frame() {
		return nil
	}
	first := &walk{packet: p, steps: j.wall().rules.Walk(p)} // of a new connection
	p.Established, p.Invalid = true, true
	w := &walk{packet: p, steps: j.wall().rules.Walk(p)}
	hooks := []firewall.Hook{firewall.Prerouting, firewall.Forward, firewall.Postrouting}
	if j.course == fromProgram {
		hooks = []firewall.Hook{firewall.Prerouting, firewall.Input}
	}
	for _, h := range hooks {
		j.place(w, h)
		if j.place(first, h); first.steps.Hook(h).Action > firewall.MayDrop {
			return nil // the firewall drops new connections too, which its own stage finds
		}
		drops := w.steps.Drops(h)
		if len(drops) == 0 || drops[0].Action <= firewall.MayDrop {
			continue
		}
		v, n := drops[0], j.host.Counter(evidence.Tracking, "", "invalid")
		if v.Count != nil {
			n = v.Count.Packets
		}
		b, what := j.blame(n), "the firewall drops packets of the program that belong to no connection that it knows "+
			"(ct state invalid): "+place(v)
		if b.level == OK || !j.traffic().unanswered() || j.dropsNew(p, h, v) {
			return ok(what)
		}
		found := b.finding(what, "the program answers requests that this host did not see, since they came another "+
			"way (asymmetric routing)")
		found[0].Fixes = fixes(j.opening(w, h, drops))
		return found
	}
	return nil
}

// dropsNew reports whether the place that drops a packet also drops new connections of other protocols from its source,
// so that the packets which it counts may be theirs.
func (j *journey) dropsNew(p flow.Packet, h firewall.Hook, at firewall.Verdict) bool {
	const web, any = 443, 40000
	p.Established, p.Invalid, p.ToPort, p.FromPort = false, false, web, any
	return slices.ContainsFunc([]uint8{unix.IPPROTO_TCP, unix.IPPROTO_UDP}, func(protocol uint8) bool {
		p.Protocol = protocol
		w := &walk{packet: p, steps: j.wall().rules.Walk(p)}
		j.place(w, h)
		drops := w.steps.Drops(h)
		return len(drops) > 0 && place(drops[0]) == place(at)
	})
}
