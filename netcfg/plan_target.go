package netcfg

import (
	"net/netip"
	"slices"

	"github.com/tunadm/tunadm/internal/link"
)

// origin returns the state whose addresses and routes are kept: the one before the change.
func (p *planner) origin() *Device {
	if p.want.before != nil {
		return p.want.before
	}
	return p.have
}

// goesDown reports whether the device is brought down. The kernel then removes its IPv6 addresses and all routes.
func (p *planner) goesDown() bool {
	return p.want.Up != nil && !*p.want.Up && p.origin().Up && !p.want.undo
}

// stays reports whether an existing address or route is kept. It is kept if all is set, if it is foreign, or if exactly
// contains it, but never if remove contains it.
func stays[T interface{ Foreign() bool }](x T, all bool, exactly, remove interface{ has(T) bool }) bool {
	return (all || x.Foreign() || exactly.has(x)) && !remove.has(x)
}

// targetAddresses returns the addresses that the device must have in the end, those that are kept first.
func (p *planner) targetAddresses() []Address {
	w := p.want
	if len(p.origin().Addresses) == 0 && !w.undo {
		return slices.Clip(w.addresses())
	}
	var target []Address
	was := map[link.Address]Address{} // an address that comes back has the flags and the lifetimes that it had
	exactly, goes, there := setOfAddresses(w.addresses()), setOfAddresses(w.RemoveAddresses), &addressSet{}
	for _, a := range p.origin().Addresses {
		lost := a.Local.Is6() && (p.goesDown() || p.withoutIPv6)
		if w.undo || !lost && stays(a, w.Addresses == nil, exactly, goes) {
			target = append(target, a)
			there.add(a)
		} else if lost {
			was[a.Bare()] = a
		}
	}
	asked, newest := w.addresses(), 0
	if w.undo { // keep addresses that another program added
		asked = p.have.Addresses
	}
	for _, a := range asked {
		if lost, known := was[a.Bare()]; known {
			a = lost
		}
		switch {
		case there.has(a) || w.undo && (goes.has(a) || there.hasOther(a)):
			continue
		case w.undo && a.Local.Is6(): // the kernel puts a new address there
			target = slices.Insert(target, newest, a)
			newest++
		default:
			target = append(target, a)
		}
		there.add(a)
	}
	return target
}

func (p *planner) addresses() {
	target, have := p.targetAddresses(), p.have.Addresses
	if slices.EqualFunc(target, have, Address.same) && !p.want.undo {
		return
	}
	goes, wanted, there := setOfAddresses(p.want.RemoveAddresses), setOfAddresses(target), setOfAddresses(have)
	remove, add := []Address(nil), slices.Clip(target)
	if len(have) > 0 || p.want.undo { // reorder changes the list
		add = matching(target, func(a Address) bool { return !there.has(a) })
	}
	for _, a := range have {
		exact := p.want.Addresses != nil && !a.Foreign()
		if (goes.has(a) || exact || wanted.hasOther(a)) && !wanted.has(a) {
			remove = append(remove, a)
		}
	}
	if p.want.undo {
		remove, add = reorder(target, have, remove, add)
	}
	if p.movesAway() {
		slices.Reverse(remove) // secondary addresses first
	}
	for _, a := range remove {
		p.step(phaseReplace, Step{Kind: StepRemoveAddress, address: &a})
	}
	if len(remove) == 0 {
		for i := range add {
			p.step(phaseAdd, Step{Kind: StepAddAddress, address: &add[i]})
		}
		return
	}
	early, late := add[:0:0], add[:0:0]
	for _, a := range add {
		// the kernel adds an IPv6 address before the others of its scope
		inOrder := p.want.undo && a.Local.Is6()
		if inOrder || slices.ContainsFunc(remove, a.displaces) {
			late = append(late, a)
		} else {
			early = append(early, a)
		}
	}
	p.dropped = dropped(append(slices.Clone(have), early...), remove)
	along, again := setOfAddresses(p.dropped), setOfAddresses(late)
	for _, a := range target {
		if along.has(a) && !again.has(a) {
			late = append(late, a)
		}
	}
	for _, a := range early {
		p.step(phaseAdd, Step{Kind: StepAddAddress, address: &a})
	}
	for _, a := range late {
		p.step(phaseReplace, Step{Kind: StepAddAddress, address: &a})
	}
	removed := setOfAddresses(remove)
	stay := func(a Address) bool { return a.Local.Is4() && !removed.has(a) && !along.has(a) }
	p.lastGoes = slices.ContainsFunc(remove, func(a Address) bool { return a.Local.Is4() }) &&
		!slices.ContainsFunc(have, stay) && !slices.ContainsFunc(early, stay)
}

// dropped returns the IPv4 addresses that the kernel removes with others: the secondaries of a subnet go with its
// primary, which is the first.
func dropped(have, remove []Address) []Address {
	var along []Address
	left := slices.Clone(have)
	for _, r := range remove {
		inSubnet := func(a Address) bool { return a.Local.Is4() && a.Subnet() == r.Subnet() }
		primary := slices.IndexFunc(left, inSubnet)
		isPrimary := primary >= 0 && left[primary].same(r)
		left = slices.DeleteFunc(left, r.same)
		if isPrimary {
			for _, a := range left {
				if inSubnet(a) && !slices.ContainsFunc(remove, a.same) {
					along = append(along, a)
				}
			}
			left = slices.DeleteFunc(left, inSubnet)
		}
	}
	return along
}

// reorder changes remove and add so that the addresses end in the order of target. In IPv4, the first address of a
// subnet is its primary, and the first of all is the default source; a new address comes last. In IPv6, a new address
// comes before those of its scope, and the first that matches is the source.
func reorder(target, have, remove, add []Address) (_, _ []Address) {
	var again []Address
	staying := setOfAddresses(target)
	for _, scope := range link.Scopes {
		of := func(list []Address) []Address {
			return matching(list, func(a Address) bool { return link.ScopeOf(a.Local) == scope })
		}
		wanted, there := of(target), matching(of(have), staying.has)
		if scope != link.ScopeV4 {
			slices.Reverse(wanted) // oldest first
			slices.Reverse(there)
		}
		n := 0
		for n < len(wanted) && n < len(there) && wanted[n].same(there[n]) {
			n++
		}
		again = append(again, there[n:]...)
		add = slices.DeleteFunc(add, func(a Address) bool { return link.ScopeOf(a.Local) == scope })
		add = append(add, wanted[n:]...)
	}
	listed := setOfAddresses(again)
	for _, a := range remove {
		if !listed.has(a) {
			again = append(again, a)
		}
	}
	return again, add
}

// targetRoutes returns the routes that must exist in the end, those that are kept first.
func (p *planner) targetRoutes() []Route {
	w := p.want
	if len(p.origin().Routes)+len(w.routes()) == 0 {
		return nil
	}
	before, after := hosts(p.origin().Addresses), hosts(p.targetAddresses())
	sourceGoes := func(r Route) bool { return before[r.Source] && !after[r.Source] }
	var target []Route
	exactly, goes, there := setOfRoutes(w.routes()), setOfRoutes(w.RemoveRoutes), routeSet{}
	for _, r := range p.origin().Routes {
		lost := p.goesDown() || r.To.Addr().Is6() && p.withoutIPv6
		if w.undo || !lost && !sourceGoes(r) && stays(r, w.Routes == nil, exactly, goes) {
			target = append(target, r)
			there.add(r)
		}
	}
	for _, r := range w.routes() {
		if !there.has(r) {
			target = append(target, r)
			there.add(r)
		}
	}
	return target
}

func (p *planner) routes() {
	target := p.targetRoutes()
	if len(target)+len(p.have.Routes) == 0 {
		p.prefixes()
		return
	}
	goes, wanted, there := setOfRoutes(p.want.RemoveRoutes), setOfRoutes(target), setOfRoutes(p.have.Routes)
	for _, r := range p.have.Routes {
		// routes with another type of service may have the same way
		named := !r.Foreign() && p.want.Routes != nil || goes.has(r) && (!r.Foreign() || p.want.Kind == Port)
		changed := slices.ContainsFunc(wanted[r.way()], r.sameOrigin) // the kernel changed its source or its MTU
		if (named || changed) && !p.in(wanted, r) {
			p.step(phaseReplace, Step{Kind: StepRemoveRoute, Route: &r})
		}
	}
	ph, drops := phaseAdd, p.drops()
	if slices.ContainsFunc(p.steps, func(s Step) bool { return s.phase == phaseReplace }) {
		ph = phaseReplace
	}
	for _, far := range []bool{false, true} { // a gateway may be in the network of another route
		for _, r := range target {
			if r.Via.IsValid() == far && (!p.in(there, r) || drops(r)) {
				ph := ph
				if r.merges() || p.want.undo && p.want.Kind == Bridge && r.To.Addr().Is6() {
					ph = phaseReplace // in one request with the removal from the port, see merges
				}
				p.step(ph, Step{Kind: StepAddRoute, Route: &r})
			}
		}
	}
	p.prefixes()
}

// in reports whether a set contains a route. In an undo, the metrics must match too: the kernel changes one of them
// with the MTU of the device.
func (p *planner) in(set routeSet, r Route) bool {
	return slices.ContainsFunc(set[r.way()], func(o Route) bool {
		asked := r.kept.message == nil || o.kept.message == nil
		return r.same(o) && (!p.want.undo || asked || r.sameOrigin(o) && r.kept.metrics == o.kept.metrics)
	})
}

// drops returns a function that reports whether the kernel removes an IPv4 route with the addresses that are removed:
// with its source, or with the last address of the device.
func (p *planner) drops() func(Route) bool {
	gone := hosts(p.dropped)
	for _, s := range p.steps {
		if s.Kind == StepRemoveAddress {
			gone[s.address.Local] = true
		}
	}
	return func(r Route) bool {
		return r.To.Addr().Is4() && (gone[r.Source] || p.lastGoes && r.kept.elsewhere == 0)
	}
}

// hosts returns the addresses without their prefix lengths and peers.
func hosts(list []Address) map[netip.Addr]bool {
	all := make(map[netip.Addr]bool, len(list))
	for _, a := range list {
		all[a.Local] = true
	}
	return all
}
