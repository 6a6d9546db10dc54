package netcfg

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/internal/words"
)

// Impossible returns the errors of all properties that no device can have, in any state of the kernel. It does not
// check Access.
func (want *Spec) Impossible() []error {
	p := planner{want: want, have: want.fresh()}
	mtu := p.have.MTU
	if want.MTU != nil {
		mtu = *want.MTU
		if err := want.Mode.CheckMTU(mtu); err != nil {
			return []error{p.refuse(cause.MTUBounds, fmt.Sprintf("mtu %d", mtu), err.Error())}
		}
	}
	return p.refusals(mtu, want.Up != nil && *want.Up)
}

// Plan returns the steps that change the device have into want, in the order in which they run. A nil want deletes the
// device; a nil have means that it does not exist. Plan returns no steps if the device already is as asked. The error
// is a [*cause.Error] if the change is impossible, or would remove other settings.
func Plan(want *Spec, have *Device) ([]Step, error) {
	switch {
	case want == nil && have == nil:
		return nil, nil
	case want != nil && have != nil && !isKind(want.Kind, have):
		return nil, notKind(want.Kind, have)
	case want == nil && have.Kind != "tun" && have.Kind != Bridge:
		return nil, have.NotOurs(have.Name)
	case want == nil:
		return []Step{{Kind: StepDelete, Device: have.Name, Index: have.Index, old: have, phase: phaseDelete}}, nil
	}
	p := planner{want: want, have: have}
	if have == nil {
		p.create()
	} else if err := p.match(); err != nil && !want.Replace {
		return nil, err
	} else if err != nil {
		p.replace()
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	if p.movesAway() { // first: between the two, the link without its addresses has no connection
		p.join(phaseReplace)
	}
	p.sysctls()
	p.link()
	p.addresses()
	p.routes()
	if err := p.checkRoutes(); err != nil {
		return nil, err
	}
	p.shrink()
	if want.Kind != Port || want.undo {
		p.join(phaseMaster)
	}
	p.port()
	p.rename()
	p.access()
	slices.SortStableFunc(p.steps, func(a, b Step) int { return cmp.Or(int(a.phase-b.phase), p.order(a)-p.order(b)) })
	return p.steps, nil
}

type planner struct {
	want  *Spec
	have  *Device
	steps []Step // in the order of planning

	withoutIPv6 bool      // the MTU allows no IPv6; the kernel removes the link-local address
	dropped     []Address // the addresses that the kernel removes with others
	lastGoes    bool      // for a moment the device has no IPv4 address, and so no IPv4 route
}

// step appends a step for this device to its phase.
func (p *planner) step(ph phase, s Step) {
	const usual = 3 // create a device, set it up, add an address
	if p.steps == nil {
		p.steps = make([]Step, 0, usual)
	}
	s.Device, s.Index, s.phase = p.have.Name, p.have.Index, ph
	p.steps = append(p.steps, s)
}

func (p *planner) create() {
	asked := p.want
	if asked.Access == nil {
		owned := *asked
		owned.Access, asked = users.Root(), &owned
	}
	p.have = asked.fresh()
	p.have.Access = *asked.Access
	p.have.MultiQueue = asked.MultiQueue != nil && *asked.MultiQueue
	p.step(phaseCreate, Step{Kind: StepCreate, create: asked})
}

// replace re-creates the device, with only the properties that are asked.
func (p *planner) replace() {
	p.step(phaseClear, Step{Kind: StepDelete, old: p.have})
	if want := *p.want; !want.undo {
		want.before = nil
		p.want = &want
	}
	p.create()
}

// match returns an error if the existing device differs, and cannot be changed.
func (p *planner) match() error {
	w, h := p.want, p.have
	switch {
	case w.Mode != 0 && w.Mode != h.Mode:
		return p.refuse(cause.WrongMode, "", "it is a "+h.Mode.String()+", not a "+w.Mode.String())
	case w.MultiQueue != nil && *w.MultiQueue != h.MultiQueue:
		return p.refuse(cause.WrongQueues, "",
			map[bool]string{true: "it is multi-queue", false: "it is single-queue"}[h.MultiQueue])
	case w.Access != nil && !w.Access.Reachable(h.Access) && (!w.undo || w.Replace):
		return p.refuseAccess()
	}
	return nil
}

// check returns an error if the request contradicts the device's mode or its other properties.
func (p *planner) check() error {
	w, h := p.want, p.have
	mtu, up := h.MTU, h.Up
	if w.MTU != nil {
		mtu = *w.MTU
	}
	if w.undo {
		p.withoutIPv6 = mtu < link.MTUMinV6
		return nil
	}
	if w.MTU != nil {
		if err := h.Mode.CheckMTU(mtu); err != nil {
			return p.refuse(cause.MTUBounds, fmt.Sprintf("mtu %d", mtu), err.Error())
		}
	}
	if all := p.refusals(mtu, w.Up != nil && *w.Up || w.Up == nil && up); len(all) > 0 {
		return all[0]
	}
	p.withoutIPv6 = mtu < link.MTUMinV6
	return nil
}

// refusals returns the errors of all properties that contradict each other.
func (p *planner) refusals(mtu int, up bool) (all []error) {
	w, h := p.want, p.have
	refuse := func(wrong bool, cause cause.Cause, what, detail string) {
		if wrong {
			all = append(all, p.refuse(cause, what, detail))
		}
	}
	if r, other := p.conflict(); other != nil {
		refuse(true, cause.RouteTaken, "route "+r.String(), "the device has "+other.String()+" already")
	}
	if a, other := p.addressInTheWay(); other != nil {
		e := p.refuse(cause.AddressTaken, "address "+a.Words(), "the device has "+other.Words()+" already")
		e.Fix = fix.Run(fix.Tunadm("set", h.Name, "--remove-address", other.Words(), "--add-address", a.Words()))
		all = append(all, e)
	}
	refuse(w.MAC != nil && h.Mode == link.TUN, cause.TunHasNoMAC, "mac "+w.MAC.String(), "")
	if w.Master != nil {
		refuse(w.Master.kind == "bridge" && h.Mode == link.TUN, cause.TunInBridge,
			"master "+words.Escape(w.Master.Name), "")
	}
	if mtu < link.MTUMinV6 {
		v6 := p.ipv6()
		refuse(v6 != "", cause.MTUBelowIPv6, fmt.Sprintf("mtu %d", mtu),
			"the kernel would remove "+v6+" from the device")
	}
	if w.asksRoute() {
		refuse(!up, cause.DeviceDown, "route "+w.routes()[0].String(), "")
	}
	return all
}

// ipv6 returns an address or a route, as text, that the device would lose with an MTU below 1280, or "".
func (p *planner) ipv6() string {
	after := Device{Addresses: p.targetAddresses(), Routes: p.targetRoutes()}
	if v6 := after.ipv6(); v6 != "" {
		return v6
	}
	for _, a := range p.want.addresses() { // an address that is asked for counts, even if it is link-local
		if a.Local.Is6() {
			return a.String()
		}
	}
	for _, r := range p.want.routes() {
		if r.To.Addr().Is6() {
			return r.String()
		}
	}
	return ""
}

// refuseAccess returns an error, with the possible alternatives, if an owner or a group would have to be removed.
func (p *planner) refuseAccess() error {
	want, have := p.want.Access, p.have.Access
	fix := cause.Recreate(p.have.Name)
	switch {
	case want.User != nil && want.Group == nil && have.Group != nil:
		fix.Before = "keep the group: --user " + words.Quote(want.User.String()) +
			" --group " + words.Quote(have.Group.String()) + "; or "
	case want.Group != nil && want.User == nil && have.User != nil:
		fix.Before = "keep the owner: --user " + words.Quote(have.User.String()) +
			" --group " + words.Quote(want.Group.String()) + "; or "
	}
	detail := "the kernel cannot remove an owner or a group, and the device has " + have.Parts()
	return &cause.Error{Device: p.have.Name, Cause: cause.OwnerFixed, What: "access " + want.String(), Detail: detail,
		Fix: fix}
}

func (p *planner) refuse(reason cause.Cause, what, detail string) *cause.Error {
	return &cause.Error{Device: p.have.Name, Cause: reason, What: what, Detail: detail}
}

// link plans the properties that one request sets. An MTU that removes IPv6, and the step that brings the device down,
// come late.
func (p *planner) link() {
	w, h := p.want, p.have
	var l Link
	if !p.losesIPv6() {
		if l.MTU = change(w.MTU, h.MTU); h.Kind == Bridge && h.Index == 0 {
			l.MTU = w.MTU // an MTU that was not set follows the ports
		}
	}
	if w.MAC != nil && !slices.Equal(w.MAC, h.MAC) {
		l.MAC = w.MAC
	}
	l.TxQueueLen = change(w.TxQueueLen, h.TxQueueLen)
	l.Alias = change(w.Alias, h.Alias)
	l.Promisc = change(w.Promisc, h.Promisc)
	l.Multicast = change(w.Multicast, h.Multicast)
	l.Group = change(w.Group, h.group)
	p.settings(&l)
	if was, doomed := undoomed(h.group); doomed && w.Group == nil && h.Kind == "tun" {
		l.Group = &was
	}
	if up := change(w.Up, h.Up); up != nil && *up {
		l.Up = up
	} else if up != nil {
		p.step(phaseDown, Step{Kind: StepLink, link: &Link{Up: up}})
	}
	if !l.Empty() {
		p.step(phaseAdd, Step{Kind: StepLink, link: &l})
	}
}

// losesIPv6 reports whether the MTU falls below the minimum of IPv6. The kernel then removes all IPv6 state.
func (p *planner) losesIPv6() bool {
	return p.withoutIPv6 && p.want.MTU != nil && p.have.MTU >= link.MTUMinV6 && p.have.Index != 0
}

// shrink sets such an MTU after the addresses and routes are removed.
func (p *planner) shrink() {
	if p.losesIPv6() {
		p.step(phaseReplace, Step{Kind: StepLink, link: &Link{MTU: p.want.MTU}})
	}
}

// rename plans the new name. On older kernels the device is down for a moment. The engine restores what this drops.
func (p *planner) rename() {
	w := p.want
	if w.Rename == "" || w.Rename == p.have.Name {
		return
	}
	up, off := w.Up != nil && *w.Up || w.Up == nil && p.have.Up, false
	if up && w.downRename {
		p.step(phaseRename, Step{Kind: StepLink, link: &Link{Up: &off}})
	}
	p.step(phaseRename, Step{Kind: StepRename, name: w.Rename, down: w.downRename})
	if up && w.downRename {
		p.step(phaseRename, Step{Kind: StepLink, link: &Link{Up: &up}})
	}
}

// change returns want if it differs from have, and else nil.
func change[T comparable](want *T, have T) *T {
	if want == nil || *want == have {
		return nil
	}
	return want
}

func (p *planner) access() {
	if a := p.want.Access; a != nil && !a.Same(p.have.Access) && a.Reachable(p.have.Access) {
		p.step(phaseAccess, Step{Kind: StepAccess, access: a, old: p.have})
	}
}
