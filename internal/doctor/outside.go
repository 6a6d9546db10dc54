package doctor

import (
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/firewall"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/netcfg"
)

// An entrance is a link through which packets of other hosts arrive.
type entrance struct {
	link *netcfg.Device
	own  netip.Addr // an address of this host there
	near netip.Addr // an address of another host on the link; invalid: none is possible
	far  netip.Addr // that of a host behind the default route, or near
}

// entrances returns the links through which packets of other hosts arrive, those of default routes before others.
func (v *view) entrances(ipv6 bool) (all []entrance) {
	const most = 4
	outer := []entrance(nil)
	for l, a := range v.otherLinks(ipv6, nil) {
		known := func(e entrance) bool { return e.link == l }
		switch near := target(a); {
		case slices.ContainsFunc(all, known), slices.ContainsFunc(outer, known):
		case v.hasDefault(l, ipv6):
			outer = append(outer, entrance{l, a.Local, near, unknownHost(ipv6)})
		case near.IsValid():
			all = append(all, entrance{l, a.Local, near, near})
		}
		if len(all)+len(outer) == most {
			break
		}
	}
	return append(outer, all...)
}

// hasDefault reports whether a default route of any table leads through a link.
func (v *view) hasDefault(l *netcfg.Device, ipv6 bool) bool {
	for _, r := range v.host.DefaultsThrough(l.Index) {
		if r.Type == unix.RTN_UNICAST && r.To.Addr().Is6() == ipv6 {
			return true
		}
	}
	return false
}

// outsideStages are the places that a packet of another host passes before this host routes it.
func outsideStages() []stage {
	return []stage{
		{"firewall", hooks(firewall.Ingress, firewall.Prerouting)}, {"changed", changed}, {"rp-filter", outerPath},
	}
}

// inwardStages are the places that a packet of another host passes on its way through this host to the program.
func inwardStages() []stage {
	return slices.Concat([]stage{{"old-connection", oldFlow}}, outsideStages(), []stage{
		{"delivery", delivery}, {"forwarding", outerForwarding},
		{"firewall", hooks(firewall.Forward, firewall.Postrouting, firewall.Egress)},
		{"neighbour", publishedHost},
		{"firewall", answers(firewall.Prerouting, firewall.Forward, firewall.Postrouting, firewall.Egress)},
		{"return-route", outerReturn},
	})
}

// inward returns packets of other hosts to hosts behind the device: those that rules lead there, and others.
func (v *view) inward(all []ends) (found []*journey) {
	const most = 16
	for _, ipv6 := range []bool{false, true} {
		var rules []firewall.Published
		if wall := v.wall(); wall.err == nil && !wall.rules.Empty() {
			rules = wall.rules.Publishes(ipv6)
		}
		if len(rules) == 0 && !slices.ContainsFunc(all, func(e ends) bool { return e.other.Is6() == ipv6 }) {
			continue
		}
		entrances := v.entrances(ipv6)
		if len(entrances) == 0 {
			continue
		}
		for _, p := range rules {
			if j := v.published(p, entrances); j != nil && len(found) < most {
				found = append(found, j)
			}
		}
		led := len(found) > 0
		for _, e := range all {
			in := entrances[0]
			if !led && e.other.Is6() == ipv6 && in.near.IsValid() && len(found) < most {
				found = append(found, v.comesIn(in, flow.Packet{From: in.near, To: e.other, Protocol: echo(e.own),
					Size: 84}))
			}
		}
	}
	return found
}

// comesIn returns the journey of a packet that arrives through an entrance.
func (v *view) comesIn(in entrance, p flow.Packet) *journey {
	p.In, p.InIndex = in.link.Name, in.link.Index
	return &journey{view: v, packet: p, course: inward, at: in.link}
}

// published returns the journey of a packet that a rule leads to a host behind the device, or nil.
func (v *view) published(rule firewall.Published, entrances []entrance) *journey {
	if !v.leadsHere(rule) {
		return nil
	}
	for _, in := range entrances {
		p := rule.Packet
		if p.In != "" && p.In != in.link.Name {
			continue
		}
		if !p.From.IsValid() {
			p.From = in.far
		}
		if p.To.IsUnspecified() {
			p.To = in.own
		}
		if p.Protocol == 0 {
			p.Protocol = unix.IPPROTO_TCP
		}
		j := v.comesIn(in, p)
		steps := v.wall().rules.Walk(j.packet)
		if steps.Hook(firewall.Prerouting); steps.Goal().Addr() == rule.To.Addr() {
			j.leads = steps.Changed(firewall.Destination)
			return j
		}
	}
	return nil
}

// askedInward returns the journey of the packet of the question if it comes from outside to a host behind the device;
// nil: it does not.
func (v *view) askedInward() *journey {
	if !v.From.IsValid() || !v.To.IsValid() || v.isOwn(v.From) || v.isOwn(v.To) {
		return nil
	}
	layer3 := v.layer3()
	from, err := v.host.Find(flow.Packet{To: v.From})
	to, failed := v.host.Find(flow.Packet{To: v.To})
	if err != nil || failed != nil || from.Refusal != 0 || to.Refusal != 0 || from.Index == layer3.Index ||
		to.Index != layer3.Index {
		return nil
	}
	l := v.byIndex(from.Index)
	if l == nil || v.subnetOf(v.From).Bits() < v.From.BitLen() {
		return nil // another route leads to a host behind the device
	}
	return v.comesIn(entrance{link: l}, v.question(flow.Packet{Protocol: echo(v.To), Size: 84}))
}
