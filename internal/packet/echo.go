package packet

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/tunadm/tunadm/internal/link"
)

// A Responder answers pings as a host at the other end of a device that has all addresses.
type Responder struct {
	Mode       link.Mode
	MAC        [6]byte      // of a tap's other end
	Broadcasts []netip.Addr // of the device's networks, which no host has as its address
}

// The parts of an ARP packet for IPv4 over Ethernet.
const (
	arpForIPv4 = "\x00\x01\x08\x00\x06\x04"
	arpLength  = 28
	arpRequest = 1
	arpReply   = 2
)

const hopLimit = 64

// Respond returns the answer to a packet of a tun or a frame of a tap, or nil. It answers ARP requests and neighbour
// solicitations on a tap, and echo requests. It does not answer malformed packets, fragments, multicasts, and probes
// for duplicate addresses, which the host sends before it takes an address.
func (r *Responder) Respond(p []byte) []byte {
	if r.Mode == link.TAP {
		return r.respondFrame(p)
	}
	switch {
	case len(p) > 0 && p[0]>>4 == 4:
		return r.respondIPv4(p)
	case len(p) > 0 && p[0]>>4 == 6:
		return respondIPv6(p)
	}
	return nil
}

// respondFrame answers from the MAC address that was asked, or from its own if the frame is a broadcast. A packet to
// one IP address must be in a frame to one MAC address.
func (r *Responder) respondFrame(p []byte) (answer []byte) {
	if len(p) < ethernetHeader {
		return nil
	}
	to, from := [6]byte(p), [6]byte(p[6:])
	group, station := to[0]&1 != 0, to
	if group {
		station = r.MAC
	}
	if from[0]&1 != 0 || from == [6]byte{} || station == [6]byte{} || from == r.MAC || from == station {
		return nil
	}
	switch kind, p := binary.BigEndian.Uint16(p[12:]), p[ethernetHeader:]; {
	case kind == ethernetARP:
		answer = r.respondARP(p, station)
	case kind == ethernetIPv6:
		if answer = respondNeighbor(p, station); answer == nil && !group {
			answer = respondIPv6(p)
		}
	case kind == ethernetIPv4 && !group:
		answer = r.respondIPv4(p)
	}
	if answer == nil {
		return nil
	}
	return slices.Concat(from[:], station[:], p[12:14], answer)
}

func (r *Responder) respondARP(p []byte, station [6]byte) []byte {
	if len(p) < arpLength || string(p[:6]) != arpForIPv4 || binary.BigEndian.Uint16(p[6:]) != arpRequest {
		return nil
	}
	asker, sender, target := p[8:14], netip.AddrFrom4([4]byte(p[14:18])), netip.AddrFrom4([4]byte(p[24:28]))
	// A sender without an address probes for duplicates.
	if asker[0]&1 != 0 || !r.isHost(sender) || !r.isHost(target) || sender == target {
		return nil
	}
	answer := binary.BigEndian.AppendUint16([]byte(arpForIPv4), arpReply)
	return slices.Concat(answer, station[:], p[24:28], asker, p[14:18])
}

// isHost reports whether a host can have the address.
func (r *Responder) isHost(a netip.Addr) bool {
	first := a.As4()[0]
	return first != 0 && first < 224 && !a.IsLoopback() && !slices.Contains(r.Broadcasts, a)
}

func (r *Responder) respondIPv4(p []byte) []byte {
	if len(p) < headerIPv4 || p[0]>>4 != 4 {
		return nil
	}
	header, length := int(p[0]&15)*4, int(binary.BigEndian.Uint16(p[2:]))
	if header < headerIPv4 || length < header+8 || length > len(p) || p[9] != protocolICMP ||
		checksum(0, p[:header]) != 0 {
		return nil
	}
	const more, offset = 0x2000, 0x1fff
	if binary.BigEndian.Uint16(p[6:])&(more|offset) != 0 {
		return nil
	}
	from, to := netip.AddrFrom4([4]byte(p[12:16])), netip.AddrFrom4([4]byte(p[16:20]))
	message := p[header:length]
	if !r.isHost(from) || !r.isHost(to) || from == to || message[0] != icmpEchoRequest || message[1] != 0 ||
		checksum(0, message) != 0 {
		return nil
	}
	answer := make([]byte, headerIPv4, headerIPv4+len(message))
	copy(answer, p[:6]) // with the type of service and the identification, without options
	answer[0] = 0x45
	binary.BigEndian.PutUint16(answer[2:], uint16(cap(answer)))
	answer[8], answer[9] = hopLimit, protocolICMP
	copy(answer[12:], p[16:20])
	copy(answer[16:], p[12:16])
	binary.BigEndian.PutUint16(answer[10:], checksum(0, answer))
	answer = append(answer, message...)
	sign(answer[headerIPv4:], icmpEchoReply, 0)
	return answer
}

// sign sets the type of an ICMP message and its checksum, which includes the sum of a pseudo header.
func sign(message []byte, kind byte, pseudo uint32) {
	message[0], message[2], message[3] = kind, 0, 0
	binary.BigEndian.PutUint16(message[2:], checksum(pseudo, message))
}
