package packet

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// A splitter splits the large segments of a queue into packets, and completes checksums. Without headers the queue has
// packets only.
type splitter struct {
	to      packets
	headers bool
	tap     bool
	scratch []byte
}

// packets take packets.
type packets interface {
	next(n int) []byte // the room for a packet of n bytes, which the caller fills
	full() bool        // no further packet should be read
}

func newSplitter(to packets, headers, tap bool) *splitter {
	return &splitter{to: to, headers: headers, tap: tap, scratch: aligned(relayBuffer, offloadRoom)}
}

func (s *splitter) room() []byte {
	if s.to.full() {
		return nil
	}
	return s.scratch
}

// took drops packets that are malformed or too long, which the kernel does not send.
func (s *splitter) took(n int) {
	if !s.headers {
		s.put(s.scratch[:n])
		return
	}
	if n <= offloadRoom {
		return
	}
	o, p := readOffload(s.scratch), s.scratch[offloadRoom:n]
	if o.kind != unix.VIRTIO_NET_HDR_GSO_NONE {
		s.split(o, p)
		return
	}
	if o.unsummed {
		at := o.start + o.offset
		if at+2 > len(p) {
			return
		}
		sign16(p[at:], checksum(0, p[o.start:]))
	}
	s.put(p)
}

// put passes a packet on, unless it is longer than a frame: a tap of the largest MTU sends these with a VLAN tag.
func (s *splitter) put(p []byte) {
	if len(p) <= frameMax {
		copy(s.to.next(len(p)), p)
	}
}

// sign16 writes a checksum as UDP does, for which 0 means none. For TCP both zeros are the same.
func sign16(b []byte, sum uint16) {
	if sum == 0 {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(b, sum)
}

// split makes packets of a large segment. They have its options of TCP and of IP, and its extension headers.
func (s *splitter) split(o offload, p []byte) {
	whole, ok := s.whole(o, p)
	if !ok {
		return
	}
	// The checksum is that of the pseudo header, with the length of the whole segment.
	sum := uint32(binary.BigEndian.Uint16(p[whole.checksumAt():])) + uint32(^uint16(len(p)-whole.transport))
	for at := whole.payload; at < len(p); at += o.size {
		end := min(at+o.size, len(p))
		part := whole
		part.packet = s.to.next(whole.payload + end - at)
		copy(part.packet, p[:whole.payload])
		copy(part.packet[whole.payload:], p[at:end])
		part.finish((at-whole.payload)/o.size, at-whole.payload, end == len(p), sum)
	}
}

// whole returns a large segment, whose headers may be any if the kernel says where they are.
func (s *splitter) whole(o offload, p []byte) (seg segment, ok bool) {
	tcp := o.kind != unix.VIRTIO_NET_HDR_GSO_UDP_L4
	if !o.unsummed { // another device has verified the checksum
		if seg, ok = segmentOf(p, s.tap); !ok || seg.tcp != tcp || o.size == 0 {
			return seg, false
		}
		binary.BigEndian.PutUint16(p[seg.checksumAt():], uint16(seg.pseudo()))
		return seg, true
	}
	seg = segment{packet: p, network: networkAt(p, s.tap), transport: o.start, tcp: tcp}
	header := headerUDP
	if tcp {
		header = headerTCP
	}
	if seg.network < 0 || o.size == 0 || o.start < seg.network+headerIPv4 || o.start+header > len(p) {
		return seg, false
	}
	if tcp {
		header = max(header, int(p[o.start+12]>>4)*4)
	}
	seg.ipv6, seg.payload = p[seg.network]>>4 == 6, o.start+header
	return seg, true
}

// checksumAt returns where the checksum of TCP or UDP is.
func (s *segment) checksumAt() int {
	if s.tcp {
		return s.transport + sumTCP
	}
	return s.transport + sumUDP
}

// finish turns the headers of a large segment into those of its n-th packet, whose payload begins at a place in that of
// the segment. sum is the sum of the pseudo header without the length.
func (s *segment) finish(n, at int, last bool, sum uint32) {
	ip, rest := s.packet[s.network:], s.packet[s.transport:]
	s.setLength()
	if !s.ipv6 {
		binary.BigEndian.PutUint16(ip[4:], binary.BigEndian.Uint16(ip[4:])+uint16(n))
		s.signIPv4()
	}
	if s.tcp {
		binary.BigEndian.PutUint32(rest[4:], binary.BigEndian.Uint32(rest[4:])+uint32(at))
		if n > 0 {
			rest[13] &^= tcpCWR
		}
		if !last {
			rest[13] &^= tcpFIN | tcpPSH
		}
	}
	check := s.packet[s.checksumAt():]
	check[0], check[1] = 0, 0
	sign16(check, checksum(sum+uint32(len(rest)), rest))
}

// setLength writes the length of the packet into its headers.
func (s *segment) setLength() {
	ip, rest := s.packet[s.network:], s.packet[s.transport:]
	if s.ipv6 {
		binary.BigEndian.PutUint16(ip[4:], uint16(len(ip)-headerIPv6))
	} else {
		binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	}
	if !s.tcp {
		binary.BigEndian.PutUint16(rest[4:], uint16(len(rest)))
	}
}

// signIPv4 writes the checksum of an IPv4 header.
func (s *segment) signIPv4() {
	ip := s.packet[s.network:s.transport]
	ip[10], ip[11] = 0, 0
	binary.BigEndian.PutUint16(ip[10:], checksum(0, ip))
}
