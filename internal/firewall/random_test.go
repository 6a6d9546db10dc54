package firewall

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTheKernelAgrees loads random rulesets, TUNADM_TEST_RULESETS of them, and sends packets.
func TestTheKernelAgrees(t *testing.T) {
	l := newLab(t)
	count := 60
	if n, err := strconv.Atoi(os.Getenv("TUNADM_TEST_RULESETS")); err == nil {
		count = n
	}
	c, refused := agree(l, 1), 0
	for range count {
		before := c.flows(l)
		rules := c.ruleset()
		if err := l.load(rules); err != nil {
			refused++
			t.Log(err)
			if refused > 5+count/10 {
				t.Fatalf("seed %d: %v\n%s", c.seed, err, rules)
			}
			continue
		}
		rs := l.rules()
		for _, trip := range append(before, c.trips(l)...) {
			c.send(rs, trip, rules)
		}
		rs.Close()
		if err := l.load("delete table " + c.table(rules)); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d rulesets, %d refused by nft", count, refused)
	c.end(20, 10)
}

// evaluate returns the verdict of the whole way.
func evaluate(rs *Ruleset, t trip) Verdict {
	w := rs.Walk(t.Packet)
	may := Verdict{}
	for _, h := range t.hooks {
		switch v := w.Hook(h); {
		case v.Action > MayDrop:
			return v
		case v.Action == MayDrop:
			may = v
		}
	}
	return may
}

// A generator makes rulesets and packets.
type generator struct{ *rand.Rand }

func (g *generator) one(of ...string) string { return of[g.IntN(len(of))] }

func (g *generator) port() uint16 { return uint16(5000 + g.IntN(4)) }

// trips returns packets on all ways.
func (g *generator) trips(l *lab) (all []trip) {
	for _, ipv6 := range []bool{false, true} {
		icmp := uint8(unix.IPPROTO_ICMP)
		if ipv6 {
			icmp = unix.IPPROTO_ICMPV6
		}
		for _, protocol := range []uint8{unix.IPPROTO_UDP, unix.IPPROTO_TCP, icmp} {
			side := g.IntN(2)
			all = append(all, l.arriving(side, false, ipv6, protocol, g.port()),
				l.arriving(side, true, ipv6, protocol, g.port()))
		}
		all = append(all, l.leaving(g.IntN(2), ipv6, g.port()))
	}
	return all
}

// flows begins connections, and returns their answers.
func (g *generator) flows(l *lab) (answers []trip) {
	for _, t := range []trip{l.leaving(g.IntN(2), g.IntN(2) == 0, g.port()),
		l.arriving(g.IntN(2), true, g.IntN(2) == 0, unix.IPPROTO_UDP, g.port())} {
		if !l.passes(t) {
			l.Fatalf("%+v is lost without a firewall", t)
		}
		answers = append(answers, l.answer(t))
	}
	return answers
}

// table returns the name of the table of a ruleset.
func (g *generator) table(rules string) string {
	return strings.Join(strings.Fields(rules)[1:3], " ")
}

// ruleset returns a table with chains.
func (g *generator) ruleset() string {
	family := g.one("inet", "inet", "inet", "ip", "ip6", "netdev")
	var b strings.Builder
	fmt.Fprintf(&b, "table %s t {\n", family)
	b.WriteString("\tset names { type ifname; elements = { \"vpn1\", \"eth0\" }; }\n")
	b.WriteString("\tset ports { type inet_service; flags interval; elements = { 5000-5001, 7000 }; }\n")
	hooks := []string{"prerouting", "input", "forward", "output", "postrouting"}
	if family == "netdev" {
		hooks = []string{"ingress device tun0", "ingress devices = { tun0, vpn1 }"}
	}
	const inner = 3
	for i := inner; i > 0; i-- {
		fmt.Fprintf(&b, "\tchain x%d {\n%s\t}\n", i, g.rules(family, "", i))
	}
	for i := range 1 + g.IntN(4) {
		hook := hooks[g.IntN(len(hooks))]
		priority := g.IntN(9) - 4
		if g.IntN(4) == 0 {
			priority -= 300 // before connection tracking
		}
		fmt.Fprintf(&b, "\tchain b%d {\n\t\ttype filter hook %s priority %d; policy %s;\n%s\t}\n", i, hook, priority,
			g.one("accept", "accept", "drop"), g.rules(family, hook, 0))
	}
	return b.String() + "}\n"
}

func (g *generator) rules(family, hook string, level int) string {
	var b strings.Builder
	for range 1 + g.IntN(4) {
		for rule := g.rule(family, hook, level); ; rule = g.rule(family, hook, level) {
			if !contradicts(rule) {
				b.WriteString("\t\t" + rule + "\n")
				break
			}
		}
	}
	return b.String()
}

func (g *generator) rule(family, hook string, level int) string {
	var b strings.Builder
	for range g.IntN(3) {
		b.WriteString(g.condition(family, hook) + " ")
	}
	b.WriteString(g.one("", "", "counter ", "meta mark set 0x5 ", "meta mark set mark or 0x2 ",
		"meta mark set udp dport map { 5000 : 1, 5001 : 5 } "))
	return b.String() + g.verdict(family, hook, level)
}

// contradicts reports whether nft refuses a rule, since it asks for two protocols.
func contradicts(rule string) bool {
	several := func(patterns ...string) bool {
		n := 0
		for _, p := range patterns {
			if regexp.MustCompile(p).MatchString(rule) {
				n++
			}
		}
		return n > 1
	}
	return strings.Contains(rule, "iiftype") && regexp.MustCompile(`\bip6? |icmp|reject`).MatchString(rule) ||
		several(`udp [ds]port|proto(col)? udp|nexthdr udp`, `tcp (dport|flags)`, `icmp (type|code)`, `icmpv6 type`,
			`l4proto {|!= udp`) ||
		several(`\bip |icmp `, `\bip6 [sdn]|icmpv6 `, `meta (protocol|nfproto)`)
}

func (g *generator) verdict(family, hook string, level int) string {
	all := []string{"accept", "drop", "accept", "return", "continue", ""}
	for i := level + 1; i <= 3; i++ {
		all = append(all, fmt.Sprintf("jump x%d", i), fmt.Sprintf("goto x%d", i),
			fmt.Sprintf("udp dport vmap { 5000 : drop, 5001 : accept, 5002-5003 : jump x%d }", i),
			fmt.Sprintf("iifname vmap { \"tun0\" : jump x%d, \"vpn*\" : return }", i))
	}
	if hook == "input" || hook == "forward" || hook == "output" {
		all = append(all, "reject")
	}
	if family != "netdev" {
		all = append(all, "ct state vmap { established : accept, new : continue, invalid : drop }")
	}
	return g.one(all...)
}

// condition returns one condition that nft accepts in the family.
func (g *generator) condition(family, hook string) string {
	all := []string{
		"iifname tun0", "iifname != tun0", "iifname \"vpn*\"", "iifname { tun0, lo }", "iifname @names", "iif vpn1",
		"iif != vpn1", "iifname != @names", "iif { tun0, vpn1 }", "meta iifkind \"tun\"", "meta iiftype 65534",
		"meta l4proto udp", "meta l4proto != udp", "meta l4proto { tcp, udp }", "meta l4proto { icmp, ipv6-icmp }",
		"udp dport 5000", "udp dport != 5000", "udp dport 5001-5002", "udp dport @ports",
		"th dport { 5000, 5002-5003 }",
		"udp dport > 5001", "udp sport < 1024", "tcp dport 5001", "tcp flags syn", "th dport & 1 == 1",
		"meta mark 0x5", "meta mark != 0x5", "meta mark & 0x2 == 0x2", "meta mark 0x1-0x4",
		"meta mark { 0x1, 0x5-0x7 }",
		"iifname . udp dport { tun0 . 5000, vpn1 . 5001 }", "meta l4proto . th dport { udp . 5000-5002 }",
		"meta length < 100", "meta protocol ip", "meta protocol { ip, ip6 }", "meta pkttype host",
	}
	if family != "netdev" {
		all = append(all, "ct state new", "ct state established", "ct state != new",
			"ct state { established, related }",
			"ct state invalid", "ct mark 0", "ct status snat", "ct direction original",
			"ct state . meta l4proto { new . udp, established . udp }")
	}
	if hook == "prerouting" || hook == "input" || hook == "forward" {
		all = append(all, "fib daddr type local", "fib daddr type { unicast, multicast }", "fib saddr type != local")
	}
	if hook == "prerouting" || hook == "input" {
		all = append(all, "fib saddr . iif oif missing", "fib saddr . mark oif exists", "fib saddr . iif oif != 0",
			"fib saddr oif tun0")
	}
	if family == "inet" {
		all = append(all, "meta nfproto ipv4")
	}
	if family != "ip6" {
		all = append(all, "ip saddr 10.0.0.0/24", "ip saddr != 10.0.0.0/24", "ip saddr 10.0.0.2-10.0.0.9",
			"ip daddr { 10.1.0.2, 10.0.0.1 }", "ip protocol udp", "ip version 4", "icmp type echo-request",
			"icmp type { echo-reply, echo-request }",
			"ip saddr . udp dport { 10.0.0.2 . 5000, 10.1.0.0/24 . 5001-5002 }",
			"ip daddr & 0.255.0.0 == 0.1.0.0", "ip frag-off & 0x1fff != 0", "ip saddr != { 10.0.0.0/24 }",
			"ip dscp cs1",
			"icmp code 0", "ip ttl < 2")
	}
	if family != "ip" {
		all = append(all, "ip6 saddr fd00:0::/64", "ip6 daddr != fd00:1::2", "icmpv6 type echo-request",
			"ip6 nexthdr udp", "ip6 saddr . th dport { fd00::2 . 5000, fd00:1::2 . 5003 }")
	}
	if hook == "forward" || hook == "output" || hook == "postrouting" {
		all = append(all, "oifname tun0", "oifname \"vpn*\"", "oif { vpn1 }", "oifname @names", "meta oifkind \"tun\"")
	}
	return g.one(all...)
}
