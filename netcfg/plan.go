package netcfg

import (
	"fmt"
	"net/netip"
	"slices"
)

// Plan is the list of steps that turn the device have into what want asks, in the order in which they are
// done. A nil want is a device that is to be gone, a nil have one that is absent. No steps: all is as asked.
// An error is an [*Error]: what is asked cannot be, or not without taking something from somebody.
func Plan(want *Spec, have *Device) ([]Step, error) {
	switch {
	case want == nil && have == nil:
		return nil, nil
	case have != nil && have.Kind != "tun":
		return nil, &Error{Device: have.Name, Cause: OtherKind, Detail: "it is " + have.KindWords() + ", not a TUN/TAP device"}
	case want == nil:
		return []Step{{Kind: StepDelete, Device: have.Name, Index: have.Index, Old: have, phase: phaseDelete}}, nil
	}
	p := planner{want: want, have: have}
	if have == nil {
		p.create()
	} else if err := p.match(); err != nil {
		return nil, err
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	p.link()
	p.addresses()
	p.routes()
	p.shrink()
	p.master()
	p.access()
	return slices.Concat(p.steps[:]...), nil
}

type planner struct {
	want  *Spec
	have  *Device
	steps [phases][]Step

	withoutIPv6 bool // the MTU allows none; what link-local address there was goes
}

// step appends a step, made out to the device at hand, to its phase.
func (p *planner) step(ph phase, s Step) {
	s.Device, s.Index, s.phase = p.have.Name, p.have.Index, ph
	p.steps[ph] = append(p.steps[ph], s)
}

func (p *planner) create() {
	asked := *p.want
	if asked.Access == nil {
		asked.Access = Root()
	}
	p.have = fresh(asked.Name, asked.Mode)
	p.have.Access = *asked.Access
	p.have.MultiQueue = asked.MultiQueue != nil && *asked.MultiQueue
	p.step(phaseCreate, Step{Kind: StepCreate, New: &asked})
}

// match refuses a live device that is not, and cannot become, what is asked.
func (p *planner) match() error {
	w, h := p.want, p.have
	switch {
	case w.Mode != 0 && w.Mode != h.Mode:
		return p.refuse(WrongMode, "", "it is a "+h.Mode.String()+", not a "+w.Mode.String())
	case w.MultiQueue != nil && *w.MultiQueue != h.MultiQueue:
		return p.refuse(WrongQueues, "", map[bool]string{true: "it is multi-queue", false: "it is single-queue"}[h.MultiQueue])
	case w.Access != nil && !w.Access.reachable(h.Access):
		return p.refuse(OwnerFixed, "access "+w.Access.String(), "the kernel cannot unset an owner or a group, and it is "+h.Access.String())
	}
	return nil
}

// check refuses what the device's mode or its other properties do not go with.
func (p *planner) check() error {
	w, h := p.want, p.have
	mtu, up := h.MTU, h.Up
	if w.MTU != nil {
		mtu = *w.MTU
	}
	if w.undo {
		p.withoutIPv6 = mtu < MTUMinV6
		return nil
	}
	if w.MTU != nil {
		if err := h.Mode.CheckMTU(mtu); err != nil {
			return p.refuse(MTUBounds, fmt.Sprintf("mtu %d", mtu), err.Error())
		}
	}
	if w.Up != nil {
		up = *w.Up
	}
	after := Device{Addresses: p.targetAddresses(), Routes: p.targetRoutes()}
	switch v6 := after.ipv6(); {
	case w.MAC != nil && h.Mode == TUN:
		return p.refuse(TunHasNoMAC, "mac "+w.MAC.String(), "")
	case w.Master != nil && w.Master.Kind == "bridge" && h.Mode == TUN:
		return p.refuse(TunInBridge, "master "+Escape(w.Master.Name), "")
	case mtu < MTUMinV6 && v6 != "":
		return p.refuse(MTUBelowIPv6, fmt.Sprintf("mtu %d", mtu), "the kernel would take "+v6+" off the device")
	case w.asksRoute() && !up:
		return p.refuse(DeviceDown, "route "+w.routes()[0].String(), "")
	}
	p.withoutIPv6 = mtu < MTUMinV6
	return nil
}

func (p *planner) refuse(cause Cause, what, detail string) error {
	return &Error{Device: p.have.Name, Cause: cause, What: what, Detail: detail}
}

// link sets the properties that travel in one request. An MTU that takes IPv6 away and the way down come late.
func (p *planner) link() {
	w, h := p.want, p.have
	var l Link
	if !p.losesIPv6() {
		l.MTU = change(w.MTU, h.MTU)
	}
	if w.MAC != nil && !slices.Equal(w.MAC, h.MAC) {
		l.MAC = w.MAC
	}
	l.TxQueueLen = change(w.TxQueueLen, h.TxQueueLen)
	l.Alias = change(w.Alias, h.Alias)
	l.Promisc = change(w.Promisc, h.Promisc)
	l.Multicast = change(w.Multicast, h.Multicast)
	if up := change(w.Up, h.Up); up != nil && *up {
		l.Up = up
	} else if up != nil {
		p.step(phaseDown, Step{Kind: StepLink, Link: Link{Up: up}})
	}
	if len(l.split()) > 0 {
		p.step(phaseAdd, Step{Kind: StepLink, Link: l})
	}
}

// losesIPv6 says that the MTU falls below what IPv6 needs, with which the kernel drops more than the MTU says.
func (p *planner) losesIPv6() bool {
	return p.withoutIPv6 && p.want.MTU != nil && p.have.MTU >= MTUMinV6 && p.have.Index != 0
}

// shrink sets such an MTU, when the addresses and routes that are to go are gone.
func (p *planner) shrink() {
	if p.losesIPv6() {
		p.step(phaseReplace, Step{Kind: StepLink, Link: Link{MTU: p.want.MTU}})
	}
}

// change is want where it differs from have, and else nil.
func change[T comparable](want *T, have T) *T {
	if want == nil || *want == have {
		return nil
	}
	return want
}

func (p *planner) master() {
	m := p.want.Master
	if m == nil || m.Name == p.have.Master {
		return
	}
	if m.Kind == "bridge" && m.Empty {
		p.step(phaseMaster, Step{Kind: StepHold, Master: m})
	}
	p.step(phaseMaster, Step{Kind: StepMaster, Master: m})
}

func (p *planner) access() {
	if a := p.want.Access; a != nil && !a.same(p.have.Access) {
		p.step(phaseAccess, Step{Kind: StepAccess, Access: a, Old: p.have})
	}
}

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
	for _, a := range w.addresses() {
		if !slices.ContainsFunc(target, a.same) {
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
	for _, a := range add {
		ph := phaseAdd
		if slices.ContainsFunc(remove, a.displaces) {
			ph = phaseReplace
		}
		p.step(ph, Step{Kind: StepAddAddress, Address: a})
	}
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
		if (named || exact) && !slices.ContainsFunc(target, r.same) {
			p.step(phaseReplace, Step{Kind: StepRemoveRoute, Route: r})
		}
	}
	for _, r := range target {
		if slices.ContainsFunc(p.have.Routes, r.same) {
			continue
		}
		ph := phaseAdd
		if len(p.steps[phaseReplace]) > 0 {
			ph = phaseReplace
		}
		p.step(ph, Step{Kind: StepAddRoute, Route: r})
	}
}
