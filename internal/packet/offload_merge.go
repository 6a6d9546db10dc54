package packet

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// A merger writes packets to a queue, each with a virtio header. Consecutive segments of one TCP connection become one
// large segment, which the kernel could split into exactly these packets. The order of the packets stays as it is.
type merger struct {
	write func([]byte) bool // gets a packet with its header
	plain bool              // the queue has no headers: nothing is merged
	tap   bool

	buffer   []byte
	at, end  int     // of the packets in buffer that are not written yet; equal: there are none
	first    segment // the first of them
	size     int     // payload bytes of the first; 0: nothing can follow
	count    int
	verified bool // the checksums of the first are right
	refused  bool // a packet was refused; the caller resets it
}

// add takes the packet buffer[at:end], which later packets of the same buffer may follow until flush. It overwrites
// earlier packets, and offloadRoom bytes before the first.
func (m *merger) add(buffer []byte, at, end int) {
	if m.plain {
		m.refused = !m.write(buffer[at:end]) || m.refused
		return
	}
	s, ok := segmentOf(buffer[at:end:end], m.tap)
	ok = ok && s.mergeable()
	if ok && m.joins(&s) {
		return
	}
	m.flush()
	m.buffer, m.at, m.end, m.first, m.count, m.verified = buffer, at, end, s, 1, false
	m.size = 0
	if ok {
		m.size = len(s.packet) - s.payload
		m.closeAfter(&s)
	}
}

// mergeable reports whether a segment may be a part of a large one.
func (s *segment) mergeable() bool {
	tagged := s.network > ethernetHeader // the driver does not look behind VLAN tags
	if len(s.packet) == s.payload || !s.tcp || tagged {
		return false
	}
	flags := s.packet[s.transport+13]
	return flags&^(tcpPSH|tcpECE) == tcpACK
}

// closeAfter lets nothing follow the last packet of the kernel's segment.
func (m *merger) closeAfter(s *segment) {
	if s.packet[s.transport+13]&tcpPSH != 0 || len(s.packet)-s.payload < m.size {
		m.size = -m.size
	}
}

// joins appends a segment to the waiting ones if it continues them.
func (m *merger) joins(s *segment) bool {
	n, length := len(s.packet)-s.payload, m.end-m.at-m.first.network
	if n > m.size || length+n > frameMax || !m.continued(s) {
		return false
	}
	if !m.verified {
		if !m.first.intact() {
			m.size = 0
			return false
		}
		m.verified = true
	}
	if !s.intact() {
		return false
	}
	m.closeAfter(s)
	m.buffer[m.at+s.transport+13] |= s.packet[s.transport+13] & tcpPSH
	m.end += copy(m.buffer[m.end:], s.packet[s.payload:])
	m.count++
	return true
}

// continued reports whether the headers of a segment are those of the first, but for what counts.
func (m *merger) continued(s *segment) bool {
	f := &m.first
	if f.network != s.network || f.transport != s.transport || f.payload != s.payload || f.ipv6 != s.ipv6 ||
		f.tcp != s.tcp {
		return false
	}
	same := func(from, to int) bool { return bytes.Equal(f.packet[from:to], s.packet[from:to]) }
	ip, rest := s.network, s.transport
	if s.ipv6 {
		if !same(0, ip+4) || !same(ip+6, rest) {
			return false
		}
	} else {
		id := binary.BigEndian.Uint16(f.packet[ip+4:]) + uint16(m.count)
		follows := binary.BigEndian.Uint16(s.packet[ip+4:]) == id
		if !follows || !same(0, ip+2) || !same(ip+6, ip+10) || !same(ip+12, rest) {
			return false
		}
	}
	sequence := binary.BigEndian.Uint32(f.packet[rest+4:]) + uint32(m.end-m.at-f.payload)
	return same(rest, rest+4) && binary.BigEndian.Uint32(s.packet[rest+4:]) == sequence && same(rest+8, rest+13) &&
		(f.packet[rest+13]^s.packet[rest+13])&^tcpPSH == 0 && same(rest+14, rest+sumTCP) && same(rest+18, s.payload)
}

// flush writes the waiting packets.
func (m *merger) flush() {
	if m.at == m.end {
		return
	}
	whole, o := m.buffer[m.at-offloadRoom:m.end], offload{}
	if m.count > 1 {
		o = m.first.grow(whole[offloadRoom:])
		o.size = max(m.size, -m.size)
	}
	o.write(whole)
	m.at = m.end
	m.refused = !m.write(whole) || m.refused
}

// grow writes the headers of a large segment that begins with those of this one, and returns its virtio header without
// the size.
func (s segment) grow(p []byte) offload {
	s.packet = p
	s.setLength()
	o := offload{unsummed: true, header: s.payload, start: s.transport, offset: s.checksumAt() - s.transport}
	o.kind = unix.VIRTIO_NET_HDR_GSO_TCPV6
	if !s.ipv6 {
		o.kind = unix.VIRTIO_NET_HDR_GSO_TCPV4
		s.signIPv4()
	}
	binary.BigEndian.PutUint16(p[s.checksumAt():], uint16(s.pseudo()))
	return o
}
