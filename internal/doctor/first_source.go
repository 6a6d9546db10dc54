package doctor

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/words"
)

// withoutAnswers finds out why packets of this host get no answer, although they pass the device as they should.
func (v *view) withoutAnswers(conversations []*conversation) []Finding {
	if found := v.firstSource(conversations); found != nil {
		return found
	}
	return v.silentHost(conversations)
}

// firstSource finds an address of the device from which nothing is answered, while hosts behind it answer packets from
// another one, if the kernel chose it as the source: the route names none, so the first address is taken.
func (v *view) firstSource(all []*conversation) []Finding {
	answered := func(from netip.Addr) bool {
		return slices.ContainsFunc(all, func(c *conversation) bool { return c.answered && c.From == from })
	}
	for _, c := range all {
		if !c.unanswered() || c.stray || c.scan || c.lost != "" || !v.isOwn(c.From) || answered(c.From) {
			continue
		}
		if found := v.otherFirst(c, answered); found != nil {
			return v.noted("source", found, c)
		}
	}
	return nil
}

// otherFirst reports that the kernel chose the source of a conversation, and another address of the device is answered.
func (v *view) otherFirst(c *conversation, answered func(netip.Addr) bool) []Finding {
	layer3, plain := v.layer3(), flow.Packet{To: c.To}
	way, err := v.host.Find(plain)
	if err != nil || way.Refusal != 0 || way.Index != layer3.Index || way.Source != c.From || way.Via.IsValid() ||
		v.onSubnet(layer3, c.To) {
		return nil
	}
	match, err := v.host.Match(plain)
	if err != nil || match.Source.IsValid() || match.Special {
		return nil
	}
	var first, better string
	for _, a := range own(layer3) {
		switch {
		case a.Local == c.From:
			first = a.String()
		case better == "" && a.Local.Is6() == c.From.Is6() && answered(a.Local):
			better = a.Local.String()
		}
	}
	if first == "" || better == "" {
		return nil
	}
	name := layer3.Name
	change := append(family(c.To), "route", "change", match.To.String(), "dev", name, "src", better)
	if match.Metric != 0 {
		change = append(change, "metric", fmt.Sprint(match.Metric))
	}
	remove := fix.Run(ip("addr", "del", first, "dev", name))
	remove.Before = "if nothing uses it any more: "
	what := fmt.Sprintf("packets to %s have the source %s, and get no answers, but packets from %s, another address "+
		"of %s, do", c.To, c.From, better, words.Escape(name))
	return one(Warning, what, fmt.Sprintf("the route to %s names no source, so the kernel takes the first address; "+
		"the other end may have no way back to it, as to a previous address", match.To),
		fix.Run(ip(inTable(change, match.Table)...)), remove)
}
