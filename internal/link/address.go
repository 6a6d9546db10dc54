package link

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// An Address is an address of a device, as ip(8) writes it.
type Address struct {
	Local netip.Addr // the address of the device
	Peer  netip.Addr // the other end of a point-to-point link; invalid: none
	Bits  int        // the prefix length, of Peer if there is one

	Broadcast netip.Addr // of IPv4; invalid: none
}

// ParseAddress parses "10.0.0.1/24", "fd00::1/64" or "192.168.13.1 peer 192.168.13.2[/32]", each IPv4 address with an
// optional "broadcast 10.0.0.255". Without a prefix length, the prefix is the address alone.
func ParseAddress(s string) (a Address, err error) {
	words := strings.Fields(s)
	if len(words)%2 == 0 {
		return a, fmt.Errorf("%q is not an address: write 10.0.0.1/24, fd00::1/64 or 10.0.0.1 peer 10.0.0.2", s)
	}
	options := map[string]string{}
	for i := 1; i < len(words); i += 2 {
		word := words[i]
		if word == "brd" {
			word = "broadcast"
		}
		switch _, twice := options[word]; {
		case word != "peer" && word != "broadcast":
			return a, fmt.Errorf("%q is not a keyword of an address: write peer or broadcast", word)
		case twice:
			return a, fmt.Errorf("%q twice in one address", word)
		}
		options[word] = words[i+1]
	}
	if peer, asked := options["peer"]; asked {
		a, err = parsePeer(words[0], peer)
	} else {
		var p netip.Prefix
		p, err = ParsePrefix(words[0])
		a = Address{Local: p.Addr(), Bits: p.Bits()}
	}
	if err != nil {
		return a, err
	}
	if text, asked := options["broadcast"]; asked {
		if a.Broadcast, err = a.ParseBroadcast(text); err != nil {
			return a, err
		}
	}
	return a, CheckHost(a.Local)
}

func parsePeer(own, peer string) (a Address, err error) {
	local, err := netip.ParseAddr(own)
	if err != nil {
		return a, fmt.Errorf("%q is not an IP address without a length; the length belongs to the peer", own)
	}
	p, err := ParsePrefix(peer)
	switch {
	case err != nil:
		return a, err
	case p.Addr().Is4() != local.Is4():
		return a, fmt.Errorf("\"%s peer %s\" mixes IPv4 and IPv6", own, peer)
	case local == p.Addr():
		return a, fmt.Errorf("%s is its own peer", local)
	}
	return Address{Local: local, Peer: p.Addr(), Bits: p.Bits()}, nil
}

// ParseBroadcast parses a broadcast address for the address: an IPv4 address, "+" for the last address of its network,
// or "-" for the first.
func (a Address) ParseBroadcast(s string) (netip.Addr, error) {
	n := a.Subnet()
	switch {
	case !a.Local.Is4():
		return netip.Addr{}, fmt.Errorf("%s: only IPv4 has broadcast addresses", a)
	case s != "+" && s != "-":
		ip, err := netip.ParseAddr(s)
		if err != nil || !ip.Is4() || ip.IsUnspecified() {
			return ip, fmt.Errorf("broadcast %q is neither an IPv4 address nor +", s)
		}
		return ip, nil
	case n.Bits() > maxBroadcast:
		return netip.Addr{}, fmt.Errorf("the network %s has no broadcast address", n)
	case s == "-":
		return n.Addr(), nil
	}
	return Last(n), nil
}

// maxBroadcast is the longest prefix that has a broadcast address.
const maxBroadcast = 30

// Derived returns the address with the broadcast address of its network, or with none if it has none.
func (a Address) Derived() Address {
	a.Broadcast = netip.Addr{}
	if n := a.Subnet(); n.Addr().Is4() && n.Bits() <= maxBroadcast {
		a.Broadcast = Last(n)
	}
	return a
}

// Last returns the last address of a network.
func Last(p netip.Prefix) netip.Addr {
	bytes := p.Masked().Addr().AsSlice()
	for bit := p.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 1 << (7 - bit%8)
	}
	last, _ := netip.AddrFromSlice(bytes)
	return last
}

// Bare returns the address without its broadcast address: what identifies it to the kernel.
func (a Address) Bare() Address {
	a.Broadcast = netip.Addr{}
	return a
}

// Words returns the whole address in the form that ip(8) and [ParseAddress] accept.
func (a Address) Words() string {
	if a.Broadcast.IsValid() {
		return a.String() + " broadcast " + a.Broadcast.String()
	}
	return a.String()
}

// String returns the address without its broadcast address, in the form of [Address.Words].
func (a Address) String() string {
	if !a.Peer.IsValid() {
		return a.Local.String() + "/" + strconv.Itoa(a.Bits)
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
