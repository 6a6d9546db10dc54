package doctor

import (
	"net/netip"
	"slices"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/netcfg"
)

// ends are the two addresses of a conversation between this host and the program.
type ends struct {
	own, other netip.Addr
	part       netip.Prefix // the network of the device that contains other
	keys       flow.Packet  // what else the rules require of packets to other: Mark, UID and OutIndex
}

// endpoints returns an address of this host and one behind the device, for each network of the device: of its
// addresses, and of its routes.
func (v *view) endpoints(layer3 *netcfg.Device) (all []ends) {
	bound := flow.Packet{}
	if vrf(layer3) != "" {
		bound.OutIndex = layer3.MasterIndex()
	}
	for _, a := range own(layer3) {
		if v.foreign(a.Local) || v.asksElsewhere(a) {
			continue
		}
		other := v.peer(layer3, a)
		switch {
		case v.To.IsValid() && a.Subnet().Contains(v.To) && !v.isOwn(v.To):
			other = v.To
		case v.From.IsValid() && a.Subnet().Contains(v.From) && !v.isOwn(v.From):
			other = v.From
		}
		if other.IsValid() && !a.Tentative() && !a.Duplicate() {
			all = append(all, ends{a.Local, other, a.Subnet(), bound})
		}
	}
	reached := func(to netip.Addr) bool {
		return slices.ContainsFunc(all, func(e ends) bool { return e.other == to })
	}
	for _, to := range []netip.Addr{v.To, v.From} {
		if from := v.sourceTo(layer3, to, bound); to.IsValid() && from.IsValid() && !reached(to) && !v.isOwn(to) {
			all = append(all, ends{from, to, netip.PrefixFrom(to, to.BitLen()), bound})
		}
	}
	if layer3 == v.device && !v.To.IsValid() && !v.From.IsValid() {
		all = append(all, v.routedEndpoints(layer3)...)
	}
	return all
}

// asksElsewhere reports whether the question is about another host that is not in the network of an address.
func (v *view) asksElsewhere(a netcfg.Address) bool {
	return v.To.IsValid() && !v.isOwn(v.To) && !a.Subnet().Contains(v.To) &&
		(!v.From.IsValid() || v.isOwn(v.From) || !a.Subnet().Contains(v.From))
}

// foreign reports whether an address is not of the family of the question.
func (v *view) foreign(ip netip.Addr) bool {
	return v.To.IsValid() && v.To.Is6() != ip.Is6() || v.From.IsValid() && v.From.Is6() != ip.Is6()
}

// routedEndpoints returns an address in the network of each route of the device that is not the network of one of its
// addresses. The default route and other large networks have no typical address.
func (v *view) routedEndpoints(d *netcfg.Device) (all []ends) {
	const most, wide = 4, 8
	for _, r := range v.host.UnicastThrough(d.Index) {
		to := hostIn(r.To)
		known := func(a netcfg.Address) bool { return a.Subnet().Contains(to) }
		if len(all) == most || r.To.Bits() < wide || !to.IsGlobalUnicast() ||
			!slices.Contains(v.host.Links(r), d.Index) || slices.ContainsFunc(own(d), known) {
			continue
		}
		for _, n := range v.host.Neighbours(d.Index) {
			if r.To.Contains(n.To) {
				to = n.To
			}
		}
		keys := v.keysOf(r, to)
		way, err := v.host.Find(flow.Packet{To: to, Mark: keys.Mark, UID: keys.UID, OutIndex: keys.OutIndex})
		if err == nil && way.Refusal == 0 && way.Index != d.Index {
			if to = v.sought(r.To, way.Index); !to.IsValid() {
				continue // another route comes first, as an administrator may intend
			}
		}
		if err != nil {
			continue
		}
		if from := v.sourceTo(d, to, keys); from.IsValid() {
			all = append(all, ends{from, to, r.To, keys})
		}
	}
	return all
}

// sought returns an address of a network that this host has looked for behind a link without success.
func (v *view) sought(network netip.Prefix, link int) netip.Addr {
	for _, n := range v.host.Neighbours(link) {
		if n.Index == link && network.Contains(n.To) && n.Unanswered() {
			return n.To
		}
	}
	return netip.Addr{}
}

// hostIn returns an address of a network that a host may have.
func hostIn(p netip.Prefix) netip.Addr {
	if p.Bits() >= p.Addr().BitLen()-1 {
		return p.Addr()
	}
	return p.Addr().Next()
}

// keysOf returns what a packet requires so that a rule looks up the table of a route for it.
func (v *view) keysOf(r rtnl.Route, to netip.Addr) (keys flow.Packet) {
	for _, rule := range v.policies {
		plain := rule.In == "" && rule.Out == "" && !rule.From.IsValid() && rule.IPProto == 0 &&
			rule.FromPort[1]+rule.ToPort[1] == 0
		if rule.IPv6 != to.Is6() || rule.Table != r.Table || !plain || rule.To.IsValid() && !rule.To.Contains(to) {
			continue
		}
		if !rule.Not {
			keys.Mark = rule.Mark
			keys.UID = rule.UIDs[0]
		}
		return keys
	}
	return keys
}

// sourceTo returns the address that this host uses towards another one: the one that the kernel selects, or one of the
// device.
func (v *view) sourceTo(layer3 *netcfg.Device, to netip.Addr, keys flow.Packet) netip.Addr {
	if !to.IsValid() {
		return netip.Addr{}
	}
	way, err := v.host.Find(flow.Packet{To: to, Mark: keys.Mark, UID: keys.UID, OutIndex: keys.OutIndex})
	if err == nil && way.Refusal == 0 && way.Source.IsValid() && way.Index == layer3.Index {
		return way.Source
	}
	fits := func(a netcfg.Address) bool {
		return usable(a) && a.Local.Is6() == to.Is6() && !a.Tentative() && !a.Duplicate() && !a.Local.IsLoopback()
	}
	if i := slices.IndexFunc(layer3.Addresses, fits); i >= 0 {
		return layer3.Addresses[i].Local
	}
	for _, a := range v.addressesOf(to.Is6()) {
		if fits(a) {
			return a.Local
		}
	}
	return netip.Addr{}
}

// peer returns an address in the network of an address of this host: that of a neighbour that was seen, or any.
func (v *view) peer(l *netcfg.Device, a netcfg.Address) netip.Addr {
	if a.Peer.IsValid() {
		return a.Peer
	}
	seen := netip.Addr{}
	for _, n := range v.host.Neighbours(l.Index) {
		if a.Subnet().Contains(n.To) && n.To != a.Local && !n.To.IsMulticast() &&
			v.mayBeBehind(n) && (!seen.IsValid() || n.Confirmed()) {
			seen = n.To
		}
	}
	if seen.IsValid() {
		return seen
	}
	to := target(a)
	for range 8 {
		if !to.IsValid() || !v.isOwn(to) {
			return to
		}
		if next := to.Next(); a.Subnet().Contains(next) {
			to = next
		}
	}
	return to
}

// mayBeBehind reports whether a neighbour may be behind the device: its bridge does not know it behind another port.
func (v *view) mayBeBehind(n evidence.Neighbour) bool {
	if n.Index == v.device.Index {
		return true
	}
	for _, f := range v.host.Frames(n.Index) {
		if f.Bridge == n.Index && f.Index != v.device.Index && len(n.MAC) > 0 && slices.Equal(f.MAC, n.MAC) {
			return false
		}
	}
	return true
}
