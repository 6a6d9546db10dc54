package netcfg

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/sysctl"
	"github.com/tunadm/tunadm/internal/users"
)

// Link is a set of link properties. A nil field leaves the property unchanged.
type Link = rtnl.LinkChange

// A Spec is the configuration that the administrator asks of one device. A nil field asks nothing; an empty list asks
// for an empty one.
type Spec struct {
	Name   string    // may contain one %d if the device is created
	Kind   string    // "": a TUN/TAP device; or [Bridge] or [Port]
	Mode   link.Mode // zero: any; of a new device, the mode with which the name begins
	Access *users.Access
	Keep   bool // keep an owner or a group that Access does not name

	Link
	Master *Master // without a name: no master

	Rename string // the new name of an existing device; "": it keeps its name

	Addresses                     *[]Address // all addresses of the administrator
	AddAddresses, RemoveAddresses []Address
	Routes                        *[]Route // all routes of the administrator
	AddRoutes, RemoveRoutes       []Route

	// For a new device. MultiQueue cannot be changed after creation. PI, VnetHdr and OneQueue are not compared, because
	// each attaching program sets its own. OneQueue has no effect since Linux 3.8.
	MultiQueue            *bool
	PI, VnetHdr, OneQueue bool

	Sysctls []sysctl.Setting

	PVID  *int   // of a port: the VLAN of untagged frames; 0: none
	VLANs *[]int // of a port: all its VLANs with tagged frames

	Ports []string // of a bridge: links of others that join it, each by its own change

	// MoveAddresses moves the addresses and routes of the ports that join a bridge in the same run to the bridge.
	MoveAddresses bool

	Replace bool // re-create an existing device that cannot be changed

	// before is the device as it was before the change. The engine restores what the kernel removes with other things.
	before     *Device
	undo       bool // restore everything in before, with the order of the addresses
	downRename bool // the kernel renames only devices that are down

	vlans *[]rtnl.VLAN // in an undo: all VLANs of the port
}

// Check returns the errors of the Spec itself, for any device: properties that are asked for twice, or both to be added
// and to be removed.
func (s *Spec) Check() error {
	if s.Name != "" && s.Master != nil && s.Master.Name == s.Name {
		return badSpec("master %q: a device cannot join itself", s.Name)
	}
	for _, a := range s.RemoveAddresses {
		if slices.ContainsFunc(s.AddAddresses, func(b Address) bool {
			return a.same(b) && (a.Broadcast == b.Broadcast || !b.Broadcast.IsValid())
		}) {
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

// checkTwice returns an error if an address or a route is asked for twice.
func (s *Spec) checkTwice() error {
	addresses, routes := s.addresses(), s.routes()
	seen := make(map[link.Address]bool, len(addresses))
	for _, a := range addresses {
		key := a.Bare()
		if a.Local.Is6() {
			key = link.Address{Local: a.Local} // IPv6 allows an address once, with any prefix length
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

// CheckNew is Check for a new device: its mode must be set, or follow from its name.
func (s *Spec) CheckNew() error {
	if s.Mode == 0 {
		s.Mode = link.ModeOf(s.Name)
	}
	if s.Mode == 0 {
		return badSpec("mode: %q begins with neither tun nor tap: add --mode tun or --mode tap", s.Name)
	}
	return s.Check()
}

func (s *Spec) addresses() []Address {
	if s.Addresses != nil {
		return append(slices.Clip(*s.Addresses), s.AddAddresses...)
	}
	return s.AddAddresses
}

func (s *Spec) routes() []Route {
	if s.Routes != nil {
		return append(slices.Clip(*s.Routes), s.AddRoutes...)
	}
	return s.AddRoutes
}

// needsRoutes reports whether the plan of the Spec depends on the routes of the device, or a step of it may remove them
// without any of the reasons that dropping knows.
func (s *Spec) needsRoutes() bool {
	return s.Kind != "" || s.Routes != nil || len(s.AddRoutes)+len(s.RemoveRoutes)+len(s.Sysctls) > 0 ||
		s.MTU != nil && *s.MTU < link.MTUMinV6
}

func (s *Spec) asksRoute() bool { return len(s.routes()) > 0 }

// badSpec returns an error of the request itself.
func badSpec(format string, args ...any) error {
	return &cause.Error{Cause: cause.BadRequest, Detail: fmt.Sprintf(format, args...)}
}

// spec returns the Spec that restores all properties of the device which the tried steps may have changed. Changes of
// other programs are kept.
func (d *Device) spec(tried []*task) *Spec {
	s := &Spec{Name: d.Name, Kind: d.kindOf(), before: d, undo: true}
	for _, step := range tried {
		switch step.Kind {
		case StepLink:
			s.Link.Restore(*step.link, d.link())
		case StepAddAddress:
			if !slices.ContainsFunc(d.Addresses, step.address.same) {
				s.RemoveAddresses = append(s.RemoveAddresses, *step.address)
			}
		case StepAddRoute:
			// another program's route of another protocol or type of service may have the same way
			restored := step.Route.kept.message != nil
			if !slices.ContainsFunc(d.Routes, func(r Route) bool {
				return step.Route.same(r) && (restored || !r.Foreign())
			}) {
				s.RemoveRoutes = append(s.RemoveRoutes, *step.Route)
			}
		case StepMaster:
			s.Master = &Master{Name: d.Master, index: d.masterIndex, pvid: d.masterPVID}
			s.portOf(d)
		case StepAddVLAN, StepRemoveVLAN:
			s.portOf(d)
		case StepSysctl:
			for _, was := range d.sysctls {
				if was.Name() == step.sysctl.Name() && !slices.Contains(s.Sysctls, was) {
					s.Sysctls = append(s.Sysctls, was)
				}
			}
		case StepAccess:
			s.Access = &d.Access
		case StepRename:
			s.Rename, s.downRename = d.Name, step.down
		}
	}
	return s
}

// whole returns the Spec that restores all properties of the device.
func (d *Device) whole() *Spec {
	s := &Spec{
		Name: d.Name, Kind: d.kindOf(), Mode: d.Mode, Access: &d.Access, MultiQueue: &d.MultiQueue, PI: d.PI,
		VnetHdr: d.VnetHdr, Replace: true, Sysctls: d.sysctls, before: d, undo: true,
	}
	s.Link = d.link()
	s.Group = &d.group
	if d.Master != "" {
		s.Master = &Master{Name: d.Master, index: d.masterIndex, pvid: d.masterPVID}
		s.portOf(d)
	}
	return s
}

// portOf asks for the settings and the VLANs of the port that the device is, if it is one.
func (s *Spec) portOf(d *Device) {
	if d.MasterKind != Bridge {
		return
	}
	s.Settings.SetPort(&d.Settings)
	s.vlans = &d.VLANs
}

// link returns the properties of the device, without its link group.
func (d *Device) link() Link {
	return Link{MTU: &d.MTU, MAC: d.MAC, TxQueueLen: &d.TxQueueLen, Alias: &d.Alias, Promisc: &d.Promisc,
		Multicast: &d.Multicast, Up: &d.Up, Settings: d.Settings}
}

// Spec returns the Spec of a device like this one: all that the administrator set and that differs from a new device.
// more lists in sentences the state that a Spec cannot express.
func (d *Device) Spec() (s *Spec, more []string) {
	s = &Spec{Name: d.Name, Kind: d.kindOf(), Mode: d.Mode, PI: d.PI, VnetHdr: d.VnetHdr}
	usual := s.fresh()
	if s.Kind == "" {
		s.Access = &d.Access
	}
	s.Link = Link{
		MAC: d.MAC, TxQueueLen: change(&d.TxQueueLen, usual.TxQueueLen), Alias: change(&d.Alias, usual.Alias),
		Promisc: change(&d.Promisc, usual.Promisc), Multicast: change(&d.Multicast, usual.Multicast), Up: &d.Up,
	}
	if s.MTU = change(&d.MTU, usual.MTU); d.Master != "" {
		s.Master, s.MTU = &Master{Name: d.Master}, &d.MTU // the MTU would follow the bridge's
	}
	if d.MultiQueue {
		s.MultiQueue = &d.MultiQueue
	}
	s.Settings = d.Settings.Unusual()
	s.PVID, s.VLANs, more = rtnl.Membership(d.VLANs, d.masterPVID)
	more = slices.Concat(d.beyond(), rtnl.LeftByTree(d.byTree), d.others, more)
	if list := matching(d.Addresses, func(a Address) bool { return !a.Foreign() }); len(list) > 0 {
		s.Addresses = &list
		for _, a := range list {
			if text := rtnl.AddressWords(a.kept.message, d.Name); text != "" {
				more = append(more, "left out of address "+a.String()+":"+text)
			}
		}
	}
	var routes []Route
	for _, r := range d.Routes {
		switch {
		case r.kept.odd && r.kept.elsewhere == 0:
			more = append(more, "route "+r.To.String()+" is left out: it is none of one gateway and no type of service")
		case !r.Foreign():
			routes = append(routes, Route{To: r.To, Via: r.Via, Metric: r.Metric, Table: r.Table})
			text, _ := rtnl.RouteWords(r.kept.message)
			if r.Source.IsValid() {
				text = " src " + r.Source.String() + text
			}
			if text != "" {
				more = append(more, "left out of route "+r.String()+":"+text)
			}
		}
	}
	if len(routes) > 0 {
		s.Routes = &routes
	}
	return s, more
}

// beyond returns, in a sentence, what a Spec cannot express of a link.
func (d *Device) beyond() (more []string) {
	usual := []string{"", "noop", "noqueue", "mq", "pfifo_fast", "fq_codel"} // fq_codel: the default of systemd
	for _, p := range []struct {
		text string
		odd  bool
	}{
		{"altname " + strings.Join(d.AltNames, ", "), len(d.AltNames) > 0},
		{"arp off", !d.arp && d.Mode != link.TUN},
		{"arp on", d.arp && d.Mode == link.TUN},
		{"allmulticast on", d.allMulti},
		{fmt.Sprint("group ", d.group), d.group != 0},
		{"qdisc " + d.qdisc, !slices.Contains(usual, d.qdisc)},
	} {
		if p.odd {
			more = append(more, "left out: "+p.text)
		}
	}
	return more
}
