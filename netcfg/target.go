package netcfg

import (
	"net/netip"
	"slices"
)

// origin is the state whose addresses and routes are to stay: the one before the work began.
func (p *planner) origin() *Device {
	if p.want.before != nil {
		return p.want.before
	}
	return p.have
}

// goesDown says that the device is to be taken down, with which the kernel drops IPv6 addresses and all routes.
func (p *planner) goesDown() bool {
	return p.want.Up != nil && !*p.want.Up && p.origin().Up && !p.want.undo
}

// stays says whether something that was there is still wanted: it is on the list of what is to be there, if it is
// the administrator's and there is such a list, and not on that of what is to go.
func stays[T interface {
	same(T) bool
	Foreign() bool
}](x T, exactly *[]T, remove []T) bool {
	return (exactly == nil || x.Foreign() || slices.ContainsFunc(*exactly, x.same)) && !slices.ContainsFunc(remove, x.same)
}

// targetAddresses are the addresses that the device is to have in the end, those that are to stay first.
func (p *planner) targetAddresses() []Address {
	w := p.want
	var target []Address
	for _, a := range p.origin().Addresses {
		lost := a.Local.Is6() && (p.goesDown() || p.withoutIPv6)
		if w.undo || !lost && stays(a, w.Addresses, w.RemoveAddresses) {
			target = append(target, a)
		}
	}
	asked := w.addresses()
	if w.undo { // what others added meanwhile stays, behind the rest
		asked = p.have.Addresses
	}
	for _, a := range asked {
		if !slices.ContainsFunc(target, a.same) && !slices.ContainsFunc(w.RemoveAddresses, a.same) {
			target = append(target, a)
		}
	}
	return target
}

func (p *planner) addresses() {
	target, have := p.targetAddresses(), p.have.Addresses
	var remove, add []Address
	for _, a := range have {
		named := slices.ContainsFunc(p.want.RemoveAddresses, a.same)
		exact := p.want.Addresses != nil && !a.Foreign()
		if (named || exact) && !slices.ContainsFunc(target, a.same) {
			remove = append(remove, a)
		}
	}
	for _, a := range target {
		if !slices.ContainsFunc(have, a.same) {
			add = append(add, a)
		}
	}
	if p.want.undo {
		remove, add = reorder(target, have, remove, add)
	}
	for _, a := range remove {
		p.step(phaseReplace, Step{Kind: StepRemoveAddress, Address: a})
	}
	early, late := add[:0:0], add[:0:0]
	for _, a := range add {
		if slices.ContainsFunc(remove, a.displaces) {
			late = append(late, a)
		} else {
			early = append(early, a)
		}
	}
	p.dropped = dropped(append(slices.Clone(have), early...), remove)
	for _, a := range target {
		if slices.ContainsFunc(p.dropped, a.same) && !slices.ContainsFunc(late, a.same) {
			late = append(late, a)
		}
	}
	for _, a := range early {
		p.step(phaseAdd, Step{Kind: StepAddAddress, Address: a})
	}
	for _, a := range late {
		p.step(phaseReplace, Step{Kind: StepAddAddress, Address: a})
	}
	stay := func(a Address) bool {
		return a.Local.Is4() && !slices.ContainsFunc(remove, a.same) && !slices.ContainsFunc(p.dropped, a.same)
	}
	p.lastGoes = slices.ContainsFunc(remove, func(a Address) bool { return a.Local.Is4() }) &&
		!slices.ContainsFunc(have, stay) && !slices.ContainsFunc(early, stay)
}

// dropped are the IPv4 addresses that the kernel takes along when some are removed: the secondaries of a subnet go with its primary,
// which is the first.
func dropped(have, remove []Address) []Address {
	var along []Address
	left := slices.Clone(have)
	for _, r := range remove {
		inSubnet := func(a Address) bool { return a.Local.Is4() && a.subnet() == r.subnet() }
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

// reorder makes remove and add bring the IPv4 addresses back in the order of target: the first of a subnet is
// its primary, and the first of all is the source of what names none. IPv6 puts a new address before the old.
func reorder(target, have, remove, add []Address) (_, _ []Address) {
	is6 := func(a Address) bool { return a.Local.Is6() }
	want4, have4 := slices.DeleteFunc(slices.Clone(target), is6), slices.DeleteFunc(slices.Clone(have), is6)
	n := 0
	for n < len(want4) && n < len(have4) && want4[n].same(have4[n]) {
		n++
	}
	is4 := func(a Address) bool { return a.Local.Is4() }
	add6 := slices.DeleteFunc(add, is4)
	slices.Reverse(add6)
	return append(slices.DeleteFunc(remove, is4), have4[n:]...), append(add6, want4[n:]...)
}

// targetRoutes are the routes that are to be there in the end, those that are to stay first.
func (p *planner) targetRoutes() []Route {
	w, addresses := p.want, p.targetAddresses()
	has := func(list []Address, ip netip.Addr) bool {
		return slices.ContainsFunc(list, func(a Address) bool { return a.Local == ip })
	}
	sourceGoes := func(r Route) bool {
		return has(p.origin().Addresses, r.kept.source) && !has(addresses, r.kept.source)
	}
	var target []Route
	for _, r := range p.origin().Routes {
		lost := p.goesDown() || r.To.Addr().Is6() && p.withoutIPv6
		if w.undo || !lost && !sourceGoes(r) && stays(r, w.Routes, w.RemoveRoutes) {
			target = append(target, r)
		}
	}
	for _, r := range w.routes() {
		if !slices.ContainsFunc(target, r.same) {
			target = append(target, r)
		}
	}
	return target
}

func (p *planner) routes() {
	target := p.targetRoutes()
	for _, r := range p.have.Routes {
		named := slices.ContainsFunc(p.want.RemoveRoutes, r.same)
		exact := p.want.Routes != nil && !r.Foreign()
		changed := slices.ContainsFunc(target, r.alike) // the kernel took its source from it
		if (named || exact || changed) && !slices.ContainsFunc(target, r.same) {
			p.step(phaseReplace, Step{Kind: StepRemoveRoute, Route: r})
		}
	}
	for _, r := range target {
		if slices.ContainsFunc(p.have.Routes, r.same) && !p.drops(r) {
			continue
		}
		ph := phaseAdd
		if slices.ContainsFunc(p.steps, func(s Step) bool { return s.phase == phaseReplace }) {
			ph = phaseReplace
		}
		p.step(ph, Step{Kind: StepAddRoute, Route: r})
	}
}

// drops says whether the kernel takes an IPv4 route along with the addresses that are removed: with its source, and with the last
// address of the device.
func (p *planner) drops(r Route) bool {
	if !r.To.Addr().Is4() {
		return false
	}
	sourceGoes := slices.ContainsFunc(p.steps, func(s Step) bool {
		return s.Kind == StepRemoveAddress && s.Address.Local == r.kept.source
	}) || slices.ContainsFunc(p.dropped, func(a Address) bool { return a.Local == r.kept.source })
	return sourceGoes || p.lastGoes && r.kept.elsewhere == 0
}
