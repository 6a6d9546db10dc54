package packet

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// offloadRoom is the length in bytes of the virtio header before each packet of a queue that is attached with Offload.
const offloadRoom = 10

// OffloadMTU is the largest MTU in bytes with which offloads make a tunnel faster: at least three packets are then a
// segment of 64 KiB.
const OffloadMTU = 1<<16/3 - 1

// An offload is a virtio header: the work on a packet that the sender leaves to the receiver.
type offload struct {
	kind     byte // unix.VIRTIO_NET_HDR_GSO_*
	unsummed bool // the checksum is that of the pseudo header only
	header   int  // length in bytes of all headers; the kernel's value is a hint
	size     int  // payload bytes of each packet but the last
	start    int  // where the part that the checksum covers begins
	offset   int  // of the checksum in this part
}

// readOffload returns the header of a packet from the device.
func readOffload(b []byte) (o offload) {
	o.unsummed = b[0]&unix.VIRTIO_NET_HDR_F_NEEDS_CSUM != 0
	o.kind = b[1] &^ unix.VIRTIO_NET_HDR_GSO_ECN
	o.header = int(binary.NativeEndian.Uint16(b[2:]))
	o.size = int(binary.NativeEndian.Uint16(b[4:]))
	o.start = int(binary.NativeEndian.Uint16(b[6:]))
	o.offset = int(binary.NativeEndian.Uint16(b[8:]))
	return o
}

// write writes the header of a packet for the device.
func (o *offload) write(b []byte) {
	b[0], b[1] = 0, o.kind
	if o.unsummed {
		b[0] = unix.VIRTIO_NET_HDR_F_NEEDS_CSUM
	}
	binary.NativeEndian.PutUint16(b[2:], uint16(o.header))
	binary.NativeEndian.PutUint16(b[4:], uint16(o.size))
	binary.NativeEndian.PutUint16(b[6:], uint16(o.start))
	binary.NativeEndian.PutUint16(b[8:], uint16(o.offset))
}

// The parts of a TCP and of a UDP header.
const (
	headerTCP = 20
	headerUDP = 8
	sumTCP    = 16
	sumUDP    = 6

	tcpFIN = 0x01
	tcpPSH = 0x08
	tcpACK = 0x10
	tcpECE = 0x40
	tcpCWR = 0x80
)

// networkAt returns where the IP header of a packet is, or -1 if there is none.
func networkAt(p []byte, tap bool) (at int) {
	if tap {
		for at = ethernetHeader; at+2 <= len(p); at += 4 {
			kind := binary.BigEndian.Uint16(p[at-2:])
			if kind == ethernetIPv4 || kind == ethernetIPv6 {
				break
			}
			if kind != ethernetVLAN && kind != ethernetVLANs {
				return -1
			}
		}
	}
	switch {
	case len(p) >= at+headerIPv4 && p[at]>>4 == 4:
		return at
	case len(p) >= at+headerIPv6 && p[at]>>4 == 6:
		return at
	}
	return -1
}

// A segment is a packet with TCP or UDP directly behind its IP header, and without IP options.
type segment struct {
	packet             []byte
	network, transport int // where the headers begin
	payload            int
	ipv6, tcp          bool
}

// segmentOf returns a packet as a segment. Fragments and packets with a wrong length are none.
func segmentOf(p []byte, tap bool) (s segment, ok bool) {
	s.packet, s.network = p, networkAt(p, tap)
	if s.network < 0 {
		return s, false
	}
	ip, protocol := p[s.network:], byte(0)
	if s.ipv6 = ip[0]>>4 == 6; s.ipv6 {
		s.transport, protocol = s.network+headerIPv6, ip[6]
		ok = int(binary.BigEndian.Uint16(ip[4:])) == len(ip)-headerIPv6
	} else {
		s.transport, protocol = s.network+headerIPv4, ip[9]
		const ihl5, dontFragment = 0x45, 0x40
		ok = ip[0] == ihl5 && int(binary.BigEndian.Uint16(ip[2:])) == len(ip) && ip[6]&^dontFragment == 0 && ip[7] == 0
	}
	rest := p[s.transport:]
	switch {
	case protocol == protocolTCP && len(rest) >= headerTCP:
		s.tcp, s.payload = true, s.transport+int(rest[12]>>4)*4
		ok = ok && s.payload >= s.transport+headerTCP && s.payload <= len(p)
	case protocol == protocolUDP && len(rest) >= headerUDP:
		s.payload = s.transport + headerUDP
		ok = ok && int(binary.BigEndian.Uint16(rest[4:])) == len(rest)
	default:
		return s, false
	}
	return s, ok
}

// pseudo returns the sum of the pseudo header.
func (s *segment) pseudo() uint32 {
	addresses := s.packet[s.network+12 : s.network+headerIPv4]
	if s.ipv6 {
		addresses = s.packet[s.network+8 : s.network+headerIPv6]
	}
	protocol := protocolUDP
	if s.tcp {
		protocol = protocolTCP
	}
	return uint32(^checksum(uint32(protocol+len(s.packet)-s.transport), addresses))
}

// intact reports whether the checksums are right.
func (s *segment) intact() bool {
	return (s.ipv6 || checksum(0, s.packet[s.network:s.transport]) == 0) &&
		checksum(s.pseudo(), s.packet[s.transport:]) == 0
}
