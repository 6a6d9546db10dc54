package netcfg

import (
	"net/netip"
	"slices"

	"github.com/tunadm/tunadm/internal/cause"
)

// This file holds the routes and addresses that the kernel couples: a change of one changes another, or excludes it.

// prefixes restores, in an undo, the prefix routes that IPv6 derived from addresses. An address that is added and
// removed changes the routes of other addresses in its prefix.
func (p *planner) prefixes() {
	was, is := p.origin(), p.have
	if !p.want.undo || was.how == shallow || is.how == shallow {
		return
	}
	missing := func(from, in []Route) []Route {
		return matching(from, func(r Route) bool {
			return !slices.ContainsFunc(in, func(o Route) bool {
				return r.same(o) && r.kept.metrics == o.kept.metrics && r.kept.expires == o.kept.expires
			})
		})
	}
	for _, r := range missing(is.prefixes, was.prefixes) {
		p.step(phaseReplace, Step{Kind: StepRemoveRoute, Route: r})
	}
	for _, r := range missing(was.prefixes, is.prefixes) {
		p.step(phaseReplace, Step{Kind: StepAddRoute, Route: r})
	}
}

// checkGateways returns an error if a route would be lost with the addresses that are removed, and could not be
// restored: its gateway would be on no link of the device.
func (p *planner) checkGateways() error {
	if p.want.undo {
		return nil
	}
	addresses, routes := p.targetAddresses(), p.targetRoutes()
	for _, s := range p.steps {
		r := s.Route
		if s.Kind != StepAddRoute || r.kept.message == nil || !r.Via.IsValid() || r.kept.onlink ||
			r.kept.elsewhere != 0 {
			continue
		}
		near := slices.ContainsFunc(addresses, func(a Address) bool { return a.subnet().Contains(r.Via) }) ||
			slices.ContainsFunc(routes, func(o Route) bool {
				return !o.Via.IsValid() && o.kept.elsewhere == 0 && o.To.Contains(r.Via)
			})
		if !near {
			return p.refuse(cause.NoGateway, "route "+r.String(),
				"the kernel drops it with the last IPv4 address, and without one its gateway cannot be reached")
		}
	}
	return nil
}

// addressInTheWay returns an address that is asked for, and an address that stays on the device and excludes it.
func (p *planner) addressInTheWay() (asked Address, other *Address) {
	exactly, goes := setOfAddresses(p.want.addresses()), setOfAddresses(p.want.RemoveAddresses)
	staying := map[netip.Addr][]Address{}
	for _, a := range p.origin().Addresses {
		if stays(a, p.want.Addresses == nil, exactly, goes) {
			staying[a.Local] = append(staying[a.Local], a)
		}
	}
	for _, asked = range p.want.addresses() {
		for _, a := range staying[asked.Local] {
			if !a.same(asked) && (a.Local.Is6() || a.subnet() == asked.subnet()) {
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
// the same route twice, and the order of the devices in a file is not the order of work.
func yield(jobs []*job) {
	wanted := map[routeKey][]*job{}
	for _, j := range jobs {
		for _, s := range j.steps {
			if j.err == nil && s.Kind == StepAddRoute {
				wanted[s.Route.key()] = append(wanted[s.Route.key()], j)
			}
		}
	}
	for _, j := range jobs {
		byOther := func(r Route) bool {
			return slices.ContainsFunc(wanted[r.key()], func(o *job) bool { return o != j }) && r.kept.elsewhere == 0
		}
		for i := range j.steps {
			switch s := &j.steps[i]; {
			case j.err != nil || len(wanted) == 0:
			case s.Kind == StepRemoveRoute && byOther(s.Route):
				s.phase = phaseYield
			case s.Kind == StepDelete && slices.ContainsFunc(s.old.Routes, byOther):
				s.phase = phaseClear
			}
		}
	}
}
