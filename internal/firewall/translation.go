package firewall

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// translates changes the source or the destination of the packet. An address or a port that is not known is nil; a port
// that does not change is empty. The kernel translates the source and the destination of a connection once.
func (r *run) translates(source bool, to, port value) {
	is, done := maybe, &r.target
	if source {
		done = &r.source
	}
	if *done == yes {
		return
	}
	if r.sure() {
		is = yes
	}
	*done = max(*done, is)
	at, size, portAt := ipv4To, 4, 2
	if r.IPv6() {
		at, size = ipv6To, 16
	}
	if source {
		at, portAt = at-size, 0
	}
	if len(to.bits) != size {
		to = unknown(size)
	}
	r.write(unix.NFT_PAYLOAD_NETWORK_HEADER, at, to)
	if len(port.bits) == 2 {
		r.write(unix.NFT_PAYLOAD_TRANSPORT_HEADER, portAt, port)
	}
	ip := netip.Addr{}
	if to.certain() {
		ip, _ = netip.AddrFromSlice(to.bits)
	}
	number := uint16(0)
	if len(port.bits) == 2 && port.certain() {
		number = binary.BigEndian.Uint16(port.bits)
	}
	if !source {
		r.leads = netip.AddrPortFrom(ip, number)
	}
	switch {
	case !r.sure():
	case source:
		r.origin = ip
		r.changes(Source)
	default:
		r.goal = r.leads
		r.changes(Destination)
	}
}

// redirects returns the address of this host to which the packet is redirected: the first of the device through which
// it arrived.
func (r *run) redirects() value {
	if r.hook == Output && !r.IPv6() {
		return known([]byte{127, 0, 0, 1})
	}
	for _, ip := range r.link(r.in()).Addresses {
		if ip.Is6() == r.IPv6() {
			return known(ip.AsSlice())
		}
	}
	return value{}
}

// natRange reads the address or the port to which a rule translates: nil if it is one of several.
func (r *run) natRange(e expression, low, high uint16, n int) value {
	if _, given := e.attributes[low]; !given {
		return value{}
	}
	v, _ := r.load(e.number(low), n)
	if _, given := e.attributes[high]; given && e.number(high) != e.number(low) {
		if last, _ := r.load(e.number(high), n); !last.certain() || v.equals(last.bits) != yes {
			return unknown(n)
		}
	}
	return v
}

// nat is the expression of snat and dnat.
func nat(r *run, e expression) (word string) {
	const source, netmap = 0, 1 << 6 // NFT_NAT_SNAT, NF_NAT_RANGE_NETMAP
	n := 4
	if e.number(unix.NFTA_NAT_FAMILY) == unix.NFPROTO_IPV6 {
		n = 16
	}
	to := r.natRange(e, unix.NFTA_NAT_REG_ADDR_MIN, unix.NFTA_NAT_REG_ADDR_MAX, n)
	port := r.natRange(e, unix.NFTA_NAT_REG_PROTO_MIN, unix.NFTA_NAT_REG_PROTO_MAX, 2)
	word = "dnat"
	if e.number(unix.NFTA_NAT_TYPE) == source {
		word = "snat"
	}
	if e.number(unix.NFTA_NAT_FLAGS)&netmap != 0 {
		to = unknown(n)
	}
	r.translates(word == "snat", to, port)
	if to.certain() && len(to.bits) == n {
		word += " to " + label{kind: address}.format(nil, to.bits)
		if port.certain() && len(port.bits) == 2 {
			word += ":" + label{kind: bigNumber}.format(nil, port.bits)
		}
	}
	return word
}
