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
			what := fmt.Sprintf("no packet matches the rule of the firewall that leads packets to %s: %s: %s",
				r.To.Addr(), why, place(r.Rule))
			if n, counter := v.refusedHere(r.Packet.Protocol); n > 0 {
				means := fmt.Sprintf("such packets come to this host itself, which refused or lost %s (%s, and those "+
					"neither delivered nor forwarded)", packets(n), counter)
				return one(Warning, what, means, fix.Sentence("correct the rule: ip -br addr prints the links and the "+
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
			return fmt.Sprintf("this host does not have the address %s", p.To)
		}
	}
	return ""
}

// refusedHere returns how many packets of a protocol this host refused, as it does at a closed port, or did not
// deliver, and the name of the counter.
func (v *view) refusedHere(protocol uint8) (n uint64, counter string) {
	if protocol == unix.IPPROTO_UDP {
		return v.host.Counter("snmp", "Udp", "NoPorts") + v.vanished(), "Udp.NoPorts"
	}
	return v.host.Counter("snmp", "Tcp", "OutRsts") + v.vanished(), "Tcp.OutRsts"
}
