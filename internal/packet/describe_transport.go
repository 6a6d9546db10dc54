package packet

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// The protocols of IP that are more than names here.
const (
	protocolICMP     = 1
	protocolTCP      = 6
	protocolUDP      = 17
	protocolFragment = 44
	protocolICMPv6   = 58
	protocolNone     = 59
)

// protocolName returns the name of a protocol.
func protocolName(n int) string {
	switch n {
	case protocolICMP:
		return "ICMP"
	case 2:
		return "IGMP"
	case 4:
		return "IPv4 in IP"
	case protocolTCP:
		return "TCP"
	case protocolUDP:
		return "UDP"
	case 41:
		return "IPv6 in IP"
	case 47:
		return "GRE"
	case 50:
		return "ESP"
	case 51:
		return "AH"
	case protocolICMPv6:
		return "ICMPv6"
	case protocolNone:
		return "no next header"
	case 89:
		return "OSPF"
	case 132:
		return "SCTP"
	}
	return "protocol " + strconv.Itoa(n)
}

// isExtension reports whether a protocol is an IPv6 extension header with the usual length field, or the fragment
// header.
func isExtension(n int) bool {
	switch n {
	case 0, 43, protocolFragment, 60, 135, 139, 140:
		return true
	}
	return false
}

func describeTransport(from, to netip.Addr, protocol int, p []byte) string {
	name := protocolName(protocol)
	switch protocol {
	case protocolTCP:
		return describeTCP(from, to, p)
	case protocolUDP:
		if len(p) < 8 {
			return plain(from, to, "UDP, cut off")
		}
		return ported(from, to, p, fmt.Sprintf("UDP, %d bytes", len(p)-8))
	case protocolICMP:
		if len(p) < 4 {
			return plain(from, to, "ICMP, cut off")
		}
		return plain(from, to, "ICMP "+icmpName(p[0], p[1]))
	case protocolICMPv6:
		if len(p) < 4 {
			return plain(from, to, "ICMPv6, cut off")
		}
		return plain(from, to, "ICMPv6 "+icmpv6Name(p))
	}
	return plain(from, to, name)
}

func describeTCP(from, to netip.Addr, p []byte) string {
	const header = 20
	if len(p) < header {
		return plain(from, to, "TCP, cut off")
	}
	var flags []string
	for i, name := range strings.Fields("FIN SYN RST PSH ACK URG ECE CWR") {
		if p[13]&(1<<i) != 0 {
			flags = append(flags, name)
		}
	}
	text := join("TCP", strings.Join(flags, " "))
	switch size := int(p[12]>>4) * 4; {
	case size < header || size > len(p):
		text += ", malformed"
	case size < len(p):
		text += fmt.Sprintf(", %d bytes", len(p)-size)
	}
	return ported(from, to, p, text)
}

// The messages of ICMP that are answered, and the answers.
const (
	icmpEchoReply        = 0
	icmpEchoRequest      = 8
	icmpv6EchoRequest    = 128
	icmpv6EchoReply      = 129
	icmpv6NeighborAsk    = 135
	icmpv6NeighborAnswer = 136
)

func icmpName(kind, code byte) string {
	switch kind {
	case icmpEchoReply:
		return "echo reply"
	case icmpEchoRequest:
		return "echo request"
	case 3:
		switch code {
		case 0:
			return "network unreachable"
		case 1:
			return "host unreachable"
		case 2:
			return "protocol unreachable"
		case 3:
			return "port unreachable"
		case 4:
			return "fragmentation needed"
		}
		return fmt.Sprintf("unreachable, code %d", code)
	case 5:
		return "redirect"
	case 9:
		return "router advertisement"
	case 10:
		return "router solicitation"
	case 11:
		return "time exceeded"
	case 12:
		return "parameter problem"
	}
	return fmt.Sprintf("type %d, code %d", kind, code)
}

func icmpv6Name(p []byte) string {
	switch p[0] {
	case 1:
		if p[1] == 4 {
			return "port unreachable"
		}
		return fmt.Sprintf("unreachable, code %d", p[1])
	case 2:
		return "packet too big"
	case 3:
		return "time exceeded"
	case 4:
		return "parameter problem"
	case icmpv6EchoRequest:
		return "echo request"
	case icmpv6EchoReply:
		return "echo reply"
	case 130, 131, 132, 143:
		return "multicast listener"
	case 133:
		return "router solicitation"
	case 134:
		return "router advertisement"
	case icmpv6NeighborAsk, icmpv6NeighborAnswer:
		name, says := "neighbour solicitation", ": who has "
		if p[0] == icmpv6NeighborAnswer {
			name, says = "neighbour advertisement", ": here is "
		}
		if len(p) < 24 {
			return name + ", cut off"
		}
		return name + says + netip.AddrFrom16([16]byte(p[8:24])).String()
	case 137:
		return "redirect"
	}
	return fmt.Sprintf("type %d, code %d", p[0], p[1])
}
