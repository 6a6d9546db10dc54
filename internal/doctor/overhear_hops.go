package doctor

import (
	"fmt"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/trace"
	"github.com/tunadm/tunadm/internal/words"
)

// noteExpired notes an answer to the program that this host does not forward, because its TTL is used up.
func noteExpired(all []*conversation, e trace.Event, p flow.Packet) {
	if !e.ToProgram || e.In == "" || e.Reason != "IP_INHDR" || e.Function != "ip_forward" &&
		e.Function != "ip6_forward" {
		return
	}
	for _, c := range all {
		if c.has(mirror(p)) {
			c.expired++
			c.via = e.In
		}
	}
}

// expiredAnswers finds answers of other networks to the program that arrive with a TTL of 1. Some providers set it, so
// that only this host itself can use its link.
func (v *view) expiredAnswers(c *conversation) []Finding {
	if c.answered || c.expired == 0 {
		return nil
	}
	level := Warning
	if c.expired > 1 {
		level = Error
	}
	const table = "tunadm-hops"
	family, word, match := "ip", "TTL", []string{"ip", "ttl"}
	if c.IPv6() {
		family, word, match = "ip6", "hop limit", []string{"ip6", "hoplimit"}
	}
	rule := append([]string{"nft", "add", "rule", family, table, "prerouting", "iifname", c.via}, match...)
	rule = append(append(append(rule, "1"), match...), "set", "64")
	via := words.Escape(c.via)
	return one(level, fmt.Sprintf("answers of %s to the program arrive through %s with a %s of 1, so this host does "+
		"not forward them (ICMP time exceeded)", c.To, via, word),
		fmt.Sprintf("forwarding requires at least 2: the network behind %s sets the %s for this host alone, as "+
			"providers do against tethering, or the answers have gone round in a loop of routes; the kernel dropped %s",
			via, word, packets(uint64(c.expired))),
		fix.Run(fix.InNamespace("nft", "add", "table", family, table),
			fix.InNamespace("nft", "add", "chain", family, table, "prerouting",
				"{ type filter hook prerouting priority mangle; }"),
			fix.InNamespace(rule...)))
}
