package packet

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// openICMPv6 returns the addresses and the message of an IPv6 packet that is one intact message of ICMPv6, of at least
// eight bytes. For any other packet the message is nil.
func openICMPv6(p []byte) (from, to netip.Addr, message []byte) {
	if len(p) < headerIPv6 || p[0]>>4 != 6 || p[6] != protocolICMPv6 {
		return from, to, nil
	}
	from, to = netip.AddrFrom16([16]byte(p[8:24])), netip.AddrFrom16([16]byte(p[24:40]))
	length := int(binary.BigEndian.Uint16(p[4:]))
	if length < 8 || headerIPv6+length > len(p) {
		return from, to, nil
	}
	message = p[headerIPv6 : headerIPv6+length]
	if checksum(pseudoIPv6(p[8:40], length), message) != 0 || !isHostIPv6(from) {
		return from, to, nil
	}
	return from, to, message
}

func isHostIPv6(a netip.Addr) bool {
	return !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() && !a.Is4In6()
}

// pseudoIPv6 returns the sum of the pseudo header, which the checksum of a message includes.
func pseudoIPv6(addresses []byte, length int) (sum uint32) {
	for i := 0; i < len(addresses); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(addresses[i:]))
	}
	return sum + uint32(length) + protocolICMPv6
}

func respondIPv6(p []byte) []byte {
	from, to, message := openICMPv6(p)
	if message == nil || !isHostIPv6(to) || from == to || message[0] != icmpv6EchoRequest || message[1] != 0 {
		return nil
	}
	return closeICMPv6(to, from, hopLimit, icmpv6EchoReply, message)
}

// closeICMPv6 returns a packet with a message.
func closeICMPv6(from, to netip.Addr, hops, kind byte, message []byte) []byte {
	source, destination := from.As16(), to.As16()
	head := []byte{0: 0x60, 6: protocolICMPv6, 7: hops}
	binary.BigEndian.PutUint16(head[4:], uint16(len(message)))
	answer := slices.Concat(head, source[:], destination[:], message)
	sign(answer[headerIPv6:], kind, pseudoIPv6(answer[8:headerIPv6], len(message)))
	return answer
}

// respondNeighbor answers a neighbour solicitation.
func respondNeighbor(p []byte, station [6]byte) []byte {
	const sameLink, length = 255, 24
	from, _, message := openICMPv6(p)
	if len(message) < length || message[0] != icmpv6NeighborAsk || message[1] != 0 || p[7] != sameLink {
		return nil
	}
	target := netip.AddrFrom16([16]byte(message[8:length]))
	if !isHostIPv6(target) || target == from {
		return nil
	}
	const solicited, override = 0x40, 0x20
	const targetMAC, inEights = 2, 1
	option := []byte{targetMAC, inEights}
	answer := slices.Concat([]byte{4: solicited | override, 7: 0}, message[8:length], option, station[:])
	return closeICMPv6(target, from, sameLink, icmpv6NeighborAnswer, answer)
}
