package netcfg

import (
	"net/netip"
	"slices"

	"github.com/tunadm/tunadm/internal/cause"
)

// This file holds the properties that the kernel couples: a change of one changes another, or excludes it.

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
				return r.sameKey(o) && r.kept.expires == o.kept.expires
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
