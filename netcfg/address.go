package netcfg

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/tunadm/tunadm/internal/link"
)

// An Address is one address of a device, as asked or as the kernel has it.
type Address struct {
	Local netip.Addr // the address of the device
	Peer  netip.Addr // the other end of a point-to-point link; invalid: none
	Bits  int        // the prefix length, of Peer if there is one

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
	bare      bool   // of a route: it has no source, metrics or lifetime
	odd       bool   // of a route: the administrator added it, but [Route] cannot express it
	elsewhere int    // of a route: the index of the other device through which it goes
	onlink    bool   // of a route: its gateway need not be on a link
	expires   bool   // of a route: it has a lifetime
	metrics   string // of a route: its RTA_METRICS, which the kernel changes with the device's MTU
	through   int    // of a route: the index of its device when the kernel sent the message; 0: not through this device
}

// ParseAddress parses "10.0.0.1/24", "fd00::1/64" or "192.168.13.1 peer 192.168.13.2[/32]". Without a prefix length,
// the prefix is the address alone.
func ParseAddress(s string) (Address, error) {
	words := strings.Fields(s)
	var a Address
	switch {
	case len(words) == 1:
		p, err := link.ParsePrefix(words[0])
		if err != nil {
			return a, err
		}
		a = Address{Local: p.Addr(), Bits: p.Bits()}
	case len(words) == 3 && words[1] == "peer":
		local, err := netip.ParseAddr(words[0])
		if err != nil {
			return a, fmt.Errorf("%q is not an IP address without a length; the length belongs to the peer", words[0])
		}
		p, err := link.ParsePrefix(words[2])
		if err != nil {
			return a, err
		}
		if p.Addr().Is4() != local.Is4() {
			return a, fmt.Errorf("%q mixes IPv4 and IPv6", s)
		}
		a = Address{Local: local, Peer: p.Addr(), Bits: p.Bits()}
		if local == a.Peer {
			return a, fmt.Errorf("%s is its own peer", local)
		}
	default:
		return a, fmt.Errorf("%q is not an address: write 10.0.0.1/24, fd00::1/64 or 10.0.0.1 peer 10.0.0.2", s)
	}
	return a, link.CheckHost(a.Local)
}

// String returns the address in the form that ip(8) and [ParseAddress] accept.
func (a Address) String() string {
	if !a.Peer.IsValid() {
		return fmt.Sprintf("%s/%d", a.Local, a.Bits)
	}
	if a.Bits == a.Peer.BitLen() {
		return fmt.Sprintf("%s peer %s", a.Local, a.Peer)
	}
	return fmt.Sprintf("%s peer %s/%d", a.Local, a.Peer, a.Bits)
}

// Foreign reports whether the address is dynamic, link-local or added by the kernel.
func (a Address) Foreign() bool { return a.kept.foreign }

// Tentative reports whether IPv6 cannot use the address yet because duplicate address detection has not finished.
func (a Address) Tentative() bool { return a.kept.tentative }

// Duplicate reports whether another host on the link has the address. IPv6 does not use it then.
func (a Address) Duplicate() bool { return a.kept.duplicate }

// Subnet returns the on-link prefix of the address.
func (a Address) Subnet() netip.Prefix { return a.subnet() }

// same reports whether the kernel takes two addresses for the same one.
func (a Address) same(b Address) bool {
	return a.Local == b.Local && a.Peer == b.Peer && a.Bits == b.Bits
}

// displaces reports whether the device cannot have both addresses, or loses b when it loses a. IPv6 allows an address
// once. IPv4 removes the secondary addresses of a subnet with the primary one.
func (a Address) displaces(b Address) bool {
	return a.Local == b.Local || a.Local.Is4() && a.subnet() == b.subnet()
}

// subnet returns the on-link prefix of the address.
func (a Address) subnet() netip.Prefix {
	if a.Peer.IsValid() {
		return netip.PrefixFrom(a.Peer, a.Bits).Masked()
	}
	return netip.PrefixFrom(a.Local, a.Bits).Masked()
}

// network returns the prefix to which the kernel adds a route for the address, and false if it adds none.
func (a Address) network() (to netip.Prefix, derives bool) {
	to, derives = link.PrefixRoute(a.Local, a.Peer, a.Bits)
	return to, derives && !a.kept.routeless
}

// An addressKey identifies an address to the kernel.
type addressKey struct {
	local, peer netip.Addr
	bits        int
}

func (a Address) key() addressKey { return addressKey{a.Local, a.Peer, a.Bits} }

// An addressSet holds addresses by their keys. A file may declare tens of thousands of addresses and routes of one
// device, so the engine looks them up in maps.
type addressSet map[addressKey]struct{}

func setOfAddresses(list []Address) addressSet {
	s := make(addressSet, len(list))
	for _, a := range list {
		s.add(a)
	}
	return s
}

func (s addressSet) add(a Address) { s[a.key()] = struct{}{} }

func (s addressSet) has(a Address) bool {
	_, there := s[a.key()]
	return there
}
