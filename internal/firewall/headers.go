package firewall

import (
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/flow"
)

// Headers are the bytes of a packet as far as they are known: of Ethernet, of IP or ARP, and of the protocol above. The
// index is NFT_PAYLOAD_*_HEADER. Rules read them, and write to them.
type headers [3]value

// usualHops is the TTL or hop limit with which hosts send packets. Neighbour discovery requires the largest.
const usualHops, mostHops = 64, 255

// Where the fields of the headers are.
const (
	ipv4TOS, ipv4Hops, ipv4From, ipv4To = 1, 8, 12, 16
	ipv6Hops, ipv6From, ipv6To          = 7, 8, 24
)

// headersOf builds the headers of a packet.
func headersOf(w *Walk) (h headers) {
	h[unix.NFT_PAYLOAD_LL_HEADER] = w.ethernet()
	switch {
	case !w.To.IsValid():
		h[unix.NFT_PAYLOAD_NETWORK_HEADER] = unknown(40)
	case w.arp():
		h[unix.NFT_PAYLOAD_NETWORK_HEADER] = arpHeader(w.Packet)
	case w.IPv6():
		h[unix.NFT_PAYLOAD_NETWORK_HEADER] = w.ipv6()
	default:
		h[unix.NFT_PAYLOAD_NETWORK_HEADER] = w.ipv4()
	}
	h[unix.NFT_PAYLOAD_TRANSPORT_HEADER] = w.newTransport()
	return h
}

// bytesOf returns a header at the current hook. A packet of a tun has no Ethernet header, and one that is forwarded
// leaves with another one.
func (w *Walk) bytesOf(base uint32) (v value, exists bool) {
	switch base {
	case unix.NFT_PAYLOAD_LL_HEADER:
		if w.in().none && w.hook < Egress || w.link(w.in()).Tun {
			return v, false
		}
		if w.hook == Egress && w.In != "" && w.Bridge == "" {
			v = unknown(14)
			v.put(12, w.etherType())
			return v, true
		}
	case unix.NFT_PAYLOAD_NETWORK_HEADER:
	case unix.NFT_PAYLOAD_TRANSPORT_HEADER:
		if w.arp() {
			return v, false
		}
	default:
		return unknown(64), true
	}
	return w.headers[base], true
}

// write changes a part of a header, which is not known afterwards if the rule may not apply.
func (r *run) write(base uint32, at int, after value) {
	if base >= uint32(len(r.headers)) || at < 0 || at+len(after.bits) > len(r.headers[base].bits) {
		return
	}
	r.headers[base].put(at, r.written(r.headers[base].part(at, len(after.bits)), after))
}

// part returns a copy of n bytes. What is beyond the end is not known.
func (v value) part(at, n int) value {
	out := unknown(n)
	if at >= 0 && at < len(v.bits) {
		copy(out.bits, v.bits[at:])
		copy(out.known, v.known[at:])
	}
	return out
}

// put changes a part of a value.
func (v value) put(at int, part value) {
	copy(v.bits[at:], part.bits)
	copy(v.known[at:], part.known)
}

// ethernet returns the Ethernet header. An ARP request is a broadcast.
func (w *Walk) ethernet() value {
	v, none := unknown(14), [6]byte{}
	v.put(12, w.etherType())
	switch {
	case w.arp() && !w.Established:
		v.put(0, known([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}))
	case w.ToMAC != none:
		v.put(0, known(w.ToMAC[:]))
	}
	if w.FromMAC != none {
		v.put(6, known(w.FromMAC[:]))
	}
	return v
}

// arpHeader returns an ARP request, or the reply.
func arpHeader(p flow.Packet) value {
	const sender, senderIP, target, targetIP = 8, 14, 18, 24
	v, none := unknown(28), [6]byte{}
	v.put(0, known([]byte{0, 1, 8, 0, 6, 4, 0, byte(1 + whether(p.Established)/yes)})) // Ethernet, IPv4, the operation
	if p.FromMAC != none {
		v.put(sender, known(p.FromMAC[:]))
	}
	if p.From.Is4() && !p.From.IsUnspecified() {
		v.put(senderIP, known(p.From.AsSlice()))
	}
	if !p.Established {
		v.put(target, known(none[:]))
	} else if p.ToMAC != none {
		v.put(target, known(p.ToMAC[:]))
	}
	if p.To.Is4() && !p.To.IsUnspecified() {
		v.put(targetIP, known(p.To.AsSlice()))
	}
	return v
}

// ipv4 returns the header of an unfragmented packet without options. Its identification is not known.
func (w *Walk) ipv4() value {
	v := unknown(20)
	v.put(0, known([]byte{0x45, 0}))
	if w.Size > 0 {
		v.put(2, network(uint16(w.Size)))
	}
	v.put(6, value{[]byte{0, 0}, []byte{0xbf, 0xff}}) // all but "don't fragment"
	v.put(ipv4Hops, known([]byte{usualHops}))
	v.put(9, number8(w.Protocol))
	w.addresses(v, ipv4From, ipv4To)
	return v
}

// ipv6 returns the header of a packet without extension headers. Its flow label is not known.
func (w *Walk) ipv6() value {
	v := unknown(40)
	v.put(0, value{[]byte{0x60, 0}, []byte{0xff, 0xf0}})
	if w.Size > 40 {
		v.put(4, network(uint16(w.Size-40)))
	}
	v.put(6, number8(w.Protocol))
	hops := byte(usualHops)
	if w.Resolves {
		hops = mostHops
	}
	v.put(ipv6Hops, known([]byte{hops}))
	w.addresses(v, ipv6From, ipv6To)
	return v
}

func (w *Walk) addresses(header value, from, to int) {
	if w.From.IsValid() {
		header.put(from, known(w.From.AsSlice()))
	}
	if !w.To.IsUnspecified() {
		header.put(to, known(w.To.AsSlice()))
	}
}

// newTransport returns the header after that of IP: ports, or the type and code of ICMP.
func (w *Walk) newTransport() value {
	v := unknown(20)
	switch w.Protocol {
	case unix.IPPROTO_ICMP, unix.IPPROTO_ICMPV6:
		v.put(0, known([]byte{w.icmpType(), w.icmpCode()}))
	case unix.IPPROTO_TCP:
		v.put(13, known([]byte{map[bool]byte{false: 0x02, true: 0x10}[w.Established]})) // SYN, ACK
		fallthrough
	case unix.IPPROTO_UDP, unix.IPPROTO_SCTP, unix.IPPROTO_DCCP, unix.IPPROTO_UDPLITE:
		if w.FromPort != 0 {
			v.put(0, network(w.FromPort))
		}
		if w.ToPort != 0 {
			v.put(2, network(w.ToPort))
		}
	}
	return v
}

// transport returns the header after that of IP.
func (w *Walk) transport() value { return w.headers[unix.NFT_PAYLOAD_TRANSPORT_HEADER] }

// hopsAt returns where the TTL or the hop limit is; -1 for a packet that has none.
func (w *Walk) hopsAt() int {
	switch {
	case w.arp() || !w.To.IsValid():
		return -1
	case w.IPv6():
		return ipv6Hops
	}
	return ipv4Hops
}

// Hops returns the TTL or the hop limit, if it is known.
func (w *Walk) Hops() (hops uint8, known bool) {
	at := w.hopsAt()
	if at < 0 {
		return 0, false
	}
	h := w.headers[unix.NFT_PAYLOAD_NETWORK_HEADER].part(at, 1)
	return h.bits[0], h.certain()
}

// forwarded takes one from the TTL, as the kernel does before it calls the hook forward.
func (w *Walk) forwarded() {
	if hops, sure := w.Hops(); sure && hops > 0 {
		w.headers[unix.NFT_PAYLOAD_NETWORK_HEADER].put(w.hopsAt(), known([]byte{hops - 1}))
	}
}
