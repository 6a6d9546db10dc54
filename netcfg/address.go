package netcfg

import (
	"fmt"
	"net/netip"
	"strings"
)

// An Address is one address of a device, as asked or as the kernel has it.
type Address struct {
	Local netip.Addr // the device's own
	Peer  netip.Addr // the other end; invalid: none
	Bits  int        // prefix length, of Peer where there is one

	kept kept // as the kernel told it; the zero value on an address that is only asked for
}

// kept is what the kernel told of an address or a route: whose it is, and its message, so that it can be sent again.
type kept struct {
	message []byte // the body of the RTM_NEWADDR or RTM_NEWROUTE message
	foreign bool   // not the administrator's: dynamic, link-local, the kernel's or a routing daemon's

	tentative bool   // of an address: IPv6 has not made sure yet that it is nobody else's
	duplicate bool   // of an address: it is somebody else's
	plain     bool   // of a route: [Route] says all that there is to say of it
	bare      bool   // of a route: it has no source, no metrics and no lifetime
	odd       bool   // of a route: the administrator's, and of a form that [Route] does not have
	elsewhere int    // of a route: the index of another device that it goes through
	onlink    bool   // of a route: its gateway need not be on a link
	expires   bool   // of a route: it has a lifetime
	metrics   string // of a route: the kernel's RTA_METRICS, which follow the MTU of the device
	through   int    // of a route: the index of its device when the message came; 0: not through it
}

// Broadcast is the last address of the address's IPv4 network, which is no host's; false where there is none.
func (a Address) Broadcast() (netip.Addr, bool) {
	if !a.Local.Is4() || a.Peer.IsValid() || a.Bits > 30 {
		return netip.Addr{}, false
	}
	last := a.Local.As4()
	for i := a.Bits; i < 32; i++ {
		last[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(last), true
}

// ParseAddress reads "10.0.0.1/24", "fd00::1/64" or "192.168.13.1 peer 192.168.13.2[/32]". Without a length
// the prefix is the address alone.
func ParseAddress(s string) (Address, error) {
	words := strings.Fields(s)
	var a Address
	switch {
	case len(words) == 1:
		p, err := parsePrefix(words[0])
		if err != nil {
			return a, err
		}
		a = Address{Local: p.Addr(), Bits: p.Bits()}
	case len(words) == 3 && words[1] == "peer":
		local, err := netip.ParseAddr(words[0])
		if err != nil {
			return a, fmt.Errorf("%q is no IP address without a length; the length belongs to the peer", words[0])
		}
		p, err := parsePrefix(words[2])
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
		return a, fmt.Errorf("%q is no address: write 10.0.0.1/24, fd00::1/64 or 10.0.0.1 peer 10.0.0.2", s)
	}
	return a, checkHost(a.Local)
}

// checkHost refuses what no device can have for its address.
func checkHost(ip netip.Addr) error {
	switch {
	case ip.IsUnspecified():
		return fmt.Errorf("%s is the unspecified address", ip)
	case ip.IsMulticast() || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return fmt.Errorf("%s is no address of one host", ip)
	case ip.Zone() != "":
		return fmt.Errorf("%s names a zone; the device is the zone", ip)
	case ip.Is4In6():
		return fmt.Errorf("%s is IPv4 in IPv6 clothes: write %s", ip, ip.Unmap())
	}
	return nil
}

// parsePrefix reads an address with or without its length.
func parsePrefix(s string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p, nil
	}
	if host, bits, ok := strings.Cut(s, "/"); ok {
		if ip, err := netip.ParseAddr(host); err == nil && ip.Zone() == "" {
			return netip.Prefix{}, fmt.Errorf("%q is no length of a prefix: 0 to %d are", bits, ip.BitLen())
		}
	}
	ip, err := netip.ParseAddr(s)
	if strings.Contains(s, "%") {
		return netip.Prefix{}, fmt.Errorf("%q names a zone; the device is the zone", s)
	}
	switch {
	case err != nil:
		return netip.Prefix{}, fmt.Errorf("%q is no IP address", s)
	}
	return netip.PrefixFrom(ip, ip.BitLen()), nil
}

// String is the address as ip(8) and [ParseAddress] read it.
func (a Address) String() string {
	if !a.Peer.IsValid() {
		return fmt.Sprintf("%s/%d", a.Local, a.Bits)
	}
	if a.Bits == a.Peer.BitLen() {
		return fmt.Sprintf("%s peer %s", a.Local, a.Peer)
	}
	return fmt.Sprintf("%s peer %s/%d", a.Local, a.Peer, a.Bits)
}

// Foreign says that the address is not the administrator's: it is dynamic, link-local or the kernel's own.
func (a Address) Foreign() bool { return a.kept.foreign }

// Tentative says that IPv6 does not use the address yet, since it has not made sure that it is nobody else's.
func (a Address) Tentative() bool { return a.kept.tentative }

// Duplicate says that somebody else on the link has the address, so that IPv6 does not use it.
func (a Address) Duplicate() bool { return a.kept.duplicate }

// Subnet is the network that the address puts on the link.
func (a Address) Subnet() netip.Prefix { return a.subnet() }

// same says whether two addresses are one to the kernel.
func (a Address) same(b Address) bool {
	return a.Local == b.Local && a.Peer == b.Peer && a.Bits == b.Bits
}

// displaces says whether b cannot be on the device beside a, or would go when a goes: IPv6 has an address once,
// IPv4 takes the secondaries of a subnet along with its primary.
func (a Address) displaces(b Address) bool {
	return a.Local == b.Local || a.Local.Is4() && a.subnet() == b.subnet()
}

// subnet is the prefix that the address puts on the link.
func (a Address) subnet() netip.Prefix {
	if a.Peer.IsValid() {
		return netip.PrefixFrom(a.Peer, a.Bits).Masked()
	}
	return netip.PrefixFrom(a.Local, a.Bits).Masked()
}
