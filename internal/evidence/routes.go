package evidence

import (
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/rtnl"
)

// A selection is which routes to read. Zero fields select all.
type selection struct {
	family int
	index  int // of a link through which they lead
	table  uint32
	most   int          // how many
	kind   uint8        // RTN_*
	origin uint8        // RTPROT_*
	to     netip.Addr   // only routes whose destination contains it
	within netip.Prefix // only routes to parts of it
	wide   bool         // only routes as DefaultsThrough returns them
}

// takes reports whether a route to a destination is one of the selection, as far as the kernel cannot select it.
func (s *selection) takes(to netip.Prefix) bool {
	return !(s.wide && to.Bits() > 1) && (!s.to.IsValid() || to.Contains(s.to)) &&
		(!s.within.IsValid() || to.Bits() > s.within.Bits() && s.within.Contains(to.Addr()))
}

// part returns the routes of the selection among those that were read.
func (s *selection) part(read []rtnl.Route) []rtnl.Route {
	return slices.DeleteFunc(slices.Clone(read), func(r rtnl.Route) bool { return !s.takes(r.To) || !s.isOf(&r) })
}

// isOf reports whether a route has the type and the origin of the selection.
func (s *selection) isOf(r *rtnl.Route) bool {
	return (s.kind == 0 || r.Type == s.kind) && (s.origin == 0 || r.Protocol == s.origin)
}

// Routes returns the routes of all tables and types, of both families.
func (h *Host) Routes() []rtnl.Route { return h.both(selection{}) }

// RoutesThrough returns the routes of all tables and types, of both families, that lead through a link, also by nexthop
// objects.
func (h *Host) RoutesThrough(index int) []rtnl.Route { return h.both(selection{index: index}) }

// DefaultsThrough returns those of RoutesThrough that are a default route or a half of one. 0.0.0.0/1 and 128.0.0.0/1
// replace a default route.
func (h *Host) DefaultsThrough(index int) []rtnl.Route {
	return h.both(selection{index: index, kind: unix.RTN_UNICAST, wide: true})
}

// RoutesIn returns the routes of a table and family.
func (h *Host) RoutesIn(table uint32, ipv6 bool) []rtnl.Route {
	return h.selected(selection{family: familyOf(ipv6), table: table})
}

func (h *Host) both(s selection) (all []rtnl.Route) {
	for _, s.family = range []int{unix.AF_INET, unix.AF_INET6} {
		all = append(all, h.selected(s)...)
	}
	return all
}

// selected returns routes of one family. The kernel selects them, so that a million others cost little.
func (h *Host) selected(s selection) []rtnl.Route {
	return onceOf(h.routes, s, func() ([]rtnl.Route, error) {
		for _, kind := range []uint8{0, s.kind} {
			known := h.routes[selection{family: s.family, index: s.index, kind: kind}]
			if known != nil && s.table == 0 {
				return s.part(*known), nil
			}
		}
		ask := rtnl.AskRoutes(s.family, int(s.kind), int(s.origin), s.index)
		if s.table != 0 {
			ask.AddData(nl.NewRtAttr(unix.RTA_TABLE, nl.Uint32Attr(s.table)))
		}
		return some(h, ask, s.most, func(body []byte) (r rtnl.Route, ok bool) {
			e, ok := rtnl.Ends(body)
			if !ok || !s.takes(e.To) {
				return r, false
			}
			ok = r.Unmarshal(body)
			return r, ok && r.Flags&unix.RTM_F_CLONED == 0 && s.isOf(&r)
		})
	})
}

func familyOf(ipv6 bool) int {
	if ipv6 {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

// A Nexthop is a nexthop object, see ip-nexthop(8).
type Nexthop struct {
	ID        uint32
	Index     int // of the link; 0: none
	Via       netip.Addr
	Blackhole bool
	Group     []uint32 // the IDs of its members
}

// allNexthops returns the nexthop objects.
func (h *Host) allNexthops() []Nexthop {
	ask := rtnl.Request(unix.RTM_GETNEXTHOP, unix.NLM_F_DUMP, rawBytes(make([]byte, unix.SizeofNhmsg)))
	return once(&h.nexthops, dump(h, ask, decodeNexthop))
}

// rawBytes is a part of a request.
type rawBytes []byte

func (b rawBytes) Len() int          { return len(b) }
func (b rawBytes) Serialize() []byte { return b }

func decodeNexthop(body []byte) (n Nexthop, ok bool) {
	const member = 8 // bytes of struct nexthop_grp
	if len(body) < unix.SizeofNhmsg {
		return n, false
	}
	for kind, value := range rtnl.Attributes(body[unix.SizeofNhmsg:]) {
		switch kind {
		case unix.NHA_ID:
			n.ID = rtnl.Uint32(value)
		case unix.NHA_OIF:
			n.Index = int(rtnl.Uint32(value))
		case unix.NHA_GATEWAY:
			n.Via, _ = netip.AddrFromSlice(value)
		case unix.NHA_BLACKHOLE:
			n.Blackhole = true
		case unix.NHA_GROUP:
			for members := value; len(members) >= member; members = members[member:] {
				n.Group = append(n.Group, rtnl.Uint32(members))
			}
		}
	}
	return n, true
}

// Nexthop returns the nexthop object with an ID, or nil.
func (h *Host) Nexthop(id uint32) *Nexthop {
	all := h.allNexthops()
	if i := slices.IndexFunc(all, func(n Nexthop) bool { return id != 0 && n.ID == id }); i >= 0 {
		return &all[i]
	}
	return nil
}

// Links returns the indexes of all links through which a route leads, also by its nexthop objects.
func (h *Host) Links(r rtnl.Route) (all []int) {
	all = append(all, r.Hops...)
	if r.Index != 0 {
		all = append(all, r.Index)
	}
	if n := h.Nexthop(r.Nexthop); n != nil && len(all) == 0 {
		for _, id := range append([]uint32{n.ID}, n.Group...) {
			if m := h.Nexthop(id); m != nil && m.Index != 0 {
				all = append(all, m.Index)
			}
		}
	}
	return all
}

// A Step is the answer of one policy rule to a packet.
type Step struct {
	Rule     rtnl.Rule
	Route    *rtnl.Route // the best route of the rule's table; nil: none, or the rule looks up no table
	Ignored  bool        // the rule ignores that route (suppress_prefixlength), or it is a throw route
	Decisive bool        // the look-up ends here
}

// Explain follows a packet through the rules, and returns the rules that match it, up to the decisive one. The kernel
// decides: see [Host.Find]. This only names the rule and the route.
func (h *Host) Explain(rules []rtnl.Rule, p flow.Packet) (steps []Step) {
	var jump uint32
	for _, r := range rules {
		if r.IPv6 != p.IPv6() || r.Priority < jump || !Matches(r, p) {
			continue
		}
		step := Step{Rule: r}
		switch {
		case r.Goto != 0:
			jump = r.Goto
		case r.Action != "":
			step.Decisive = r.Action != "nop"
		default:
			step.Route = h.best(r.Table, p)
			step.Ignored = step.Route != nil && (step.Route.Type == unix.RTN_THROW ||
				r.Suppress != 0 && step.Route.To.Bits() < r.Suppress)
			step.Decisive = step.Route != nil && !step.Ignored
		}
		steps = append(steps, step)
		if step.Decisive {
			break
		}
	}
	return steps
}

// best returns the route of a table that the kernel prefers for a packet, or nil.
func (h *Host) best(table uint32, p flow.Packet) (found *rtnl.Route) {
	s := selection{family: familyOf(p.IPv6()), table: table, most: few}
	all := h.selected(s)
	if len(all) == few { // not all
		s.most, s.to = 0, p.To
		all = h.selected(s)
	}
	for i, r := range all {
		if r.Table != table || !r.To.Contains(p.To) || r.TOS != 0 || r.Flags&unix.RTNH_F_DEAD != 0 ||
			p.OutIndex != 0 && len(h.Links(r)) > 0 && !slices.Contains(h.Links(r), p.OutIndex) {
			continue
		}
		if found == nil || r.To.Bits() > found.To.Bits() ||
			r.To.Bits() == found.To.Bits() && r.Metric < found.Metric {
			found = &all[i]
		}
	}
	return found
}

// Matches reports whether a rule matches a packet. A packet without an In is one of this host.
func Matches(r rtnl.Rule, p flow.Packet) bool {
	in := p.In
	if in == "" {
		in = "lo"
	}
	ports := func(r [2]uint16, port uint16) bool { return r[1] == 0 || r[0] <= port && port <= r[1] }
	mask := r.Mask
	if mask == 0 && r.Mark != 0 {
		mask = ^uint32(0)
	}
	matches := (!r.From.IsValid() || p.From.IsValid() && r.From.Contains(p.From)) &&
		(!r.To.IsValid() || r.To.Contains(p.To)) && (r.In == "" || r.In == in) && (r.Out == "" || r.Out == p.Out) &&
		p.Mark&mask == r.Mark&mask && r.TOS == 0 && (r.IPProto == 0 || r.IPProto == p.Protocol) &&
		ports(r.FromPort, p.FromPort) && ports(r.ToPort, p.ToPort) &&
		(!r.ByUID || r.UIDs[0] <= p.UID && p.UID <= r.UIDs[1])
	return matches != r.Not && !r.VRF && !r.Odd
}
