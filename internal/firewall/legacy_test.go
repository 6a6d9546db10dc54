package firewall

import (
	"fmt"
	"net/netip"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/nstest"
)

// needLegacyTables skips a test if the kernel is built without the tables of iptables-legacy.
func needLegacyTables(t *testing.T) {
	t.Helper()
	nstest.NeedProgram(t, "iptables-legacy-restore")
	if out, err := exec.Command("iptables-legacy", "-S").CombinedOutput(); err != nil {
		nstest.Skip(t, fmt.Sprintf("requires the tables of iptables-legacy: %s", out))
	}
}

// TestTheKernelAgreesOnLegacyTables loads random tables of iptables-legacy and sends packets: what is evaluated as
// passed arrives, and what is evaluated as dropped does not.
func TestTheKernelAgreesOnLegacyTables(t *testing.T) {
	l := newLab(t)
	needLegacyTables(t)
	c := agree(l, 3)
	for range 60 {
		before := c.flows(l)
		tool, ipv6 := "iptables-legacy-restore", c.IntN(2) == 0
		if ipv6 {
			tool = "ip6tables-legacy-restore"
		}
		rules := c.legacyTable(ipv6)
		restore(t, tool, rules)
		rs := l.rules()
		if len(rs.Unread) > 0 {
			t.Fatal(rs.Unread)
		}
		for _, trip := range append(before, c.trips(l)...) {
			c.send(rs, trip, rules)
		}
		rs.Close()
		empty, _, _ := strings.Cut(regexp.MustCompile(`:x. .*\n`).ReplaceAllString(rules, ""), "-A")
		restore(t, tool, strings.ReplaceAll(empty, " DROP ", " ACCEPT ")+"COMMIT\n")
	}
	c.end(5, 10)
}

// TestLegacyCounters compares the rules, policies and counters of a table with those of iptables-legacy-save.
func TestLegacyCounters(t *testing.T) {
	l := newLab(t)
	needLegacyTables(t)
	const rules = `*filter
:FORWARD ACCEPT [0:0]
:OUTPUT DROP [7:700]
:x - [0:0]
[1:84] -A FORWARD -i tun+ ! -o vpn1 -g x
[2:168] -A x ! -s 10.0.0.0/8 -p udp -j REJECT
[3:9] -A x -m statistic --mode nth --every 2 --packet 0 -j DROP
COMMIT
`
	restore(t, "iptables-legacy-restore", rules)
	restore(t, "ip6tables-legacy-restore", "*filter\n[5:50] -A INPUT -s fd00::/16 -j DROP\nCOMMIT\n")
	rs := l.rules()
	defer rs.Close()
	filter := func(family uint8, name string) *chain { return rs.chains[place{family, "filter", name}] }
	output, forward, input6 := filter(legacyIPv4, "OUTPUT"), filter(legacyIPv4, "FORWARD"), filter(legacyIPv6, "INPUT")
	if !output.drops || *output.counter != (Counter{7, 700}) {
		t.Errorf("got %+v", output)
	}
	if forward.drops || *forward.rules[0].counter() != (Counter{1, 84}) {
		t.Errorf("got %+v", forward)
	}
	if *input6.rules[0].counter() != (Counter{5, 50}) {
		t.Errorf("got %+v", input6)
	}
	for _, c := range []struct{ from, want string }{
		{"10.3.0.1", "may drop rule 2 of iptables-legacy filter x: match statistic drop"},
		{"11.3.0.1", "reject rule 1 of iptables-legacy filter x: ip saddr != 10.0.0.0/8 meta l4proto udp REJECT"},
	} {
		p := l.arriving(0, true, false, unix.IPPROTO_UDP, 1).Packet
		p.Out = "eth0"
		p.From = netip.MustParseAddr(c.from)
		v := rs.Walk(p).Hook(Forward)
		if got := fmt.Sprintf("%s rule %d of %s %s %s: %s", v.Action, v.Number, v.Family, v.Table, v.Chain,
			v.Rule); got != c.want {
			t.Errorf("from %s: got %s, want %s", c.from, got, c.want)
		}
	}
}

// restore loads a table.
func restore(t *testing.T, tool, rules string) {
	t.Helper()
	cmd := exec.Command(tool, "-c")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s\n%s", tool, err, out, rules)
	}
}

// legacyTable returns a table with chains.
func (g *generator) legacyTable(ipv6 bool) string {
	table := g.one("filter", "filter", "filter", "mangle", "raw")
	hooks := map[string][]string{"filter": {"INPUT", "FORWARD", "OUTPUT"}, "raw": {"PREROUTING", "OUTPUT"},
		"mangle": {"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}}[table]
	var b strings.Builder
	fmt.Fprintf(&b, "*%s\n:x1 - [0:0]\n:x2 - [0:0]\n", table)
	for _, hook := range hooks {
		fmt.Fprintf(&b, ":%s %s [0:0]\n", hook, g.one("ACCEPT", "ACCEPT", "DROP"))
	}
	for level, chain := range append([]string{"", "x1", "x2"}, hooks...) {
		if chain == "" {
			continue
		}
		for range 1 + g.IntN(3) {
			fmt.Fprintf(&b, "-A %s", chain)
			for range g.IntN(3) {
				b.WriteString(" " + g.legacyCondition(b.String(), chain, table, ipv6))
			}
			b.WriteString(g.legacyTarget(level, chain, table) + "\n")
		}
	}
	return b.String() + "COMMIT\n"
}

func (g *generator) legacyTarget(level int, chain, table string) string {
	all := []string{" -j ACCEPT", " -j DROP", " -j ACCEPT", " -j RETURN", ""}
	if level != 2 {
		all = append(all, " -j x2", " -g x2")
	}
	if level > 2 {
		all = append(all, " -j x1", " -g x1")
	}
	if table == "mangle" {
		all = append(all, " -j MARK --set-mark 5")
	}
	if table == "filter" && chain != "x1" && chain != "x2" {
		all = append(all, " -j REJECT")
	}
	return g.one(all...)
}

// legacyCondition returns a condition that the last line does not have yet.
func (g *generator) legacyCondition(rules, chain, table string, ipv6 bool) string {
	line := rules[strings.LastIndex(rules, "\n"):]
	var all []string
	add := func(option string, conditions ...string) {
		if !strings.Contains(line, " "+option+" ") {
			all = append(all, conditions...)
		}
	}
	if chain != "OUTPUT" && chain != "POSTROUTING" {
		add("-i", "-i tun0", "! -i tun0", "-i vpn+", "-i lo")
	}
	if chain == "FORWARD" || chain == "OUTPUT" || chain == "POSTROUTING" {
		add("-o", "-o tun0", "! -o vpn1", "-o tun+")
	}
	if table != "raw" {
		add("-m conntrack", "-m conntrack --ctstate NEW", "-m conntrack --ctstate ESTABLISHED,RELATED",
			"-m conntrack ! --ctstate INVALID")
	}
	add("-m mark", "-m mark --mark 5", "-m mark ! --mark 1/1")
	add("-p", "-p udp --dport 5000:5001", "-p udp -m multiport --dports 5000,5002:5003", "-p tcp ! --dport 5001",
		"-p udp --sport 1024:65535", "! -p tcp", "-p tcp --syn")
	if ipv6 {
		add("-s", "-s fd00:0::/64", "! -s fd00:1::2")
		add("-d", "-d fd00:1::2", "! -d fd00::/64")
		add("-p", "-p ipv6-icmp --icmpv6-type echo-request")
	} else {
		add("-s", "-s 10.0.0.0/24", "! -s 10.1.0.2", "-s 10.0.0.2/255.0.255.255")
		add("-d", "-d 10.1.0.0/16", "! -d 10.0.0.1", "-f -d 10.0.0.0/8")
		add("-p", "-p icmp --icmp-type echo-request")
	}
	if len(all) == 0 {
		return ""
	}
	return g.one(all...)
}
