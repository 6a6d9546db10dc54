package doctor

import (
	"slices"

	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// takenNetwork finds that a route through a named device takes the packets to the network of another link: this host
// then reaches nobody there. A default route is not meant here, because a VPN may be to take all packets.
func takenNetwork(v *view) (found []Finding) {
	if !v.asked() || !v.device.Up {
		return nil
	}
	return append(v.takenNetworks(false), v.takenNetworks(true)...)
}

func (v *view) takenNetworks(ipv6 bool) (found []Finding) {
	const most, halves = 4, 1
	layer3 := v.layer3()
	routes := slices.DeleteFunc(v.host.UnicastThrough(layer3.Index), func(r rtnl.Route) bool {
		return r.To.Addr().Is6() != ipv6 || r.To.Bits() <= halves
	})
	if len(routes) == 0 {
		return nil
	}
	taken := func(a netcfg.Address) bool {
		to := target(a)
		return to.IsValid() && slices.ContainsFunc(routes, func(r rtnl.Route) bool { return r.To.Contains(to) })
	}
	for l, a := range v.otherLinks(ipv6, taken) {
		if len(found) == most {
			break
		}
		to := target(a)
		if !l.Carrier {
			continue
		}
		match, err := v.host.Match(flow.Packet{From: a.Local, To: to})
		if err != nil || match.Refusal != 0 || match.Index != layer3.Index || match.To.Bits() <= halves {
			continue
		}
		other := *v
		other.device = l
		j := &journey{view: &other, packet: flow.Packet{From: a.Local, To: to}, part: a.Subnet()}
		for _, f := range slices.DeleteFunc(route(j), func(f Finding) bool { return f.Level == OK }) {
			f.Level = Warning
			f.Means = "this host reaches nobody in " + a.Subnet().String() + " behind " + words.Escape(l.Name)
			found = append(found, f)
		}
	}
	return found
}
