package netcfg

import (
	"net/netip"
	"slices"

	"github.com/tunadm/tunadm/internal/link"
)

// An Address is one address of a device, as asked or as the kernel has it.
type Address struct {
	link.Address
	kept kept // the kernel's message; zero if the address is only asked for
}

// kept is an address or a route as the kernel reported it. The engine sends the message again to restore it.
type kept struct {
	message []byte // the body of the RTM_NEWADDR or RTM_NEWROUTE message
	foreign bool   // dynamic, link-local, or added by the kernel or a routing daemon

	origin    uint8  // of an address: what added it, as [rtnl.Address] has it
	tentative bool   // of an address: duplicate address detection has not finished
	duplicate bool   // of an address: another host on the link has it
	routeless bool   // of an address: the kernel adds no route to its network
	moved     bool   // from a port to its bridge, or back
	plain     bool   // of a route: [Route] describes it completely
	odd       bool   // of a route: the administrator added it, but [Route] cannot express it
	elsewhere int    // of a route: the index of the other device through which it goes
	onlink    bool   // of a route: its gateway need not be on a link
	expires   bool   // of a route: it has a lifetime
	metrics   string // of a route: its RTA_METRICS, which the kernel changes with the device's MTU
	through   int    // of a route: the index of its device when the kernel sent the message; 0: not through this device
}

// ParseAddress is [link.ParseAddress].
func ParseAddress(s string) (Address, error) {
	a, err := link.ParseAddress(s)
	return Address{Address: a}, err
}

// Foreign reports whether the address is dynamic, link-local or added by the kernel.
func (a Address) Foreign() bool { return a.kept.foreign }

// Tentative reports whether IPv6 cannot use the address yet because duplicate address detection has not finished.
func (a Address) Tentative() bool { return a.kept.tentative }

// Duplicate reports whether another host on the link has the address. IPv6 does not use it then.
func (a Address) Duplicate() bool { return a.kept.duplicate }

// same reports whether the kernel takes two addresses for the same one, and their broadcast addresses are the same. If
// no broadcast address is asked for, any is the same.
func (a Address) same(b Address) bool {
	free := func(a Address) bool { return a.kept.message == nil && !a.Broadcast.IsValid() }
	return a.Bare() == b.Bare() && (a.Broadcast == b.Broadcast || free(a) || free(b))
}

// displaces reports whether the device cannot have both addresses, or loses b when it loses a. IPv6 allows an address
// once. IPv4 removes the secondary addresses of a subnet with the primary one.
func (a Address) displaces(b Address) bool {
	return a.Local == b.Local || a.Local.Is4() && a.Subnet() == b.Subnet()
}

// network returns the prefix to which the kernel adds a route for the address, and false if it adds none.
func (a Address) network() (to netip.Prefix, derives bool) {
	to, derives = link.PrefixRoute(a.Local, a.Peer, a.Bits)
	return to, derives && !a.kept.routeless
}

// An addressSet holds addresses by what identifies them. A file may declare tens of thousands of addresses and routes
// of one device, so the engine looks them up in maps. Most devices have one address, for which a map costs much memory.
type addressSet struct {
	list []Address
	at   map[link.Address]int // the positions in list; nil: the list is short
}

// setOfAddresses returns a set of the addresses. They must not change while the set is in use.
func setOfAddresses(list []Address) *addressSet {
	s := &addressSet{list: slices.Clip(list)}
	s.index(0)
	return s
}

// index adds the addresses from a position on to the map, if the list is not short.
func (s *addressSet) index(from int) {
	const short = 8
	if len(s.list) <= short {
		return
	}
	if s.at == nil {
		s.at, from = make(map[link.Address]int, len(s.list)), 0
	}
	for i := from; i < len(s.list); i++ {
		s.at[s.list[i].Bare()] = i
	}
}

func (s *addressSet) add(a Address) {
	s.list = append(s.list, a)
	s.index(len(s.list) - 1)
}

// find returns the address of the set that the kernel takes for the same one, but for the broadcast address, or nil.
func (s *addressSet) find(a *Address) *Address {
	if s.at != nil {
		if i, there := s.at[a.Bare()]; there {
			return &s.list[i]
		}
		return nil
	}
	for i := len(s.list) - 1; i >= 0; i-- {
		if o := &s.list[i]; o.Local == a.Local && o.Bare() == a.Bare() {
			return o
		}
	}
	return nil
}

// has reports whether the set contains an address that is the same as a.
func (s *addressSet) has(a Address) bool {
	o := s.find(&a)
	return o != nil && o.same(a)
}

// hasOther reports whether the set contains the address with another broadcast address. The kernel can have only one.
func (s *addressSet) hasOther(a Address) bool {
	o := s.find(&a)
	return o != nil && !o.same(a)
}
