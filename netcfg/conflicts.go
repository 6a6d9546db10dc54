package netcfg

import (
	"net/netip"
	"slices"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
)

// This file holds the routes and addresses that the kernel couples: a change of one changes another, or excludes it.

// prefixes restores, in an undo, the prefix routes that IPv6 derived from addresses. An address that is added and
// removed changes the routes of other addresses in its prefix.
func (p *planner) prefixes() {
	was, is := p.origin(), p.have
	if !p.want.undo || was.how <= shallow || is.how <= shallow {
		return
	}
	missing := func(from, in []Route) []Route {
		return matching(from, func(r Route) bool {
			return r.To.Addr().Is6() && !slices.ContainsFunc(in, func(o Route) bool {
				return r.same(o) && r.kept.metrics == o.kept.metrics && r.kept.expires == o.kept.expires
			})
		})
	}
	for _, r := range missing(is.prefixes, was.prefixes) {
		p.step(phaseReplace, Step{Kind: StepRemoveRoute, Route: &r})
	}
	for _, r := range missing(was.prefixes, is.prefixes) {
		p.step(phaseReplace, Step{Kind: StepAddRoute, Route: &r})
	}
}

// checkRoutes returns an error if the kernel would refuse a route: its gateway is on no link of the device, or the
// kernel has the route for an address. A shallow look at an existing device only shows that this may be so: checkRoutes
// then marks the step, and the engine looks again.
func (p *planner) checkRoutes() error {
	var n *networks
	for i := range p.steps {
		s := &p.steps[i]
		if s.Kind != StepAddRoute || p.want.undo {
			continue
		}
		if n == nil {
			n = p.networks()
		}
		if err := p.refuseRoute(*s.Route, n); err != nil && (p.have.Index == 0 || p.have.how > shallow) {
			return err
		} else if err != nil {
			s.doubtful = true
		}
	}
	return nil
}

// networks are what the kernel can reach through the device without a gateway when it adds the routes.
type networks struct {
	near    link.Networks
	derived map[netip.Prefix]Address // for which the kernel adds a route; of several, one that was there before
	own     map[netip.Addr]bool      // the addresses
}

func (p *planner) networks() *networks {
	addresses := p.targetAddresses()
	n := &networks{link.Networks{}, map[netip.Prefix]Address{}, hosts(addresses)}
	for _, a := range addresses {
		to, derives := a.network()
		if _, known := n.derived[to]; derives && !known {
			n.derived[to] = a
			n.near.Add(to)
		}
		for _, host := range []netip.Addr{a.Local, a.Peer} {
			if host.IsValid() && (host == a.Local || host.Is6()) {
				n.near.Add(netip.PrefixFrom(host, host.BitLen()))
			}
		}
	}
	had := map[netip.Prefix]bool{}
	for _, a := range p.have.Addresses {
		to, _ := a.network()
		had[to] = true
	}
	announced := matching(p.have.prefixes, func(r Route) bool { return !had[r.To] }) // by a router
	for _, r := range append(p.targetRoutes(), announced...) {
		if !r.Via.IsValid() && r.kept.elsewhere == 0 {
			n.near.Add(r.To)
		}
	}
	return n
}

func (p *planner) refuseRoute(r Route, n *networks) error {
	asked, local := r.kept.message == nil, r.Via.Is6() && n.own[r.Via]
	if a, derived := n.derived[r.To]; asked && derived && p.derives(a, r) {
		e := p.refuse(cause.RouteTaken, "route "+r.String(), "the kernel has it for address "+a.String())
		e.Fix = fix.Sentence("leave the route out, or give it another metric")
		return e
	}
	switch {
	case !r.Via.IsValid() || r.kept.onlink || r.kept.elsewhere != 0 || n.near.Contains(r.Via) && !(asked && local):
		return nil
	case !asked && p.want.MoveAddresses: // it was reachable through the port
		return nil
	case !asked:
		return p.refuse(cause.NoGateway, "route "+r.String(),
			"the kernel drops it with the last IPv4 address, and without one its gateway cannot be reached")
	case local:
		return p.refuse(cause.NoGateway, "route "+r.String(), "the gateway is an address of the device itself")
	case r.Via.Is6() && r.Via.IsLinkLocalUnicast() || p.have.MasterKind == "vrf": // a VRF may reach it by another port
		return nil
	}
	return p.refuse(cause.NoGateway, "route "+r.String(), "")
}

// derives reports whether the kernel adds a route with the key of r for an address, or keeps the one that it added. The
// administrator may have removed it.
func (p *planner) derives(a Address, r Route) bool {
	if slices.ContainsFunc(p.have.Addresses, a.same) {
		there := func(o Route) bool { return o.key() == r.key() }
		return p.have.how <= shallow || slices.ContainsFunc(p.have.prefixes, there)
	}
	const metricOfAddress = 256 // in IPv6
	metric := map[bool]uint32{true: metricOfAddress}[a.Local.Is6()]
	return r.metric() == metric && r.table() == link.TableMain && p.have.MasterKind != "vrf"
}

// addressInTheWay returns an address that is asked for, and an address that stays on the device and excludes it.
func (p *planner) addressInTheWay() (asked Address, other *Address) {
	if len(p.origin().Addresses)*len(p.want.addresses()) == 0 {
		return asked, nil
	}
	exactly, goes := setOfAddresses(p.want.addresses()), setOfAddresses(p.want.RemoveAddresses)
	staying := map[netip.Addr][]Address{}
	for _, a := range p.origin().Addresses {
		if stays(a, p.want.Addresses == nil, exactly, goes) {
			staying[a.Local] = append(staying[a.Local], a)
		}
	}
	for _, asked = range p.want.addresses() {
		for _, a := range staying[asked.Local] {
			if !a.same(asked) && (a.Local.Is6() || a.Subnet() == asked.Subnet()) {
				return asked, &a
			}
		}
	}
	return asked, nil
}

// conflict returns a route that is asked for, and the route of the device that excludes it.
func (p *planner) conflict() (asked Route, other *Route) {
	if len(p.want.AddRoutes) == 0 {
		return asked, nil
	}
	byKey := map[routeKey][]Route{}
	for _, r := range p.have.Routes {
		byKey[r.key()] = append(byKey[r.key()], r)
	}
	for _, asked = range p.want.AddRoutes {
		for _, r := range byKey[asked.key()] {
			if !r.same(asked) && r.kept.elsewhere == 0 && !slices.ContainsFunc(p.want.RemoveRoutes, r.same) {
				return asked, &r
			}
		}
	}
	return asked, nil
}

// yield removes a route, or the device that has it, before another device of the run gets the route. The kernel refuses
// the same route twice, and the order of the devices in a file is not the order of work. A bridge stays until its ports
// are gone.
func yield(jobs []*job) {
	wanted := map[routeKey][]*job{}
	for _, j := range jobs {
		for _, s := range j.steps {
			if j.err == nil && s.Kind == StepAddRoute && !s.Route.kept.moved {
				wanted[s.Route.key()] = append(wanted[s.Route.key()], j)
			}
		}
	}
	for _, j := range jobs {
		byOther := func(r Route) bool {
			return slices.ContainsFunc(wanted[r.key()], func(o *job) bool { return o != j }) && r.kept.elsewhere == 0
		}
		var early []Step
		for i := range j.steps {
			switch s := &j.steps[i]; {
			case j.err != nil || len(wanted) == 0 || j.kind() == Port: // a port loses its routes only to its bridge
			case s.Kind == StepRemoveRoute && byOther(*s.Route):
				s.phase = phaseYield
			case s.Kind == StepDelete && s.old.Kind == Bridge:
				for _, r := range matching(s.old.Routes, byOther) {
					early = append(early, Step{Kind: StepRemoveRoute, Device: s.Device, Index: s.Index, Route: &r,
						phase: phaseYield})
				}
			case s.Kind == StepDelete && slices.ContainsFunc(s.old.Routes, byOther):
				s.phase = phaseClear
			}
		}
		if len(early) > 0 {
			j.steps = append(early, j.steps...)
		}
	}
}
