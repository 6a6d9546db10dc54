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
		v, _ := r.load(e.number(unix.NFTA_PAYLOAD_SREG), n)
		r.setHeader(base, at, v, l)
		return yes
	}
	v, exists := r.bytesOf(base)
	if !exists {
		return no
	}
	r.store(e.number(unix.NFTA_PAYLOAD_DREG), v.part(at, n), l)
	return yes
}

// setHeader writes to a header. nft writes two bytes of IPv4 at once, because of the checksum.
func (r *run) setHeader(base uint32, at int, v value, l label) {
	ip := base == unix.NFT_PAYLOAD_NETWORK_HEADER
	before, _ := r.Hops()
	r.write(base, at, v)
	hops := r.hopsAt()
	switch after, sure := r.Hops(); {
	case !ip || at > hops || at+len(v.bits) <= hops:
		r.say(l.text + " set")
	case sure && after != before:
		r.say(map[bool]string{false: "ip ttl set ", true: "ip6 hoplimit set "}[r.IPv6()] + decimal(uint64(after)))
		r.changes(Hops)
	default:
		r.say("ip ttl set")
	}
	r.rewritten = r.rewritten || ip && l.kind == address
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
		{unix.NFT_PAYLOAD_NETWORK_HEADER, false, 8, 1}:  {text: "ip ttl", kind: bigNumber},
		{unix.NFT_PAYLOAD_NETWORK_HEADER, true, 7, 1}:   {text: "ip6 hoplimit", kind: bigNumber},
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
	if base == unix.NFT_PAYLOAD_NETWORK_HEADER && w.arp() {
		return arpLabel(at, n)
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

// arpLabel names a part of an ARP header.
func arpLabel(at, n int) label {
	type part struct{ at, n int }
	if l, named := map[part]label{
		{0, 2}: {text: "arp htype", kind: bigNumber}, {2, 2}: {text: "arp ptype"},
		{4, 1}: {text: "arp hlen", kind: bigNumber},
		{5, 1}: {text: "arp plen", kind: bigNumber}, {6, 2}: {text: "arp operation", kind: operation},
		{8, 6}: {text: "arp saddr ether", kind: macAddress}, {14, 4}: {text: "arp saddr ip", kind: address},
		{18, 6}: {text: "arp daddr ether", kind: macAddress}, {24, 4}: {text: "arp daddr ip", kind: address},
	}[part{at, n}]; named {
		return l
	}
	return label{text: "@nh," + decimal(uint64(at*8)) + "," + decimal(uint64(n*8))}
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
		return label{text: word + " sport", kind: bigNumber}
	case !icmp && at == 2 && n == 2:
		return label{text: word + " dport", kind: bigNumber}
	}
	return label{}
}

// ports returns the ports of the packet, 0 for one that is not known.
func (w *Walk) ports() (from, to value) {
	t := w.transport()
	return t.part(0, 2), t.part(2, 2)
}
