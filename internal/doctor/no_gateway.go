package doctor

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// withoutGateway finds a route without a gateway to a network in which nobody answers: this host asks for the address
// of each host there, and a router between the two does not answer for them.
func (j *journey) withoutGateway(layer3 *netcfg.Device) []Finding {
	all := j.host.Neighbours(layer3.Index)
	for _, n := range all {
		if !n.Unanswered() || n.To.Is6() != j.packet.To.Is6() || !n.To.IsGlobalUnicast() || j.onSubnet(layer3, n.To) {
			continue
		}
		p := flow.Packet{To: n.To}
		way, err := j.host.Find(p)
		if err != nil || way.Refusal != 0 || way.Local() || way.Index != layer3.Index || way.Via.IsValid() {
			continue
		}
		match, err := j.host.Match(p)
		if err != nil || match.To.IsSingleIP() || slices.ContainsFunc(all, func(o evidence.Neighbour) bool {
			return match.To.Contains(o.To) && o.To.IsGlobalUnicast() && !j.onSubnet(layer3, o.To) && !o.Unanswered()
		}) {
			continue
		}
		return j.addGateway(layer3, n, match, all)
	}
	return nil
}

// addGateway reports a route without a gateway. A neighbour in a network of the device may be the gateway.
func (j *journey) addGateway(layer3 *netcfg.Device, n evidence.Neighbour, match evidence.Way,
	all []evidence.Neighbour) []Finding {
	name, protocol, to := words.Escape(layer3.Name), "ARP", match.To.String()
	if n.To.Is6() {
		protocol = "neighbour discovery"
	}
	if match.To.Bits() == 0 {
		to = "default"
	}
	asked := ""
	if n.Asked > 0 {
		asked = fmt.Sprintf(" (%d requests)", n.Asked)
	}
	gateway := netip.Addr{}
	for _, o := range all {
		if o.To.Is6() == n.To.Is6() && j.onSubnet(layer3, o.To) && o.Confirmed() && j.mayBeBehind(o) {
			gateway = o.To
		}
	}
	for _, a := range own(layer3) {
		if other := j.peer(layer3, a); !gateway.IsValid() && a.Local.Is6() == n.To.Is6() && other.IsValid() &&
			a.Subnet().Contains(other) {
			gateway = other
		}
	}
	list := []fix.Fix{fix.Sentence("add the gateway to the route: ip route replace " + to + " via GATEWAY dev " + name)}
	if gateway.IsValid() {
		command := append(family(gateway), "route", "replace", to, "via", gateway.String(), "dev", layer3.Name)
		if match.Source.IsValid() {
			command = append(command, "src", match.Source.String())
		}
		if match.Metric != 0 {
			command = append(command, "metric", fmt.Sprint(match.Metric))
		}
		list = []fix.Fix{fix.Run(ip(inTable(command, match.Table)...))}
	}
	return one(Warning, fmt.Sprintf("the route to %s through %s has no gateway, and nobody behind it answers the %s "+
		"requests for %s%s", to, name, protocol, n.To, asked),
		"without a gateway, this host looks for each host of that network on the link itself; a router there answers "+
			"only for its own addresses", list...)
}

// onSubnet reports whether an address is in the network of an address of a link, or is its peer.
func (v *view) onSubnet(l *netcfg.Device, ip netip.Addr) bool {
	return slices.ContainsFunc(l.Addresses, func(a netcfg.Address) bool {
		return a.Subnet().Contains(ip) || a.Peer == ip
	})
}
