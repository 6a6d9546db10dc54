package packet

import (
	"bytes"
	"slices"
	"testing"
)

// A stretch makes TCP packets that follow each other.
type stretch struct {
	v6      bool
	flags   byte
	options []byte
	lengths []int
}

func (s stretch) packets() (all [][]byte) {
	sequence := uint32(1<<32 - 2000)
	for i, n := range s.lengths {
		var ip internet = ipv4{protocol: protocolTCP, id: uint16(0xffff + i)}
		if s.v6 {
			ip = ipv6{protocol: protocolTCP}
		}
		all = append(all, tcp(ip, sequence, s.flags, s.options, numbered(n), false))
		sequence += uint32(n)
	}
	return all
}

// resum writes the checksums of a changed packet.
func resum(p []byte) {
	s, _ := segmentOf(p, false)
	s.transport = max(s.transport, int(p[0]&15)*4)
	if p[0]>>4 == 4 {
		s.signIPv4()
	}
	check := p[s.transport+sumTCP:]
	check[0], check[1] = 0, 0
	sign16(check, slowSum(ipv4{protocol: protocolTCP}.pseudo(len(p)-s.transport), p[s.transport:]))
}

// changed is three packets that one change each keeps apart from the others: the second one has it.
func changed(change func(p []byte)) [][]byte {
	all := stretch{flags: tcpACK, options: timestamps, lengths: []int{1000, 1000, 1000}}.packets()
	change(all[1])
	resum(all[1])
	return all
}

// TestMerge checks which packets become one segment, and has the kernel split what is written: they come out unchanged.
func TestMerge(t *testing.T) {
	c := newCrossing(t)
	for _, one := range slices.Concat(joined(), changedOnce(), differing()) {
		written, got := merged(c, t, one.packets)
		if len(written) != one.writes {
			t.Errorf("%s: %d packets are written as %d, want %d", one.name, len(one.packets), len(written), one.writes)
		}
		if want := hopped(one.packets); !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("%s: %d packets come out, %d went in, or not as they were", one.name, len(got), len(want))
		}
	}
}

// A mergeCase is packets, and how many segments and packets they become.
type mergeCase struct {
	name    string
	packets [][]byte
	writes  int
}

// joined are packets that follow each other.
func joined() []mergeCase {
	equal := slices.Repeat([]int{1360}, 20)
	five := stretch{flags: tcpACK, lengths: []int{1000, 1000, 1000, 1000, 400}}
	six := stretch{flags: tcpACK, v6: true, options: timestamps, lengths: []int{1000, 1000, 1000, 1000, 400}}
	return []mergeCase{
		{"IPv4", five.packets(), 1},
		{"IPv6", six.packets(), 1},
		{"ECE", stretch{flags: tcpACK | tcpECE, lengths: equal}.packets(), 1},
		{"two connections", append(five.packets(), six.packets()...), 2},
		{"more than 64 KiB", stretch{flags: tcpACK, lengths: slices.Repeat([]int{1360}, 50)}.packets(), 2},
		{"PSH at the end", changed(func(p []byte) { p[33] |= tcpPSH }), 2},
		{"after a shorter one", stretch{flags: tcpACK, lengths: []int{1000, 400, 400}}.packets(), 2},
		{"a longer one", stretch{flags: tcpACK, lengths: []int{400, 1000, 1000}}.packets(), 2},
		{"no data", stretch{flags: tcpACK, lengths: []int{0, 0, 0}}.packets(), 3},
		{"PSH", stretch{flags: tcpACK | tcpPSH, lengths: []int{1000, 1000}}.packets(), 2},
		{"FIN", stretch{flags: tcpACK | tcpFIN, lengths: []int{1000, 1000}}.packets(), 2},
		{"CWR", stretch{flags: tcpACK | tcpCWR, lengths: []int{1000, 1000}}.packets(), 2},
		{"SYN", stretch{flags: 0x02, lengths: []int{1000, 1000}}.packets(), 2},
		{"URG", stretch{flags: tcpACK | 0x20, lengths: []int{1000, 1000}}.packets(), 2},
	}
}

// changedOnce are three packets, the second of which has other header fields.
func changedOnce() []mergeCase {
	return []mergeCase{
		{"AE", changed(func(p []byte) { p[32] |= 1 }), 3},
		{"congestion", changed(func(p []byte) { p[1] = 3 }), 3},
		{"hop limit", changed(func(p []byte) { p[8] = 9 }), 3},
		{"don't fragment", changed(func(p []byte) { p[6] = 0x40 }), 3},
		{"identification", changed(func(p []byte) { p[4] ^= 1 }), 3},
		{"port", changed(func(p []byte) { p[21] ^= 1 }), 3},
		{"sequence, a gap", changed(func(p []byte) { p[26] ^= 1 }), 3},
		{"acknowledgement", changed(func(p []byte) { p[28] ^= 1 }), 3},
		{"window", changed(func(p []byte) { p[34] ^= 1 }), 3},
		{"ECE once", changed(func(p []byte) { p[33] |= tcpECE }), 3},
		{"timestamp", changed(func(p []byte) { p[51] ^= 1 }), 3},
		{"fragment", changed(func(p []byte) { p[6] = 0x20 }), 3},
		{"last fragment", changed(func(p []byte) { p[7] = 1 }), 3},
	}
}

// differing are two packets that are never parts of a segment, or that have different headers.
func differing() []mergeCase {
	v4 := func(id, fragment uint16, options []byte) internet {
		return ipv4{protocol: protocolTCP, id: id, fragment: fragment, options: options}
	}
	extended, payload := ipv6{protocol: protocolTCP, extension: extension}, numbered(1000)
	again := tcp(v4(0, 0, nil), 7, tcpACK, nil, payload, false)
	datagrams := [][]byte{udp(ipv4{protocol: protocolUDP}, payload, false)}
	return []mergeCase{
		{"fragments", stretchOf(v4(0, 0x2000, nil), v4(1, 0x2000, nil)), 2},
		{"last fragments", stretchOf(v4(0, 1, nil), v4(1, 1, nil)), 2},
		{"hop limit of IPv6", stretchOf(ipv6{protocol: protocolTCP}, ipv6{protocol: protocolTCP, hops: 9}), 2},
		{"repeated", [][]byte{again, again}, 2},
		{"options of IPv4", stretchOf(v4(0, 0, noOption), v4(1, 0, noOption)), 2},
		{"extension header", stretchOf(extended, extended), 2},
		{"traffic class", stretchOf(ipv6{protocol: protocolTCP}, ipv6{protocol: protocolTCP, class: 3}), 2},
		{"UDP", append(datagrams, udp(ipv4{protocol: protocolUDP, id: 1}, payload, false)), 2},
	}
}

// stretchOf is a packet for each header, with sequence numbers that follow each other.
func stretchOf(headers ...internet) (all [][]byte) {
	for i, ip := range headers {
		all = append(all, tcp(ip, uint32(i*1000), tcpACK, nil, numbered(1000), false))
	}
	return all
}

// merged returns what a merger writes for packets of a stream, and what the kernel makes of it.
func merged(c *crossing, t *testing.T, packets [][]byte) (written, got [][]byte) {
	t.Helper()
	m := &merger{write: func(p []byte) bool {
		written = append(written, bytes.Clone(p))
		return true
	}}
	buffer := make([]byte, offloadRoom)
	for _, p := range packets {
		buffer = append(buffer, framed(p)...)
	}
	at := offloadRoom
	for _, p := range packets {
		at += frameHead + len(p)
		m.add(buffer, at-len(p), at)
	}
	m.flush()
	return written, c.cross(t, written...)
}

// TestWrongChecksumsStayWrong damages one packet of three, in its payload or in its checksum.
func TestWrongChecksumsStayWrong(t *testing.T) {
	c := newCrossing(t)
	for _, v6 := range []bool{false, true} {
		for i, writes := range []int{2, 3, 2} {
			for _, back := range []int{1, 1000 + headerTCP - sumTCP} {
				packets := stretch{v6: v6, flags: tcpACK, lengths: []int{1000, 1000, 1000}}.packets()
				packets[i][len(packets[i])-back] ^= 4
				written, got := merged(c, t, packets)
				want := hopped(packets)
				if len(written) != writes || !slices.EqualFunc(got, want, bytes.Equal) {
					t.Errorf("packet %d, IPv6 %t: %d writes, want %d; %d come", i, v6, len(written), writes, len(got))
				}
			}
		}
	}
}

// TestFramesOfATap splits and merges frames of a tap like the packets of a tun. Frames with VLAN tags are split only.
func TestFramesOfATap(t *testing.T) {
	const addresses = "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02"
	for _, one := range []struct {
		kind   string
		v6     bool
		writes int
	}{
		{"\x08\x00", false, 1}, {"\x86\xdd", true, 1},
		{"\x81\x00\x00\x07\x08\x00", false, 5}, {"\x88\xa8\x00\x07\x81\x00\x00\x08\x86\xdd", true, 5},
	} {
		header := []byte(addresses + one.kind)
		buffer, want, writes := make([]byte, offloadRoom), [][]byte{}, [][]byte{}
		m := &merger{tap: true, write: func(p []byte) bool {
			writes = append(writes, bytes.Clone(p))
			return true
		}}
		for _, p := range (stretch{v6: one.v6, flags: tcpACK, lengths: []int{900, 900, 900, 900, 100}}).packets() {
			want = append(want, slices.Concat(header, p))
			buffer = slices.Concat(buffer, header, p)
		}
		for at, i := offloadRoom, 0; i < len(want); i++ {
			m.add(buffer, at, at+len(want[i]))
			at += len(want[i])
		}
		m.flush()
		got := [][]byte{}
		for _, p := range writes {
			got = append(got, splitted(p, true)...)
		}
		if len(writes) != one.writes || !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("%q: %d writes, want %d; %d frames, or other ones", one.kind, len(writes), one.writes, len(got))
		}
	}
}

// TestTaggedFramesAreSplit has a VLAN tag in a large segment of a tap.
func TestTaggedFramesAreSplit(t *testing.T) {
	tag := make([]byte, ethernetHeader+4)
	copy(tag[12:], "\x81\x00\x00\x07\x08\x00")
	whole := tcp(ipv4{protocol: protocolTCP}, 7, tcpACK, nil, numbered(3000), true)
	o := offload{kind: 1, unsummed: true, size: 1000, start: headerIPv4, offset: sumTCP}
	want := splitted(headed(o, whole), false)
	o.start += len(tag)
	got := splitted(headed(o, append(tag, whole...)), true)
	for i := range got {
		got[i] = bytes.TrimPrefix(got[i], tag)
	}
	if len(want) != 3 || !slices.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("%d frames, or not those of a tun", len(got))
	}
}

// TestVerifiedSegments splits a segment whose checksum another device has verified, so that it comes without one.
func TestVerifiedSegments(t *testing.T) {
	for _, ip := range []internet{ipv4{protocol: protocolTCP}, ipv6{protocol: protocolTCP}} {
		p := tcp(ip, 7, tcpACK, timestamps, numbered(3000), true)
		o := offload{kind: 1, unsummed: true, size: 1000, offset: sumTCP}
		o.start = len(p) - 3000 - headerTCP - len(timestamps)
		want := splitted(headed(o, p), false)
		p = tcp(ip, 7, tcpACK, timestamps, numbered(3000), false)
		got := splitted(headed(offload{kind: 1, size: 1000}, p), false)
		if len(want) != 3 || !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("%d packets, want %d, or other ones", len(got), len(want))
		}
	}
}

// TestSmallPackets splits a segment into packets that need more room than a buffer has.
func TestSmallPackets(t *testing.T) {
	payload := numbered(65000)
	o := offload{kind: 1, unsummed: true, size: 48, start: headerIPv4, offset: sumTCP}
	var got []byte
	whole := tcp(ipv4{protocol: protocolTCP}, 7, tcpACK, timestamps, payload, true)
	for _, p := range splitted(headed(o, whole), false) {
		got = append(got, p[headerIPv4+headerTCP+len(timestamps):]...)
	}
	if !bytes.Equal(got, payload) {
		t.Errorf("%d bytes come out, or not as they were", len(got))
	}
}

// FuzzOffload splits and merges bytes of any kind.
func FuzzOffload(f *testing.F) {
	f.Add(headed(offload{kind: 1, unsummed: true, size: 9, start: 20, offset: 16}, make([]byte, 40)), false)
	six := tcp(ipv6{protocol: protocolTCP}, 7, tcpACK, nil, numbered(30), true)
	f.Add(headed(offload{kind: 4, size: 9}, six), false)
	f.Add(headed(offload{unsummed: true, start: 65535, offset: 65535}, make([]byte, 40)), true)
	f.Fuzz(func(t *testing.T, b []byte, tap bool) {
		if len(b) > frameMax {
			return
		}
		splitted(b, tap)
		m := &merger{tap: tap, write: func([]byte) bool { return true }}
		buffer := slices.Concat(make([]byte, offloadRoom), b, b)
		m.add(buffer, offloadRoom, offloadRoom+len(b))
		m.add(buffer, offloadRoom+len(b), len(buffer))
		m.flush()
	})
}
