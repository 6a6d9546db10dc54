package packet

import (
	"bytes"
	"encoding/binary"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/nstest"
)

// A crossing is a namespace that forwards what is written to one device, which has virtio headers, to another one that
// has none, so that the kernel splits all segments.
type crossing struct{ in, out *os.File }

func newCrossing(t *testing.T) *crossing {
	t.Helper()
	c := &crossing{in: attachedDevice(t, "tun70", true), out: device(t, "tun71")}
	nstest.Run(t, "ip", "link", "set", "tun71", "txqueuelen", "3000")
	for _, name := range []string{"0", "1"} {
		nstest.Run(t, "ip", "address", "add", "10.7"+name+".0.1/24", "dev", "tun7"+name)
		nstest.Run(t, "ip", "address", "add", "fd7"+name+"::1/64", "dev", "tun7"+name, "nodad")
	}
	for _, path := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding"} {
		if err := os.WriteFile("/proc/sys/net/"+path, []byte("1"), 0); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// cross writes packets with their virtio headers, and returns what comes out. The kernel counts each hop limit down.
func (c *crossing) cross(t *testing.T, packets ...[]byte) (all [][]byte) {
	t.Helper()
	mark := ipv4{protocol: 253}.packet(nil, []byte("mark"))
	for _, p := range append(packets, headed(offload{}, mark)) {
		if _, err := c.in.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	_ = c.out.SetReadDeadline(time.Now().Add(patience))
	for buffer := make([]byte, relayBuffer); ; {
		n, err := c.out.Read(buffer)
		switch p := buffer[:max(n, 0)]; {
		case err != nil:
			t.Fatal(err)
		case bytes.HasSuffix(p, []byte("mark")):
			return all
		case bytes.HasPrefix(p, []byte{0x45}), bytes.HasPrefix(p, []byte{0x46}), p[0]>>4 == 6 && p[24] == 0xfd:
			all = append(all, bytes.Clone(p))
		}
	}
}

// headed returns a packet with a virtio header.
func headed(o offload, p []byte) []byte {
	b := append(make([]byte, offloadRoom), p...)
	o.write(b)
	return b
}

// hopped returns packets after one hop.
func hopped(packets [][]byte) (all [][]byte) {
	for _, p := range packets {
		p = bytes.Clone(p)
		if p[0]>>4 == 6 {
			p[7]--
		} else {
			p[8]--
			n := int(p[0]&15) * 4
			p[10], p[11] = 0, 0
			binary.BigEndian.PutUint16(p[10:], slowSum(0, p[:n]))
		}
		all = append(all, p)
	}
	return all
}

// slowSum is the checksum as its definition says.
func slowSum(sum uint32, b []byte) uint16 {
	for i, one := range b {
		sum += uint32(one) << (8 * (1 - i%2))
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum&0xffff + sum>>16)
}

// An ipv4 is an IPv4 header; an ipv6 one of IPv6, with an extension header if protocol is not next.
type ipv4 struct {
	protocol, tos byte
	id, fragment  uint16
	options       []byte
}

// internet is an IP header, which makes packets of a transport header and a payload.
type internet interface {
	packet(transport, payload []byte) []byte
	pseudo(length int) uint32
}

func (h ipv4) packet(transport, payload []byte) []byte {
	p := []byte{0x45 + byte(len(h.options)/4), h.tos, 0, 0, 0, 0, 0, 0, 64, h.protocol, 0, 0}
	p = slices.Concat(p, []byte{10, 70, 0, 2, 10, 71, 0, 2}, h.options)
	n := len(p)
	p = slices.Concat(p, transport, payload)
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	binary.BigEndian.PutUint16(p[4:], h.id)
	binary.BigEndian.PutUint16(p[6:], h.fragment)
	binary.BigEndian.PutUint16(p[10:], slowSum(0, p[:n]))
	return p
}

func (h ipv4) pseudo(length int) uint32 {
	return uint32(10<<8+70+2+10<<8+71+2) + uint32(h.protocol) + uint32(length)
}

type ipv6 struct {
	protocol, class byte
	hops            byte   // less than usual
	extension       []byte // with the number of the next header in it
}

func (h ipv6) packet(transport, payload []byte) []byte {
	p := []byte{0x60 + h.class>>4, h.class << 4, 0, 7, 0, 0, h.protocol, 64 - h.hops}
	for _, second := range []byte{0x70, 0x71} {
		p = append(p, 0xfd, second, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2)
	}
	if h.extension != nil {
		p[6] = 60 // destination options
	}
	p = slices.Concat(p, h.extension, transport, payload)
	binary.BigEndian.PutUint16(p[4:], uint16(len(p)-headerIPv6))
	return p
}

func (h ipv6) pseudo(length int) uint32 {
	return uint32(0xfd70+2+0xfd71+2) + uint32(h.protocol) + uint32(length)
}

// tcp returns a packet; udp one of UDP. With partial, the checksum is that of the pseudo header.
func tcp(ip internet, seq uint32, flags byte, options, payload []byte, partial bool) []byte {
	h := make([]byte, headerTCP, headerTCP+len(options))
	binary.BigEndian.PutUint16(h, 1000)
	binary.BigEndian.PutUint16(h[2:], 80)
	binary.BigEndian.PutUint32(h[4:], seq)
	binary.BigEndian.PutUint32(h[8:], 0x01020304)
	h[12], h[13], h[14] = byte((headerTCP+len(options))/4)<<4, flags, 3
	return summed(ip, append(h, options...), payload, sumTCP, partial)
}

func udp(ip internet, payload []byte, partial bool) []byte {
	h := []byte{3, 232, 0, 53, 0, 0, 0, 0}
	binary.BigEndian.PutUint16(h[4:], uint16(headerUDP+len(payload)))
	return summed(ip, h, payload, sumUDP, partial)
}

func summed(ip internet, h, payload []byte, at int, partial bool) []byte {
	sum := ip.pseudo(len(h) + len(payload))
	if partial {
		binary.BigEndian.PutUint16(h[at:], ^slowSum(sum, nil))
	} else {
		binary.BigEndian.PutUint16(h[at:], slowSum(sum, slices.Concat(h, payload)))
	}
	return ip.packet(h, payload)
}

// numbered returns a payload without two equal places.
func numbered(n int) (b []byte) {
	for i := uint32(0); len(b) < n; i++ {
		b = binary.BigEndian.AppendUint32(b, i*2654435761)
	}
	return b[:n]
}

// The options of TCP with a timestamp, and one of IPv4 (a router alert would go to the forwarding host's programs).
var (
	timestamps = []byte{1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2}
	noOption   = []byte{1, 1, 1, 0}
	extension  = []byte{protocolTCP, 0, 1, 4, 0, 0, 0, 0} // destination options: padding
)

// TestSplit compares the packets of large segments with those that the kernel makes of them.
func TestSplit(t *testing.T) {
	c := newCrossing(t)
	const tcp4, tcp6 = unix.VIRTIO_NET_HDR_GSO_TCPV4, unix.VIRTIO_NET_HDR_GSO_TCPV6
	const udp4 = unix.VIRTIO_NET_HDR_GSO_UDP_L4
	v4, v6 := ipv4{protocol: protocolTCP, id: 0xfff0}, ipv6{protocol: protocolTCP}
	for _, one := range []struct {
		name   string
		kind   byte
		size   int
		start  int
		packet func(partial bool) []byte
		want   int
	}{
		{"IPv4", tcp4, 1360, 20, func(p bool) []byte {
			return tcp(v4, 1<<32-9000, tcpACK, nil, numbered(65000), p)
		}, 48},
		{"IPv4, PSH, FIN, CWR, ECE", tcp4, 1000, 20, func(p bool) []byte {
			return tcp(v4, 7, tcpACK|tcpFIN|tcpPSH|tcpCWR|tcpECE, timestamps, numbered(4001), p)
		}, 5},
		{"IPv4 with options and ECN", tcp4, 999, 24, func(p bool) []byte {
			ip := ipv4{protocol: protocolTCP, tos: 3, options: noOption}
			return tcp(ip, 7, tcpACK|tcpPSH, timestamps, numbered(2500), p)
		}, 3},
		{"IPv6", tcp6, 1340, 40, func(p bool) []byte {
			return tcp(v6, 7, tcpACK|tcpPSH, timestamps, numbered(65000), p)
		}, 49},
		{"IPv6 with an extension header", tcp6, 1000, 48, func(p bool) []byte {
			ip := ipv6{protocol: protocolTCP, class: 1, extension: extension}
			return tcp(ip, 7, tcpACK, nil, numbered(3000), p)
		}, 3},
		{"UDP", udp4, 1372, 20, func(p bool) []byte {
			return udp(ipv4{protocol: protocolUDP, id: 9}, numbered(60000), p)
		}, 44},
		{"UDP over IPv6", udp4, 1001, 40, func(p bool) []byte {
			return udp(ipv6{protocol: protocolUDP}, numbered(5000), p)
		}, 5},
		{"checksum only", 0, 0, 20, func(p bool) []byte {
			return udp(ipv4{protocol: protocolUDP}, numbered(999), p)
		}, 1},
	} {
		o := offload{kind: one.kind, unsummed: true, size: one.size, start: one.start, offset: sumTCP}
		p := one.packet(true)
		o.header = one.start + int(p[one.start+12]>>4)*4
		if one.kind == udp4 || one.kind == 0 {
			o.header, o.offset = one.start+headerUDP, sumUDP
		}
		want := c.cross(t, headed(o, p))
		got := hopped(splitted(headed(o, p), false))
		if len(want) != one.want || !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("%s: %d packets, the kernel makes %d others, want %d", one.name, len(got), len(want), one.want)
		}
	}
}

// splitted returns the packets of a large segment.
func splitted(p []byte, tap bool) [][]byte {
	frames := newFrameWriter()
	s := newSplitter(frames, true, tap)
	s.took(copy(s.room(), p))
	all, _ := split(frames.buffer[:frames.n])
	return all
}
