package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// otherNetwork finds a host behind a named tap that has asked this host for its MAC address, and to which this host
// sends nothing through the tap or its bridge: its address is in none of their networks.
func otherNetwork(v *view) []Finding {
	d, layer3 := v.device, v.layer3()
	if !v.asked() || d.Mode != link.TAP || !d.Up || !d.Carrier || !layer3.Up || len(own(layer3)) == 0 {
		return nil
	}
	for _, n := range v.host.Neighbours(layer3.Index) {
		if !n.Confirmed() || !n.To.IsGlobalUnicast() || v.onSubnet(layer3, n.To) || v.isOwn(n.To) || !v.isBehind(n) ||
			v.returns(layer3, n.To) || v.answersElsewhere(n.To) {
			continue
		}
		return v.outside(layer3, n.To)
	}
	return nil
}

// isBehind reports whether a neighbour is behind the device: if it is a port, its bridge has seen it there.
func (v *view) isBehind(n evidence.Neighbour) bool {
	return !v.bridgePort() || slices.ContainsFunc(v.host.Frames(n.Index), func(f evidence.Neighbour) bool {
		return f.Index == v.device.Index && slices.Equal(f.MAC, n.MAC)
	})
}

// returns reports whether this host may send packets to a host through a link, from one of the link's addresses or
// another one.
func (v *view) returns(l *netcfg.Device, to netip.Addr) bool {
	p := flow.Packet{To: to}
	if vrf(l) != "" {
		p.OutIndex = l.MasterIndex()
	}
	froms := []netip.Addr{{}}
	for _, a := range own(l) {
		if a.Local.Is6() == to.Is6() {
			froms = append(froms, a.Local)
		}
	}
	return slices.ContainsFunc(froms, func(from netip.Addr) bool {
		p.From = from
		way, err := v.host.Find(p)
		return err != nil || way.Refusal == 0 && way.Index == l.Index
	})
}

// answersElsewhere reports whether a host answers on the link to which this host routes its packets: a host with
// several links may ask for MAC addresses on each of them with the IP address of another one.
func (v *view) answersElsewhere(ip netip.Addr) bool {
	way, err := v.host.Find(flow.Packet{To: ip})
	return err == nil && way.Refusal == 0 && slices.ContainsFunc(v.host.Neighbours(way.Index),
		func(n evidence.Neighbour) bool { return n.To == ip && n.Confirmed() })
}

// outside reports a host behind the device that is outside of the networks of a link.
func (v *view) outside(l *netcfg.Device, host netip.Addr) []Finding {
	var networks []string
	for _, a := range own(l) {
		if a.Local.Is6() == host.Is6() {
			networks = append(networks, a.String())
		}
	}
	name, sends := words.Escape(l.Name), "this host has no route to it"
	var list []fix.Fix
	if way, err := v.host.Find(flow.Packet{To: host}); err == nil && way.Refusal == 0 {
		sends = "this host sends packets to it through " + v.nameOf(way.Index)
		other := v.byIndex(way.Index)
		if other != nil && other.Kind == "bridge" && v.onSubnet(other, host) && v.bridgePort() {
			sends = fmt.Sprintf("the bridge %s has its network", words.Escape(other.Name))
			list = v.joinFixes([]*netcfg.Device{other})
		}
	}
	has := name + " has no address of this family"
	if len(networks) > 0 {
		has = name + " has " + strings.Join(networks, ", ")
	}
	to := netip.PrefixFrom(host, host.BitLen()).String()
	list = append(list, fix.Run(ip(append(family(host), "route", "add", to, "dev", l.Name)...)),
		fix.Sentence("or give the program an address in a network of "+name+", with the same prefix length"))
	return one(Warning, fmt.Sprintf("%s is behind it, but not in a network of %s: %s", host, name, sends),
		has+"; the answers of this host do not reach the program", list...)
}
