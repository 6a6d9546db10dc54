package doctor

import (
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// swallowedGateway finds the gateway of another link in a network of the device.
func swallowedGateway(v *view) []Finding {
	layer3 := v.layer3()
	if !v.asked() || !layer3.Up {
		return nil
	}
	for _, r := range v.gatewaysWithin(layer3) {
		other := v.byIndex(r.Index)
		if other == nil || other.Index == v.device.Index || !other.Up {
			continue
		}
		way, err := v.host.Find(flow.Packet{To: r.Via})
		if err != nil || way.Refusal != 0 || way.Index != layer3.Index {
			continue
		}
		name := words.Escape(other.Name)
		match, _ := v.host.Match(flow.Packet{To: r.Via})
		keep := fix.Run(ip(append(family(r.Via), "route", "replace", r.Via.String(), "dev", other.Name)...))
		keep.After = "  # until the next boot"
		fixes := []fix.Fix{keep}
		for _, a := range own(layer3) {
			if a.Subnet().Contains(r.Via) && layer3 == v.device {
				fixes = append(fixes, fix.Run(fix.Tunadm("set", v.device.Name, "--remove-address", a.String(),
					"--add-address", v.freeAddress(a.Local.Is6()).String())))
				break
			}
		}
		return one(Error, fmt.Sprintf("packets to %s, the gateway of %s, are sent to it, because its network %s "+
			"contains the gateway", r.Via, name, match.To),
			"DNS and everything else at the gateway is unreachable: the two networks overlap", fixes...)
	}
	return nil
}

// gatewaysWithin returns the routes of other links whose gateway is in the network of a route of this one.
func (v *view) gatewaysWithin(l *netcfg.Device) (found []rtnl.Route) {
	mine := v.host.UnicastThrough(l.Index)
	for _, ipv6 := range []bool{false, true} {
		if !slices.ContainsFunc(mine, func(r rtnl.Route) bool {
			return r.To.Addr().Is6() == ipv6 && !r.To.Addr().IsLinkLocalUnicast() && !r.To.Addr().IsMulticast()
		}) {
			continue
		}
		all, _ := v.host.SomeRoutes(ipv6)
		for _, r := range all {
			if r.Index != l.Index && r.Via.IsValid() && !r.Via.IsLinkLocalUnicast() &&
				slices.ContainsFunc(mine, func(m rtnl.Route) bool { return m.To.Contains(r.Via) }) {
				found = append(found, r)
			}
		}
	}
	return found
}

// ownTunnel finds packets of the attached program itself that are routed into the device.
func ownTunnel(v *view) []Finding {
	d := v.device
	if !v.asked() || !d.Up {
		return nil
	}
	for _, h := range d.Holders {
		for _, s := range v.host.SocketsOf(h.PID) {
			to := s.Remote.Addr()
			inside := func(a netcfg.Address) bool { return a.Subnet().Contains(to) }
			if !s.Connected() || to.IsLoopback() || v.isOwn(to) || slices.ContainsFunc(own(d), inside) {
				continue
			}
			p := flow.Packet{To: to, Protocol: s.Protocol, FromPort: s.Local.Port(), ToPort: s.Remote.Port(),
				Mark: s.Mark, UID: s.UID, OutIndex: s.Index}
			way, err := v.host.Find(p)
			if err != nil || way.Refusal != 0 || way.Index != d.Index {
				continue
			}
			return v.carriedBack(h, s.Remote, p)
		}
	}
	return nil
}

// carriedBack returns the finding about a packet that a program sends into its own device.
func (v *view) carriedBack(h netcfg.Holder, to netip.AddrPort, p flow.Packet) []Finding {
	return one(Error, fmt.Sprintf("the attached program %s (pid %d) sends packets to %s, and the route leads them "+
		"back into the device", words.Escape(h.Command), h.PID, to),
		"the tunnel carries its own packets, so none of them leaves this host", v.around(p)...)
}

// carriesItself finds a program that sends the packets of a conversation: it need not connect its socket.
func (v *view) carriesItself(c *conversation) []Finding {
	for _, h := range v.device.Holders {
		for _, s := range v.host.SocketsOf(h.PID) {
			if s.Protocol == c.Protocol && s.Local.Port() == c.FromPort && c.FromPort != 0 && v.isOwn(c.From) {
				return v.carriedBack(h, netip.AddrPortFrom(c.To, c.ToPort), c.Packet)
			}
		}
	}
	return nil
}

// around returns the command that leads a destination past the device, by the route that is the best without it.
func (v *view) around(p flow.Packet) []fix.Fix {
	var best *rtnl.Route
	for i, r := range v.host.Routes() {
		links := v.host.Links(r)
		if !r.To.Contains(p.To) || r.Type != unix.RTN_UNICAST || len(links) == 0 || r.Table == tableLocal ||
			slices.Contains(links, v.device.Index) {
			continue
		}
		if best == nil || r.To.Bits() > best.To.Bits() || r.To.Bits() == best.To.Bits() && r.Metric < best.Metric {
			best = &v.host.Routes()[i]
		}
	}
	if best == nil || best.Index == 0 {
		return []fix.Fix{fix.Sentence("add a route to " + p.To.String() + " through the link that leads there")}
	}
	command := append(family(p.To), "route", "replace", p.To.String())
	if best.Via.IsValid() {
		command = append(command, "via", best.Via.String())
	}
	found := fix.Run(ip(append(command, "dev", v.byIndex(best.Index).Name)...))
	found.After = "  # until the next boot; the program's own option for this route lasts"
	return []fix.Fix{found}
}
