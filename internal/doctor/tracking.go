package doctor

import (
	"fmt"
	"net/netip"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/firewall"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/words"
)

// tracking finds a full table of tracked connections: the kernel drops the first packets of further ones.
func tracking(j *journey) []Finding {
	const nearly = 95 // percent
	now, most := j.host.Tracked()
	lost := j.host.Counter(evidence.Tracking, "", "drop") + j.host.Counter(evidence.Tracking, "", "early_drop")
	if most == 0 || now*100 < most*nearly || lost == 0 {
		return nil
	}
	return []Finding{{Level: Error, counted: lost,
		What: fmt.Sprintf("the table of tracked connections is full: %d of %d entries (nf_conntrack_max)", now, most),
		Means: fmt.Sprintf("the kernel dropped packets of new connections, or older entries, %d times (nf_conntrack: "+
			"table full)", lost),
		Fixes: fixes(fix.Run(fix.ByRoot("sysctl", "-w", fmt.Sprintf("net.netfilter.nf_conntrack_max=%d", 2*most))))}}
}

// oldConnection finds a tracked connection that is older than the rule which translates its source: only the first
// packet of a connection meets such a rule.
func oldConnection(j *journey) []Finding {
	out := j.outlet()
	if out == nil || out.Index == j.layer3().Index || j.frame() || j.wall().err != nil || j.wall().rules.Empty() {
		return nil
	}
	const most = 1000
	for i, c := range j.host.Connections(j.subnetOf(j.packet.From)) {
		way, err := j.host.Find(flow.Packet{To: c.To.Addr()})
		if i == most || err != nil || way.Index != out.Index || c.Replied || c.SourceNAT || !oneHost(c.To.Addr()) ||
			c.Answers.Addr() != c.From.Addr() || c.Answerer.Addr() != c.To.Addr() {
			continue
		}
		p := flow.Packet{From: c.From.Addr(), To: c.To.Addr(), Protocol: c.Protocol, FromPort: c.From.Port(),
			ToPort: c.To.Port(), In: j.layer3().Name, InIndex: j.layer3().Index, Out: out.Name, OutIndex: out.Index}
		w := j.wall().rules.Walk(p)
		for _, h := range []firewall.Hook{firewall.Prerouting, firewall.Forward, firewall.Postrouting} {
			w.Hook(h)
		}
		rule := w.Changed(firewall.Source)
		if is, known := w.Translated(); !is || !known || rule == nil {
			continue
		}
		return one(Error, fmt.Sprintf("the connection %s is older than the rule that translates its source, and "+
			"leaves through %s without translation: %s", p, words.Escape(out.Name), place(*rule)),
			fmt.Sprintf("its conntrack entry has no translation and saw no answer, and lives for %d seconds after "+
				"each packet", c.Lifetime), forget(c))
	}
	return nil
}

// oldFlow finds a tracked connection that is older than the rule which leads it to a host behind the device: only the
// first packet of a connection meets such a rule.
func oldFlow(j *journey) []Finding {
	if j.leads == nil || j.packet.ToPort == 0 {
		return nil
	}
	steps := j.wall().rules.Walk(j.packet)
	steps.Hook(firewall.Prerouting)
	goal := steps.Goal().Addr()
	all := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if j.packet.IPv6() {
		all = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	for _, c := range j.host.Connections(all) {
		if c.Protocol != j.packet.Protocol || c.To != netip.AddrPortFrom(j.packet.To, j.packet.ToPort) || c.Replied ||
			c.Answerer.Addr() == goal {
			continue
		}
		p := flow.Packet{From: c.From.Addr(), To: c.To.Addr(), Protocol: c.Protocol, FromPort: c.From.Port(),
			ToPort: c.To.Port()}
		return one(Warning, fmt.Sprintf("the connection %s is older than the rule that leads it to %s, and still goes "+
			"to %s: %s", p, goal, c.Answerer.Addr(), place(*j.leads)),
			fmt.Sprintf("its conntrack entry saw no answer, and lives for %d seconds after each packet", c.Lifetime),
			forget(c))
	}
	return nil
}

// forget returns how to remove the entry of a connection.
func forget(c evidence.Connection) fix.Fix {
	words := []string{"conntrack", "-D", "-p", fmt.Sprint(c.Protocol), "-s", c.From.Addr().String(), "-d",
		c.To.Addr().String()}
	if c.From.Port() != 0 {
		words = append(words, "--sport", fmt.Sprint(c.From.Port()), "--dport",
			fmt.Sprint(c.To.Port()))
	}
	command := fix.InNamespace(words...)
	if installed("conntrack", "") {
		return fix.Run(command)
	}
	return fix.Sentence(fmt.Sprintf("stop its program for %d seconds, or remove the entry with conntrack-tools: %s",
		c.Lifetime, command))
}
