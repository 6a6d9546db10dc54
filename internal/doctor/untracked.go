package doctor

import (
	"fmt"
	"strings"

	"github.com/tunadm/tunadm/internal/firewall"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/words"
)

// untracked finds packets of the program that leave with their own source, or answers that are not translated back,
// because a rule takes them out of connection tracking: the rules that translate addresses do not see these.
func untracked(j *journey) []Finding {
	out, t := j.outlet(), j.traffic()
	p, known := j.located(j.packet)
	if out == nil || out.Index == j.layer3().Index || !known || j.refused || j.frame() || j.wall().err != nil ||
		!j.explicit() && !t.unanswered() {
		return nil
	}
	rule, which := j.wall().rules.Untracks(p), "packets of the program"
	var fixes []fix.Fix
	effect := fmt.Sprintf("they leave through %s from %s, although another rule translates their source",
		words.Escape(out.Name), p.From)
	if rule != nil {
		fixes = []fix.Fix{j.track(*rule, p)}
	} else {
		rule, which = j.untracksAnswer(p), "answers to the program"
		effect = "their destination, an address of this host, is not translated back to " + p.From.String()
	}
	if rule == nil {
		return nil
	}
	what := fmt.Sprintf("the firewall takes %s, such as %s, out of connection tracking (notrack): %s", which, p,
		place(*rule))
	if unused(*rule) && !j.demanded() || j.answersCome(p.To) && !j.explicit() {
		return ok(what)
	}
	level := Warning
	if heard := j.view.heard; heard != nil && heard.repeated() {
		level = Error
	}
	j.refused = true
	return one(level, what, effect, append(fixes, removal(*rule))...)
}

// untracksAnswer returns the rule that takes the answers to a packet with a translated source out of connection
// tracking, or nil.
func (j *journey) untracksAnswer(p flow.Packet) *firewall.Verdict {
	out := j.outlet()
	if is, known := j.wall().rules.MasqueradesFor(p); !is || !known {
		return nil
	}
	for _, a := range own(out) {
		if a.Local.Is6() != p.IPv6() || !usable(a) {
			continue
		}
		back := flow.Packet{From: p.To, To: a.Local, Protocol: p.Protocol, FromPort: p.ToPort, ToPort: p.FromPort,
			In: out.Name, InIndex: out.Index, Established: true}
		w := j.wall().rules.Walk(back)
		w.Hook(firewall.Prerouting)
		return w.Changed(firewall.Tracking)
	}
	return nil
}

// track returns the rule that lets packets of the program pass before another rule takes them out of connection
// tracking: those of the question, or those that were seen.
func (j *journey) track(v firewall.Verdict, p flow.Packet) fix.Fix {
	m := match{in: j.layer3().Name, ipv6: p.IPv6(), echo: j.exact() && p.Protocol == echo(p.To)}
	if p.ToPort != 0 {
		m.protocol, m.port = strings.ToLower(protocolName(p.Protocol)), p.ToPort
	}
	if tool, lasts := iptables(v, false); tool != "" {
		return fix.Fix{Commands: []fix.Command{fix.InNamespace(m.iptables(tool, v.Table, v.Base)...)},
			After: "  # " + lasts}
	}
	return fix.Run(fix.InNamespace(append(append([]string{"nft", "insert", "rule", v.Family, v.Table, v.Base},
		m.nft()...), "accept")...))
}
