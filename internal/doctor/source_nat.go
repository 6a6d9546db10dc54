package doctor

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/firewall"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/words"
)

// translatedInto finds a rule for packets to other networks that also translates those of this host into the device:
// they have the address of another link there, and the answers to that address do not come back. If other hosts
// answer it, the translation is meant.
func (v *view) translatedInto(c *conversation, all []*conversation) []Finding {
	dev, holder := v.layer3(), v.holderOf(c.From)
	answers := func(o *conversation) bool { return o.answered && o.From == c.From }
	if c.answered || c.dropped || c.stray || holder == nil || holder.Index == dev.Index ||
		holder.Index == v.device.Index || v.wall().err != nil || slices.ContainsFunc(all, answers) {
		return nil
	}
	before := v.untranslated(c)
	if before == nil {
		return nil
	}
	from := before.From.Addr()
	w := v.wall().rules.Walk(flow.Packet{From: from, To: before.To.Addr(), Protocol: c.Protocol,
		FromPort: before.From.Port(), ToPort: before.To.Port(), Out: dev.Name, OutIndex: dev.Index})
	for _, h := range []firewall.Hook{firewall.Output, firewall.Postrouting} {
		w.Hook(h)
	}
	rule := w.Changed(firewall.Source)
	if rule == nil || w.Origin() != c.From {
		return nil
	}
	level := Warning
	if c.repeated() {
		level = Error
	}
	return one(level, fmt.Sprintf("the firewall translates the source of packets of this host to %s from %s to %s, "+
		"the address of %s: %s", c.To, from, c.From, words.Escape(holder.Name), place(*rule)),
		"the rule is for packets to other networks (SNAT), and also matches those into the device, where nobody "+
			"answers that address", untranslate(*rule, from, dev.Name))
}

// untranslated returns the tracked connection of a conversation whose source was an address of the device before it was
// translated, and that has no answer; nil: there is none.
func (v *view) untranslated(c *conversation) *evidence.Connection {
	const most = 20000
	if now, _ := v.host.Tracked(); now > most {
		return nil
	}
	every := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if c.From.Is6() {
		every = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	for _, t := range v.host.Connections(every) {
		holder := v.holderOf(t.From.Addr())
		if t.SourceNAT && !t.Replied && t.Protocol == c.Protocol && t.Answers.Addr() == c.From &&
			t.Answerer.Addr() == c.To && (c.ToPort == 0 || t.Answerer.Port() == c.ToPort) && holder != nil &&
			holder.Index == v.layer3().Index {
			return &t
		}
	}
	return nil
}

// untranslate returns the rule that accepts packets of an address into a device before another rule translates them.
func untranslate(v firewall.Verdict, from netip.Addr, out string) fix.Fix {
	if tool, lasts := iptables(v, false); tool != "" {
		return fix.Fix{Commands: []fix.Command{fix.InNamespace(tool, "-t", v.Table, "-I", v.Base, "-s", from.String(),
			"-o", out, "-j", "ACCEPT")}, After: "  # " + lasts}
	}
	match := map[bool]string{false: "ip", true: "ip6"}[from.Is6()]
	return fix.Run(fix.InNamespace("nft", "insert", "rule", v.Family, v.Table, v.Base, match, "saddr", from.String(),
		"oifname", out, "accept"))
}
