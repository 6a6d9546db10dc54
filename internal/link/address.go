package link

import (
	"fmt"
	"net/netip"
	"strings"
)

// An Address is an address of a device, as ip(8) writes it.
type Address struct {
	Local netip.Addr // the address of the device
	Peer  netip.Addr // the other end of a point-to-point link; invalid: none
	Bits  int        // the prefix length, of Peer if there is one
}

// ParseAddress parses "10.0.0.1/24", "fd00::1/64" or "192.168.13.1 peer 192.168.13.2[/32]". Without a prefix length,
// the prefix is the address alone.
func ParseAddress(s string) (Address, error) {
	words := strings.Fields(s)
	var a Address
	switch {
	case len(words) == 1:
		p, err := ParsePrefix(words[0])
		if err != nil {
			return a, err
		}
		a = Address{Local: p.Addr(), Bits: p.Bits()}
	case len(words) == 3 && words[1] == "peer":
		local, err := netip.ParseAddr(words[0])
		if err != nil {
			return a, fmt.Errorf("%q is not an IP address without a length; the length belongs to the peer", words[0])
		}
		p, err := ParsePrefix(words[2])
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
	return a, CheckHost(a.Local)
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

// Subnet returns the on-link prefix of the address.
func (a Address) Subnet() netip.Prefix {
	if a.Peer.IsValid() {
		return netip.PrefixFrom(a.Peer, a.Bits).Masked()
	}
	return netip.PrefixFrom(a.Local, a.Bits).Masked()
}
