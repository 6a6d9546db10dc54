package doctor

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/firewall"
	"github.com/tunadm/tunadm/internal/fix"
)

// opening returns the fix that lets the packets of a walk pass the chains of a hook that drop them: the narrowest
// rules, by the program that owns the chain, if it is installed.
func (j *journey) opening(w *walk, h firewall.Hook, drops []firewall.Verdict) fix.Fix {
	var f fix.Fix
	for _, v := range drops {
		if v.Action <= firewall.MayDrop {
			continue
		}
		words, lasts := j.rule(w, h, v)
		f.Commands = append(f.Commands, fix.InNamespace(words...))
		f.After = "  # " + lasts
	}
	return f
}

// rule returns the command that adds a rule to a chain, and how it lasts.
func (j *journey) rule(w *walk, h firewall.Hook, v firewall.Verdict) (command []string, lasts string) {
	m := matchOf(h, w)
	if heard := j.view.heard; w.packet.Resolves && j.dropsIP(w, h) && (heard == nil || !heard.Resolves) {
		m.arp, m.nd = false, false // one rule for both
	}
	rules := j.wall().rules
	ufw := rules.Has(v.Family, v.Table, "ufw-user-input", "ufw6-user-input") && installed("ufw", "")
	switch {
	case m.port != 0 && h == firewall.Input && v.Table == "firewalld" && installed("firewall-cmd", ""):
		return []string{"firewall-cmd", "--add-port=" + fmt.Sprint(m.port) + "/" + m.protocol}, reloaded
	case m.port != 0 && h == firewall.Input && ufw:
		return []string{"ufw", "allow", "in", "on", m.in, "to", "any", "port", fmt.Sprint(m.port), "proto",
			m.protocol}, "ufw keeps it"
	case v.Table == "firewalld" && installed("firewall-cmd", "") && m.plain() && h == firewall.Input:
		return []string{"firewall-cmd", "--zone=trusted", "--add-interface=" + m.in}, reloaded
	case ufw && m.plain():
		if h == firewall.Input {
			return []string{"ufw", "allow", "in", "on", m.in}, "ufw keeps it"
		} else if h == firewall.Forward {
			return []string{"ufw", "route", "allow", "in", "on", m.in, "out", "on", m.out}, "ufw keeps it"
		}
	}
	if tool, lasts := iptables(v, m.nd); tool != "" {
		chain := v.Base
		if h == firewall.Forward && rules.Has(v.Family, v.Table, "DOCKER-USER") {
			chain = "DOCKER-USER"
		}
		return m.iptables(tool, v.Table, chain), lasts
	}
	return append(append([]string{"nft", "insert", "rule", v.Family, v.Table, v.Base}, m.nft()...), "accept"),
		"until the ruleset is loaded again: add it to the file of the ruleset, such as /etc/nftables.conf"
}

// dropsIP reports whether a hook that drops the requests for MAC addresses would also drop the packets that follow.
func (j *journey) dropsIP(w *walk, h firewall.Hook) bool {
	p := w.steps.Packet
	p.Resolves, p.Established, p.Protocol = false, w.answer, echo(p.To)
	for _, v := range j.wall().rules.Walk(p).Drops(h) {
		if v.Action > firewall.MayDrop {
			return true
		}
	}
	return false
}

// installed reports whether a program is installed, as a link to a file whose name contains a word.
func installed(program, word string) bool {
	path, err := exec.LookPath(program)
	if err != nil {
		return false
	}
	path, err = filepath.EvalSymlinks(path)
	return err == nil && strings.Contains(filepath.Base(path), word)
}

// iptables returns the program that owns a chain of iptables, and how long its rules last; "": none. iptables-nft has
// no single rule for neighbour discovery.
func iptables(v firewall.Verdict, discovery bool) (tool, lasts string) {
	if name, legacy := strings.CutSuffix(v.Family, "-legacy"); legacy {
		if !installed(v.Family, "") && installed(name, "") && !installed(name, "nft") {
			return name, kept
		}
		return v.Family, "until the next boot: add it to the file or the script that loads the rules"
	}
	name, owns := map[string]string{"ip": "iptables", "ip6": "ip6tables"}[v.Family]
	owns = owns && !discovery && slices.Contains([]string{"filter", "mangle", "raw", "security", "nat"}, v.Table) &&
		slices.Contains([]string{"INPUT", "FORWARD", "OUTPUT", "PREROUTING", "POSTROUTING"}, v.Base)
	for _, tool := range []string{name, name + "-nft"} {
		if owns && installed(tool, "nft") {
			return tool, kept
		}
	}
	return "", ""
}

const reloaded = "until firewalld is reloaded: repeat it with --permanent"

const kept = "until the next boot: netfilter-persistent save keeps it"

// A match is the conditions of a rule.
type match struct {
	in, out string // the devices; "": any
	answers bool   // only packets of connections that exist
	invalid bool   // only packets of connections that are not known
	user    uint32 // only packets of this user, if there is one
	owned   bool   // there is one
	tooBig  bool   // only ICMP messages about packets that are larger than an MTU
	ipv6    bool
	arp     bool // only ARP
	nd      bool // only IPv6 neighbour discovery

	protocol string // only packets of tcp or udp to the port
	port     uint16 // 0: any
	echo     bool   // only echo requests
}

// narrow reports whether a fix is to let packets pass to the port of the packet alone: those of a socket, those that a
// rule leads to a host behind the device, and those that were seen just now.
func (j *journey) narrow() bool {
	return j.at != nil && !j.explicit() || j.socket != nil || j.view.heard != nil
}

// matchOf returns the conditions for the packets of a walk.
func matchOf(h firewall.Hook, w *walk) match {
	m := match{in: w.steps.In, out: w.steps.Out, tooBig: w.packet.TooBig, ipv6: w.packet.IPv6()}
	m.arp = w.packet.Resolves && !m.ipv6 && h != firewall.ARPInput && h != firewall.ARPOutput
	m.nd = w.packet.Resolves && m.ipv6
	tracked := h != firewall.Ingress && h != firewall.Egress && !w.packet.Resolves
	m.answers = w.answer && tracked
	m.invalid = w.packet.Invalid
	switch p := w.packet; {
	case !w.narrow || w.answer:
	case p.ToPort != 0 && (p.Protocol == unix.IPPROTO_TCP || p.Protocol == unix.IPPROTO_UDP):
		m.protocol, m.port = strings.ToLower(protocolName(p.Protocol)), w.port()
	case w.heard:
		m.echo = p.Protocol == echo(p.To)
	}
	m.user, m.owned = w.packet.UID, w.packet.Sender
	switch h {
	case firewall.Output, firewall.Egress, firewall.BridgeOutput, firewall.ARPOutput:
		m.in = ""
	case firewall.Ingress, firewall.Prerouting, firewall.Input, firewall.BridgePrerouting, firewall.BridgeInput,
		firewall.ARPInput:
		m.out = ""
	}
	return m
}

// port returns the destination port of a packet as the rules before have changed it.
func (w *walk) port() uint16 {
	if to := w.steps.Goal(); to.Port() != 0 {
		return to.Port()
	}
	return w.packet.ToPort
}

// plain reports whether the only conditions are devices.
func (m match) plain() bool {
	return m.port == 0 && !m.echo && !m.answers && !m.tooBig && !m.arp && !m.nd && !m.invalid && !m.owned
}

func (m match) nft() (words []string) {
	if m.in != "" {
		words = append(words, "iifname", m.in)
	}
	if m.out != "" {
		words = append(words, "oifname", m.out)
	}
	switch {
	case m.port != 0:
		words = append(words, m.protocol, "dport", fmt.Sprint(m.port))
	case m.echo && m.ipv6:
		words = append(words, "icmpv6", "type", "echo-request")
	case m.echo:
		words = append(words, "icmp", "type", "echo-request")
	case m.nd:
		words = append(words, "icmpv6", "type", "{ nd-neighbor-solicit, nd-neighbor-advert }")
	case m.arp:
		words = append(words, "ether", "type", "arp")
	case m.tooBig && m.ipv6:
		words = append(words, "icmpv6", "type", "packet-too-big")
	case m.tooBig:
		words = append(words, "icmp", "type", "destination-unreachable", "icmp", "code", "frag-needed")
	case m.answers:
		words = append(words, "ct", "state", "established,related")
	case m.invalid:
		words = append(words, "ct", "state", "invalid")
	case m.owned:
		words = append(words, "meta", "skuid", fmt.Sprint(m.user))
	}
	return words
}

func (m match) iptables(tool, table, chain string) (words []string) {
	words = []string{tool}
	if table != "filter" {
		words = append(words, "-t", table)
	}
	words = append(words, "-I", chain)
	if m.in != "" {
		words = append(words, "-i", m.in)
	}
	if m.out != "" {
		words = append(words, "-o", m.out)
	}
	switch {
	case m.port != 0:
		words = append(words, "-p", m.protocol, "--dport", fmt.Sprint(m.port))
	case m.echo && m.ipv6:
		words = append(words, "-p", "ipv6-icmp", "--icmpv6-type", "echo-request")
	case m.echo:
		words = append(words, "-p", "icmp", "--icmp-type", "echo-request")
	case m.nd:
		words = append(words, "-p", "ipv6-icmp")
	case m.tooBig && m.ipv6:
		words = append(words, "-p", "ipv6-icmp", "--icmpv6-type", "packet-too-big")
	case m.tooBig:
		words = append(words, "-p", "icmp", "--icmp-type", "fragmentation-needed")
	case m.answers:
		words = append(words, "-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED")
	case m.invalid:
		words = append(words, "-m", "conntrack", "--ctstate", "INVALID")
	case m.owned:
		words = append(words, "-m", "owner", "--uid-owner", fmt.Sprint(m.user))
	}
	return append(words, "-j", "ACCEPT")
}
