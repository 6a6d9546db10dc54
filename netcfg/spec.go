package netcfg

import (
	"fmt"
	"slices"
)

// A Spec is what the administrator asks of one device. A nil field asks nothing; an empty list asks for none.
type Spec struct {
	Name   string // may hold one %d in an add
	Mode   Mode   // zero: what the device has; in an add, what the name begins with
	Access *Access
	Keep   bool // an owner or a group that Access does not name stays as it is

	Link
	Master *Master // one without a name: none

	Addresses                     *[]Address // exactly these
	AddAddresses, RemoveAddresses []Address
	Routes                        *[]Route // exactly these
	AddRoutes, RemoveRoutes       []Route

	// For a device that is to be made. MultiQueue never changes afterwards; PI, VnetHdr and OneQueue, which means
	// nothing since Linux 3.8, are every attaching program's own affair, and are not compared.
	MultiQueue            *bool
	PI, VnetHdr, OneQueue bool

	Replace bool // a live device that can never be as asked is deleted and made anew

	// before is the device as it was when work on it began: what the kernel drops on the way is wanted back.
	before *Device
	undo   bool // everything is to be as in before, down to the order of the addresses
}

// A Master is the bridge or VRF that a device is to join. All but Name is looked up by the engine.
type Master struct {
	Name  string
	Index int
	Kind  string // "bridge", "vrf", ...
	MTU   int    // bytes
	MAC   MAC
	empty bool // nothing has joined it yet, and nothing is to before this device
	hold  bool // it would take the device's address for its own; fix the one that it has first
	met   bool // a device of this run is to join it
}

// Check tells what the Spec itself shows to be impossible, whatever the device: something that is asked for twice, or
// to be there and gone.
func (s *Spec) Check() error {
	for _, a := range s.RemoveAddresses {
		if slices.ContainsFunc(s.AddAddresses, a.same) {
			return badSpec("address %s: to be added and removed", a)
		}
	}
	for _, r := range s.RemoveRoutes {
		if slices.ContainsFunc(s.AddRoutes, r.same) {
			return badSpec("route %s: to be added and removed", r)
		}
	}
	return s.checkTwice()
}

// checkTwice refuses an address or a route that is asked for twice over.
func (s *Spec) checkTwice() error {
	addresses, routes := s.addresses(), s.routes()
	seen := make(map[addressKey]bool, len(addresses))
	for _, a := range addresses {
		key := a.key()
		if a.Local.Is6() {
			key = addressKey{local: a.Local} // IPv6 has an address once, of whatever length
		}
		if seen[key] {
			return badSpec("address %s: asked for twice", a)
		}
		seen[key] = true
	}
	asked := make(map[routeKey]bool, len(routes))
	for _, r := range routes {
		if asked[r.key()] {
			return badSpec("route %s: asked for twice", r)
		}
		asked[r.key()] = true
	}
	return nil
}

// CheckNew is Check for a device that is to be made: its mode must be known, or be told by its name.
func (s *Spec) CheckNew() error {
	if s.Mode == 0 {
		s.Mode = ModeOf(s.Name)
	}
	if s.Mode == 0 {
		return badSpec("mode: %q begins with neither tun nor tap: say --mode tun or --mode tap", s.Name)
	}
	return s.Check()
}

func (s *Spec) addresses() []Address {
	if s.Addresses != nil {
		return append(slices.Clone(*s.Addresses), s.AddAddresses...)
	}
	return s.AddAddresses
}

func (s *Spec) routes() []Route {
	if s.Routes != nil {
		return append(slices.Clone(*s.Routes), s.AddRoutes...)
	}
	return s.AddRoutes
}

func (s *Spec) asksRoute() bool { return len(s.routes()) > 0 }

// badSpec is an error of the request itself.
func badSpec(format string, args ...any) error {
	return &Error{Cause: BadRequest, Detail: fmt.Sprintf(format, args...)}
}

// spec asks for the device to be again as it is now, in all that the steps that were tried may have changed. What other
// programs changed meanwhile stays.
func (d *Device) spec(tried []*task) *Spec {
	s := &Spec{Name: d.Name, before: d, undo: true}
	for _, step := range tried {
		switch step.Kind {
		case StepLink:
			s.restoreLink(step.Link, d)
		case StepAddAddress:
			if !slices.ContainsFunc(d.Addresses, step.Address.same) {
				s.RemoveAddresses = append(s.RemoveAddresses, step.Address)
			}
		case StepAddRoute:
			if !slices.ContainsFunc(d.Routes, step.Route.same) {
				s.RemoveRoutes = append(s.RemoveRoutes, step.Route)
			}
		case StepMaster:
			s.Master = &Master{Name: d.Master, Index: d.masterIndex}
		case StepAccess:
			s.Access = &d.Access
		}
	}
	return s
}

// whole asks for the device to be again as it is now, in all there is.
func (d *Device) whole() *Spec {
	s := &Spec{
		Name: d.Name, Mode: d.Mode, Access: &d.Access, MultiQueue: &d.MultiQueue, PI: d.PI, VnetHdr: d.VnetHdr,
		Replace: true, before: d, undo: true,
	}
	s.Link = Link{
		MTU: &d.MTU, MAC: d.MAC, TxQueueLen: &d.TxQueueLen, Alias: &d.Alias, Promisc: &d.Promisc, Multicast: &d.Multicast, Up: &d.Up,
		LinkGroup: &d.group,
	}
	if d.Master != "" {
		s.Master = &Master{Name: d.Master, Index: d.masterIndex}
	}
	return s
}

// restoreLink asks for those properties of the device that a link step may have changed.
func (s *Spec) restoreLink(l Link, d *Device) {
	if l.MTU != nil {
		s.MTU = &d.MTU
	}
	if l.MAC != nil {
		s.MAC = d.MAC
	}
	if l.TxQueueLen != nil {
		s.TxQueueLen = &d.TxQueueLen
	}
	if l.Alias != nil {
		s.Alias = &d.Alias
	}
	if l.Promisc != nil {
		s.Promisc = &d.Promisc
	}
	if l.Multicast != nil {
		s.Multicast = &d.Multicast
	}
	if l.Up != nil {
		s.Up = &d.Up
	}
}

// Spec asks for a device like this one, in all that is the administrator's and not what a new device has anyway. More tells what the
// device has beyond that, a sentence each.
func (d *Device) Spec() (s *Spec, more []string) {
	usual := fresh(d.Name, d.Mode)
	s = &Spec{Name: d.Name, Mode: d.Mode, Access: &d.Access, PI: d.PI, VnetHdr: d.VnetHdr}
	s.Link = Link{
		MAC: d.MAC, TxQueueLen: change(&d.TxQueueLen, usual.TxQueueLen), Alias: change(&d.Alias, usual.Alias),
		Promisc: change(&d.Promisc, usual.Promisc), Multicast: change(&d.Multicast, usual.Multicast), Up: &d.Up,
	}
	if s.MTU = change(&d.MTU, usual.MTU); d.Master != "" {
		s.Master, s.MTU = &Master{Name: d.Master}, &d.MTU // else it takes the bridge's
	}
	if d.MultiQueue {
		s.MultiQueue = &d.MultiQueue
	}
	if list := matching(d.Addresses, func(a Address) bool { return !a.Foreign() }); len(list) > 0 {
		s.Addresses = &list
	}
	var routes []Route
	for _, r := range d.Routes {
		switch {
		case r.kept.odd && r.kept.elsewhere == 0:
			more = append(more, "route "+r.To.String()+" is left out: it is none of one gateway and no type of service")
		case !r.Foreign():
			routes = append(routes, Route{To: r.To, Via: r.Via, Metric: r.Metric, Table: r.Table})
			if !r.kept.bare {
				more = append(more, "route "+r.String()+" has a source, metrics or a lifetime beyond that")
			}
		}
	}
	if len(routes) > 0 {
		s.Routes = &routes
	}
	return s, more
}
