package firewall

import (
	"strings"

	"golang.org/x/sys/unix"
)

// The messages of ping(8).
const (
	echoRequest4, echoReply4 = 8, 0
	echoRequest6, echoReply6 = 128, 129
)

// payload reads a header of the packet, or writes it.
func payload(r *run, e expression) answer {
	base, at := e.number(unix.NFTA_PAYLOAD_BASE), int(e.number(unix.NFTA_PAYLOAD_OFFSET))
	n := int(e.number(unix.NFTA_PAYLOAD_LEN))
	l := r.header(base, at, n)
	if _, writes := e.attributes[unix.NFTA_PAYLOAD_SREG]; writes {
		r.say(l.text + " set")
		if base == unix.NFT_PAYLOAD_NETWORK_HEADER && l.kind == address {
			r.rewritten = true
		}
		return yes
	}
	v, exists := r.headerBytes(base)
	if !exists {
		return no
	}
	out := unknown(n)
	if at >= 0 && at < len(v.bits) {
		copy(out.bits, v.bits[at:])
		copy(out.known, v.known[at:])
	}
	r.store(e.number(unix.NFTA_PAYLOAD_DREG), out, l)
	return yes
}

// headerBytes returns a header as far as it is known. A packet of a tun has no Ethernet header.
func (w *Walk) headerBytes(base uint32) (v value, exists bool) {
	switch base {
	case unix.NFT_PAYLOAD_LL_HEADER:
		if w.in().none && w.hook < Egress || w.link(w.in()).Tun {
			return v, false
		}
		v = unknown(14)
		v.put(12, w.etherType())
		w.hardwareAddresses(v)
		return v, true
	case unix.NFT_PAYLOAD_NETWORK_HEADER:
		switch {
		case !w.To.IsValid() || w.arp():
			return unknown(40), true
		case w.IPv6():
			return w.ipv6(), true
		}
		return w.ipv4(), true
	case unix.NFT_PAYLOAD_TRANSPORT_HEADER:
		return w.transport(), !w.arp()
	}
	return unknown(64), true
}

// hardwareAddresses puts the MAC addresses into an Ethernet header. A packet that is forwarded leaves with others.
func (w *Walk) hardwareAddresses(header value) {
	if w.hook == Egress && w.In != "" && w.Bridge == "" {
		return
	}
	none := [6]byte{}
	if w.ToMAC != none {
		header.put(0, known(w.ToMAC[:]))
	}
	if w.FromMAC != none {
		header.put(6, known(w.FromMAC[:]))
	}
}

// put copies a part of a header.
func (v value) put(at int, part value) {
	copy(v.bits[at:], part.bits)
	copy(v.known[at:], part.known)
}

// ipv4 returns the header of a packet that is no fragment. Type of service, identification and time to live are not
// known.
func (w *Walk) ipv4() value {
	v := unknown(20)
	v.put(0, known([]byte{0x45}))
	if w.Size > 0 {
		v.put(2, network(uint16(w.Size)))
	}
	v.put(6, value{[]byte{0, 0}, []byte{0xbf, 0xff}}) // all but "don't fragment"
	v.put(9, number8(w.Protocol))
	w.addresses(v, 12, 16)
	return v
}

func (w *Walk) ipv6() value {
	v := unknown(40)
	v.put(0, value{[]byte{0x60}, []byte{0xf0}})
	if w.Size > 40 {
		v.put(4, network(uint16(w.Size-40)))
	}
	v.put(6, number8(w.Protocol))
	w.addresses(v, 8, 24)
	return v
}

// addresses puts the addresses into a header, unless a rule has changed them.
func (w *Walk) addresses(header value, from, to int) {
	if w.From.IsValid() && !w.rewritten {
		header.put(from, known(w.From.AsSlice()))
	}
	switch {
	case w.rewritten:
	case w.To.IsUnspecified():
	case w.target == no:
		header.put(to, known(w.To.AsSlice()))
	case w.goal.IsValid() && w.goal.Is6() == w.IPv6():
		header.put(to, known(w.goal.AsSlice()))
	}
}

// transport returns the header after that of IP: ports, or the type and code of ICMP.
func (w *Walk) transport() value {
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

func (w *Walk) icmpType() byte {
	const unreachable, tooBig, solicitation, advertisement = 3, 2, 135, 136
	switch {
	case w.Resolves && w.Established:
		return advertisement
	case w.Resolves:
		return solicitation
	case w.TooBig && w.IPv6():
		return tooBig
	case w.TooBig:
		return unreachable
	case w.IPv6() && w.Established:
		return echoReply6
	case w.IPv6():
		return echoRequest6
	case w.Established:
		return echoReply4
	}
	return echoRequest4
}

func (w *Walk) icmpCode() byte {
	const fragmentationNeeded = 4
	if w.TooBig && !w.IPv6() {
		return fragmentationNeeded
	}
	return 0
}

// header names a part of a header.
func (w *Walk) header(base uint32, at, n int) label {
	type part struct {
		base  uint32
		ipv6  bool
		at, n int
	}
	known := map[part]label{
		{unix.NFT_PAYLOAD_NETWORK_HEADER, false, 12, 4}: {text: "ip saddr", kind: address},
		{unix.NFT_PAYLOAD_NETWORK_HEADER, false, 16, 4}: {text: "ip daddr", kind: address},
		{unix.NFT_PAYLOAD_NETWORK_HEADER, false, 9, 1}:  {text: "ip protocol", kind: protocol},
		{unix.NFT_PAYLOAD_NETWORK_HEADER, true, 8, 16}:  {text: "ip6 saddr", kind: address},
		{unix.NFT_PAYLOAD_NETWORK_HEADER, true, 24, 16}: {text: "ip6 daddr", kind: address},
		{unix.NFT_PAYLOAD_NETWORK_HEADER, true, 6, 1}:   {text: "ip6 nexthdr", kind: protocol},
		{unix.NFT_PAYLOAD_LL_HEADER, false, 0, 6}:       {text: "ether daddr", kind: macAddress},
		{unix.NFT_PAYLOAD_LL_HEADER, true, 0, 6}:        {text: "ether daddr", kind: macAddress},
		{unix.NFT_PAYLOAD_LL_HEADER, false, 6, 6}:       {text: "ether saddr", kind: macAddress},
		{unix.NFT_PAYLOAD_LL_HEADER, true, 6, 6}:        {text: "ether saddr", kind: macAddress},
		{unix.NFT_PAYLOAD_LL_HEADER, false, 12, 2}:      {text: "ether type"},
		{unix.NFT_PAYLOAD_LL_HEADER, true, 12, 2}:       {text: "ether type"},
	}
	if l, named := known[part{base, w.IPv6(), at, n}]; named {
		return l
	}
	if base == unix.NFT_PAYLOAD_NETWORK_HEADER {
		if l := w.networkLabel(at, n); l.text != "" {
			return l
		}
	}
	if base == unix.NFT_PAYLOAD_TRANSPORT_HEADER {
		if l := w.transportLabel(at, n); l.text != "" {
			return l
		}
	}
	word := map[uint32]string{unix.NFT_PAYLOAD_LL_HEADER: "@ll", unix.NFT_PAYLOAD_NETWORK_HEADER: "@nh",
		unix.NFT_PAYLOAD_TRANSPORT_HEADER: "@th"}[base]
	return label{text: word + "," + decimal(uint64(at*8)) + "," + decimal(uint64(n*8))}
}

// networkLabel names the beginning of an address, which nft reads for a prefix of whole bytes.
func (w *Walk) networkLabel(at, n int) label {
	for name, start := range map[string]int{"ip saddr": 12, "ip daddr": 16, "ip6 saddr": 8, "ip6 daddr": 24} {
		size := 4
		if w.IPv6() {
			size = 16
		}
		if strings.HasPrefix(name, "ip6") == w.IPv6() && at == start && n < size {
			return label{text: name, kind: address, size: size}
		}
	}
	return label{}
}

func (w *Walk) transportLabel(at, n int) label {
	word := map[uint8]string{unix.IPPROTO_TCP: "tcp", unix.IPPROTO_UDP: "udp", unix.IPPROTO_SCTP: "sctp"}[w.Protocol]
	if word == "" {
		word = "th"
	}
	icmp := w.Protocol == unix.IPPROTO_ICMP || w.Protocol == unix.IPPROTO_ICMPV6
	switch {
	case icmp && at == 0 && n == 1:
		return label{text: map[bool]string{false: "icmp type", true: "icmpv6 type"}[w.IPv6()], kind: icmpType}
	case !icmp && at == 0 && n == 2:
		return label{text: word + " sport", kind: port}
	case !icmp && at == 2 && n == 2:
		return label{text: word + " dport", kind: port}
	}
	return label{}
}

// ports returns the ports of the packet, 0 for one that is not known.
func (w *Walk) ports() (from, to value) {
	t := w.transport()
	return value{t.bits[:2], t.known[:2]}, value{t.bits[2:4], t.known[2:4]}
}
