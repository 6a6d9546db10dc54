package doctor

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/firewall"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/words"
)

// leadsHere reports whether a rule leads packets to a host that may be behind the device.
func (v *view) leadsHere(rule firewall.Published) bool {
	target := rule.To.Addr()
	way, err := v.host.Find(flow.Packet{To: target})
	if err != nil || way.Refusal != 0 || way.Local() || way.Index != v.layer3().Index {
		return false
	}
	port := v.portOf(target)
	return !v.bridgePort() || port == 0 || port == v.device.Index
}

// unmatched finds rules that lead packets to a host behind the device, and that no packet matches: they name a device
// or an address that this host does not have.
func unmatched(v *view) (found []Finding) {
	if !v.asked() || v.explicit() || v.wall().err != nil || v.wall().rules.Empty() {
		return nil
	}
	for _, ipv6 := range []bool{false, true} {
		rules := v.wall().rules.Publishes(ipv6)
		for _, r := range rules {
			why := v.why(r)
			works := func(o firewall.Published) bool { return o.To == r.To && v.why(o) == "" }
			if why == "" || r.Rule.Count != nil && !unused(r.Rule) || !v.leadsHere(r) ||
				slices.ContainsFunc(rules, works) {
				continue
			}
			what := fmt.Sprintf("a rule of the firewall is to lead packets to %s, and %s: %s", r.To.Addr(), why,
				place(r.Rule))
			if n := v.refusedHere(r.Packet.Protocol); n > 0 {
				return one(Warning, what, fmt.Sprintf("no packet matches the rule, and %s came to a closed port of "+
					"this host", packets(n)), fix.Sentence("correct the rule: ip -br addr prints the links and the "+
					"addresses of this host"))
			}
			found = append(found, ok(what)...)
		}
	}
	return found
}

// why says why no packet matches a rule; "": packets may.
func (v *view) why(r firewall.Published) string {
	p := r.Packet
	switch {
	case p.In != "" && v.link(p.In) == nil:
		return "there is no device " + words.Escape(p.In)
	case p.To.IsUnspecified() || v.isOwn(p.To):
		return ""
	}
	for _, in := range v.entrances(p.IPv6()) {
		if way, err := v.host.Find(flow.Packet{To: p.To}); err == nil && way.Refusal == 0 && !way.Via.IsValid() &&
			way.Index == in.link.Index && v.largest("proxy_arp", in.link.Name) == 0 {
			return fmt.Sprintf("%s is no address of this host", p.To)
		}
	}
	return ""
}

// refusedHere returns how many packets of a protocol came to a port of this host at which no program listens.
func (v *view) refusedHere(protocol uint8) uint64 {
	if protocol == unix.IPPROTO_UDP {
		return v.host.Counter("snmp", "Udp", "NoPorts") + v.vanished()
	}
	return v.host.Counter("snmp", "Tcp", "OutRsts") + v.vanished()
}
