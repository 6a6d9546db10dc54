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

	MTU        *int // bytes
	MAC        MAC
	TxQueueLen *int // packets
	Alias      *string
	Promisc    *bool
	Multicast  *bool
	Up         *bool
	Master     *Master // one without a name: none

	Addresses                     *[]Address // exactly these
	AddAddresses, RemoveAddresses []Address
	Routes                        *[]Route // exactly these
	AddRoutes, RemoveRoutes       []Route

	// For a device that is to be made. MultiQueue never changes afterwards; PI and VnetHdr are every
	// attaching program's own affair, and are not compared.
	MultiQueue  *bool
	PI, VnetHdr bool

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
	Empty bool // nothing has joined it yet
	Hold  bool // it would take the device's address for its own; fix the one that it has first
}

// Check tells what the Spec itself shows to be impossible, without a look at any device.
func (s *Spec) Check() error {
	mode := s.Mode
	if s.MTU != nil {
		if err := mode.CheckMTU(*s.MTU); err != nil {
			return badSpec("mtu %d: %v", *s.MTU, err)
		}
		if v6 := s.asksIPv6(); v6 != "" && *s.MTU < MTUMinV6 {
			return badSpec("mtu %d: IPv6 needs %d, and %s is asked for", *s.MTU, MTUMinV6, v6)
		}
	}
	if s.MAC != nil && mode == TUN {
		return badSpec("mac %s: a tun device has none", s.MAC)
	}
	if s.TxQueueLen != nil && *s.TxQueueLen < 0 {
		return badSpec("txqueuelen %d: less than nothing", *s.TxQueueLen)
	}
	if s.asksRoute() && s.Up != nil && !*s.Up {
		return badSpec("route %s: the kernel keeps none on a device that is down", s.routes()[0])
	}
	return s.checkTwice()
}

// checkTwice refuses an address or a route that is asked for twice over.
func (s *Spec) checkTwice() error {
	addresses, routes := s.addresses(), s.routes()
	for i, a := range addresses {
		if slices.ContainsFunc(addresses[:i], a.same) {
			return badSpec("address %s: asked for twice", a)
		}
	}
	for i, r := range routes {
		if slices.ContainsFunc(routes[:i], r.sameKey) {
			return badSpec("route %s: asked for twice", r)
		}
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
	if s.asksRoute() && (s.Up == nil || !*s.Up) {
		return badSpec("route %s: the kernel takes none on a device that is down: say --up", s.routes()[0])
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

// asksIPv6 is an address or a route of the Spec that an MTU below 1280 does not go with, or "".
func (s *Spec) asksIPv6() string {
	return (&Device{Addresses: s.addresses(), Routes: s.routes()}).ipv6()
}

// badSpec is an error of the request itself.
func badSpec(format string, args ...any) error {
	return &Error{Cause: BadRequest, Detail: fmt.Sprintf(format, args...)}
}

// spec asks for the device to be again exactly as it is now; asked is what was wanted instead.
func (d *Device) spec(asked *Spec) *Spec {
	return &Spec{
		Name: d.Name, Access: &d.Access,
		MTU: &d.MTU, MAC: d.MAC, TxQueueLen: &d.TxQueueLen, Alias: &d.Alias,
		Promisc: &d.Promisc, Multicast: &d.Multicast, Up: &d.Up,
		Master:    &Master{Name: d.Master, Index: d.masterIndex},
		Addresses: &d.Addresses, Routes: &d.Routes,
		RemoveAddresses: asked.addresses(), RemoveRoutes: asked.routes(),
		before: d, undo: true,
	}
}
