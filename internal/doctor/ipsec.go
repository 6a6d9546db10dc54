package doctor

import (
	"fmt"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// encrypted finds an IPsec policy that keeps packets of this host away from the device: it blocks them, nobody can
// encrypt them, or they leave in a tunnel.
func encrypted(j *journey) []Finding {
	p, known := j.located(j.packet)
	if !known || j.course != toProgram || j.spared(j.layer3(), "disable_xfrm") {
		return nil
	}
	return j.encrypts(p, "packets to "+p.To.String())
}

// encrypts judges the policy for packets that leave.
func (j *journey) encrypts(p flow.Packet, those string) []Finding {
	c := j.host.Policy(evidence.PolicyOut, p)
	if c == nil {
		return nil
	}
	if found := j.keeps(c, p, those); found != nil {
		return found
	}
	remove := j.without(*c, p)
	for _, t := range c.Templates {
		if t.Optional {
			continue
		}
		way, err := j.host.Find(flow.Packet{To: t.To, Mark: p.Mark})
		if out := j.byIndex(way.Index); t.Tunnel && err == nil && out != nil && way.Refusal == 0 &&
			way.Index != j.layer3().Index {
			return one(Error, fmt.Sprintf("IPsec sends %s encrypted to %s, through %s: %s", those, t.To,
				words.Escape(out.Name), policyWords(*c)), "the policy applies before the device of the route",
				remove...)
		}
	}
	return ok("the IPsec policy passes " + those)
}

// keeps finds a policy by which packets do not leave: it blocks them, or no state encrypts them.
func (j *journey) keeps(c *evidence.Policy, p flow.Packet, those string) []Finding {
	if c.Block {
		return one(Error, "an IPsec policy blocks "+those+": "+policyWords(*c), j.counted("XfrmOutPolBlock"),
			j.without(*c, p)...)
	}
	for _, t := range c.Templates {
		if !t.Optional && !j.host.HasState(t) {
			return one(Error, "an IPsec policy requires that "+those+" are encrypted, and no state (SA) encrypts "+
				"them: "+policyWords(*c), j.counted("XfrmOutNoStates"), j.without(*c, p)...)
		}
	}
	return nil
}

// encryptedOutside finds such a policy for packets that leave through another link: those of the program that this host
// forwards, or those of its own sockets. A policy that encrypts them is usual: it is a tunnel to another network.
func (j *journey) encryptedOutside(p flow.Packet, those string) []Finding {
	out := j.byIndex(p.OutIndex)
	if out == nil || j.spared(out, "disable_xfrm") {
		return nil
	}
	c := j.host.Policy(evidence.PolicyOut, p)
	if c == nil {
		return nil
	}
	counter, t := "XfrmOutNoStates", j.traffic()
	if c.Block {
		counter = "XfrmOutPolBlock"
	}
	found, n := j.keeps(c, p, those), j.host.Counter("xfrm_stat", "", counter)
	switch proved := n > 0 && t.unanswered() && !j.carried() || n > 0 && t.sent == 0 && j.carried(); {
	case found == nil || j.exact() || proved:
	case j.explicit() && !j.carried():
		found[0].Level = Warning
	default:
		return ok(found[0].What)
	}
	return found
}

// encryptedOwn finds a policy that keeps the packets of the program's own sockets.
func encryptedOwn(j *journey) []Finding {
	return j.encryptedOutside(j.packet, j.carriedWords(false))
}

// decrypted finds an IPsec policy by which this host accepts packets of the program only if they were encrypted.
func decrypted(j *journey) []Finding {
	direction, those := uint8(evidence.PolicyIn), "packets of the program to this host"
	if j.course == through {
		direction, those = evidence.PolicyForward, "packets of the program to "+j.packet.To.String()
	}
	if j.frame() || j.spared(j.layer3(), "disable_policy") {
		return nil
	}
	if found := j.refuses(direction, those); found != nil || j.course != through {
		return found
	}
	if p, known := j.located(j.packet); known && p.OutIndex != j.layer3().Index {
		if found := j.encryptedOutside(p, those); found != nil && found[0].Level < Unknown {
			return found
		}
	}
	p := j.packet
	p.From, p.To, p.FromPort, p.ToPort, p.In, p.InIndex = p.To, p.From, p.ToPort, p.FromPort, "", 0
	p.OutIndex = j.layer3().Index
	if !j.traffic().unanswered() && !j.explicit() {
		return nil
	}
	return j.encrypts(p, "answers to the program")
}

func (j *journey) refuses(direction uint8, those string) []Finding {
	c := j.host.Policy(direction, j.packet)
	if c == nil || !c.Block && !requires(*c) {
		return nil
	}
	what, counter := "an IPsec policy accepts "+those+" only if they were encrypted: ", "XfrmInTmplMismatch"
	if c.Block {
		what, counter = "an IPsec policy blocks "+those+": ", "XfrmInPolBlock"
	}
	n, t := j.host.Counter("xfrm_stat", "", counter), j.traffic()
	if n == 0 && !j.explicit() || t.sent == 0 && !j.explicit() {
		return ok(what + policyWords(*c))
	}
	return []Finding{{Level: Error, What: what + policyWords(*c), Means: j.counted(counter), counted: n,
		Fixes: j.without(*c, j.packet)}}
}

// requires reports whether a policy requires encryption.
func requires(c evidence.Policy) bool {
	for _, t := range c.Templates {
		if !t.Optional {
			return true
		}
	}
	return false
}

// spared reports whether a sysctl exempts packets of a link from IPsec.
func (j *journey) spared(l *netcfg.Device, name string) bool {
	family := "ipv4"
	if j.packet.IPv6() {
		family = "ipv6"
	}
	for _, where := range []string{"all", l.Name} {
		if value, _ := j.setting(family, where, name); value == "1" {
			return true
		}
	}
	return false
}

// counted returns a counter of IPsec as evidence.
func (j *journey) counted(name string) string {
	return fmt.Sprintf("IPsec has dropped %s for it (%s)", packets(j.host.Counter("xfrm_stat", "", name)), name)
}

// policyWords returns a policy as ip(8) prints it.
func policyWords(c evidence.Policy) string {
	command := fix.Command{Words: selectorOf(c)}.String()
	if c.Block {
		return command + " action block"
	}
	for _, t := range c.Templates {
		command += fmt.Sprintf(" tmpl src %s dst %s proto %s", t.From, t.To, map[uint8]string{unix.IPPROTO_ESP: "esp",
			unix.IPPROTO_AH: "ah", unix.IPPROTO_COMP: "comp"}[t.Protocol])
		if t.Tunnel {
			command += " mode tunnel"
		}
	}
	return command
}

func selectorOf(c evidence.Policy) []string {
	selector := []string{"dir", [...]string{"in", "out", "fwd"}[c.Direction], "src", c.From.String(), "dst",
		c.To.String()}
	if c.Protocol != 0 {
		selector = append(selector, "proto", strconv.Itoa(int(c.Protocol)))
	}
	for word, port := range map[string]uint16{"sport": c.FromPort, "dport": c.ToPort} {
		if port != 0 {
			selector = append(selector, word, strconv.Itoa(int(port)))
		}
	}
	return selector
}

// without returns how to exempt the packets from a policy: a policy that comes before it, or none.
func (j *journey) without(c evidence.Policy, p flow.Packet) []fix.Fix {
	remove := fix.Run(ip(append([]string{"xfrm", "policy", "delete"}, selectorOf(c)...)...))
	from, to := c.From, j.subnetOf(p.To)
	if c.Direction != evidence.PolicyOut {
		from, to = j.subnetOf(p.From), c.To
	}
	if same := from == c.From && to == c.To; c.Priority == 0 || same { // the kernel has one policy for a selector
		return fixes(remove)
	}
	exempt := func(direction string, from, to netip.Prefix) fix.Command {
		return ip("xfrm", "policy", "add", "dir", direction, "src", from.String(), "dst", to.String(), "priority",
			strconv.FormatUint(uint64(c.Priority-1), 10), "action", "allow")
	}
	word := [...]string{"in", "out", "fwd"}[c.Direction]
	return []fix.Fix{fix.Run(exempt(word, from, to)), remove}
}
