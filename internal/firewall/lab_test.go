package firewall

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/nstest"
)

// A lab is a network namespace with two tuns, between which it forwards. The test is the program of both.
type lab struct {
	*testing.T
	queue [2]int
	index [2]int
	port  uint16 // of the last packet: each has another one
}

var tuns = [2]string{"tun0", "vpn1"}

// newLab makes the namespace. A table keeps connection tracking on.
func newLab(t *testing.T) *lab {
	nstest.NeedProgram(t, "nft")
	nstest.Enter(t)
	l := &lab{T: t, port: 20000}
	nstest.Run(t, "ip", "link", "set", "lo", "up")
	for i, name := range tuns {
		f, err := nstest.Attach(name, unix.IFF_TUN|unix.IFF_NO_PI)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		l.queue[i] = int(f.Fd())
		if err := unix.SetNonblock(l.queue[i], true); err != nil {
			t.Fatal(err)
		}
		nstest.Run(t, "ip", "addr", "add", fmt.Sprintf("10.%d.0.1/24", i), "dev", name)
		nstest.Run(t, "ip", "addr", "add", fmt.Sprintf("fd00:%d::1/64", i), "dev", name, "nodad")
		nstest.Run(t, "ip", "link", "set", name, "up")
		link, err := net.InterfaceByName(name)
		if err != nil {
			t.Fatal(err)
		}
		l.index[i] = link.Index
	}
	for _, path := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding"} {
		if err := os.WriteFile("/proc/sys/net/"+path, []byte("1"), 0); err != nil {
			t.Fatal(err)
		}
	}
	for side := range tuns { // IPv6 uses an address as soon as the kernel has noticed the carrier
		deadline := time.Now().Add(nstest.Patience(10 * time.Second))
		for !l.passes(l.arriving(side, false, true, unix.IPPROTO_UDP, 1)) || !l.passes(l.leaving(side, true, 1)) {
			if time.Now().After(deadline) {
				t.Fatalf("%s has no IPv6", tuns[side])
			}
		}
	}
	if err := l.load("table inet k { chain c { type filter hook input priority -1000; ct state new; }; }"); err != nil {
		t.Fatal(err)
	}
	return l
}

// load adds a ruleset.
func (l *lab) load(rules string) error {
	cmd := exec.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// rules reads the ruleset.
func (l *lab) rules() *Ruleset {
	l.Helper()
	rs, err := Read()
	if err != nil {
		l.Fatal(err)
	}
	rs.Link = func(index int) Link {
		for i, name := range tuns {
			if l.index[i] == index {
				return Link{Name: name, Kind: "tun", Tun: true}
			}
		}
		return Link{}
	}
	rs.Route = func(p flow.Packet) (int, bool) { return l.index[sideOf(p.From)], true }
	return rs
}

// sideOf returns the tun behind which an address is.
func sideOf(ip netip.Addr) int {
	if ip == peer(1, ip.Is6()) {
		return 1
	}
	return 0
}

// A trip is a packet, its way, and the hooks that it meets.
type trip struct {
	flow.Packet
	side  int // the tun to which it is written; -1: this host sends it
	hooks []Hook
}

// arriving returns a packet that arrives through a tun and is for this host, or is forwarded to the other tun.
func (l *lab) arriving(side int, forward, ipv6 bool, protocol uint8, port uint16) trip {
	far := 1 - side
	l.port++
	p := flow.Packet{From: peer(side, ipv6), To: own(side, ipv6), Protocol: protocol, FromPort: l.port, ToPort: port,
		In: tuns[side], InIndex: l.index[side]}
	if !forward {
		return trip{p, side, []Hook{Ingress, Prerouting, Input}}
	}
	p.To, p.Out, p.OutIndex = peer(far, ipv6), tuns[far], l.index[far]
	return trip{p, side, []Hook{Ingress, Prerouting, Forward, Postrouting}}
}

// leaving returns a packet of this host.
func (l *lab) leaving(side int, ipv6 bool, port uint16) trip {
	l.port++
	return trip{flow.Packet{From: own(side, ipv6), To: peer(side, ipv6), Protocol: unix.IPPROTO_UDP, FromPort: l.port,
		ToPort: port, Out: tuns[side], OutIndex: l.index[side]}, -1, []Hook{Output, Postrouting}}
}

// answer returns the answer to a packet that was forwarded or sent.
func (l *lab) answer(t trip) trip {
	p := t.Packet
	p.From, p.To, p.FromPort, p.ToPort = p.To, p.From, p.ToPort, p.FromPort
	p.In, p.Out, p.InIndex, p.OutIndex = p.Out, p.In, p.OutIndex, p.InIndex
	p.Established = true
	side := 0
	if p.In == tuns[1] {
		side = 1
	}
	if p.Out == "" {
		return trip{p, side, []Hook{Ingress, Prerouting, Input}}
	}
	return trip{p, side, []Hook{Ingress, Prerouting, Forward, Postrouting}}
}

func own(side int, ipv6 bool) netip.Addr  { return host1(side, ipv6, 1) }
func peer(side int, ipv6 bool) netip.Addr { return host1(side, ipv6, 2) }

func host1(side int, ipv6 bool, n int) netip.Addr {
	if ipv6 {
		return netip.MustParseAddr(fmt.Sprintf("fd00:%d::%d", side, n))
	}
	return netip.MustParseAddr(fmt.Sprintf("10.%d.0.%d", side, n))
}

// passes sends a packet and reports whether it arrives. The kernel handles a packet within the write.
func (l *lab) passes(t trip) bool {
	l.Helper()
	l.drain(0)
	l.drain(1)
	before := l.delivered()
	if t.side < 0 {
		l.send(t.Packet)
	} else if _, err := unix.Write(l.queue[t.side], build(t.Packet)); err != nil {
		l.Fatal(err)
	}
	if t.Out == "" {
		return l.delivered() > before
	}
	side := 0
	if t.Out == tuns[1] {
		side = 1
	}
	for _, p := range l.drain(side) {
		if destination(p) == t.To {
			return true
		}
	}
	return false
}

// send sends a UDP packet of this host. A firewall that drops it makes that fail.
func (l *lab) send(p flow.Packet) {
	l.Helper()
	from := net.UDPAddrFromAddrPort(netip.AddrPortFrom(p.From, p.FromPort))
	c, err := net.ListenUDP("udp", from)
	if err != nil {
		l.Fatal(err)
	}
	defer c.Close()
	_, _ = c.WriteToUDPAddrPort([]byte("payload!"), netip.AddrPortFrom(p.To, p.ToPort))
}

// drain reads all packets that wait in a tun.
func (l *lab) drain(side int) (all [][]byte) {
	for {
		b := make([]byte, 2048)
		n, err := unix.Read(l.queue[side], b)
		if err != nil {
			return all
		}
		all = append(all, b[:n])
	}
}

func destination(p []byte) netip.Addr {
	if p[0]>>4 == 6 {
		return netip.AddrFrom16([16]byte(p[24:40]))
	}
	return netip.AddrFrom4([4]byte(p[16:20]))
}

// delivered returns how many packets the kernel has delivered to this host's protocols.
func (l *lab) delivered() (n int) {
	l.Helper()
	for file, word := range map[string]string{"snmp6": "Ip6InDelivers", "snmp": "InDelivers"} {
		text, err := os.ReadFile("/proc/thread-self/net/" + file)
		if err != nil {
			l.Fatal(err)
		}
		lines := strings.Split(string(text), "\n")
		if file == "snmp6" {
			for _, line := range lines {
				if f := strings.Fields(line); len(f) == 2 && f[0] == word {
					lines = []string{f[0], f[1]}
				}
			}
		}
		for i, name := range strings.Fields(lines[0]) {
			if name == word {
				v, _ := strconv.Atoi(strings.Fields(lines[1])[i])
				n += v
			}
		}
	}
	return n
}

// build returns the bytes of a packet with correct checksums.
func build(p flow.Packet) []byte {
	var body []byte
	switch p.Protocol {
	case unix.IPPROTO_UDP:
		body = binary.BigEndian.AppendUint16(ports(p), 16)
		body = append(body, 0, 0, 'p', 'a', 'y', 'l', 'o', 'a', 'd', '!')
		binary.BigEndian.PutUint16(body[6:], checksum(pseudo(p, len(body)), body))
	case unix.IPPROTO_TCP:
		body = append(ports(p), 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0)
		binary.BigEndian.PutUint16(body[16:], checksum(pseudo(p, len(body)), body))
	default:
		body = append([]byte{(&Walk{Packet: p}).icmpType(), 0, 0, 0}, ports(p)...)
		if p.Established { // an answer has the identifier of the request
			body = append(body[:4], body[6], body[7], body[4], body[5])
		}
		sum := []byte(nil)
		if p.IPv6() {
			sum = pseudo(p, len(body))
		}
		binary.BigEndian.PutUint16(body[2:], checksum(sum, body))
	}
	if p.IPv6() {
		head := []byte{0x60, 0, 0, 0, 0, byte(len(body)), p.Protocol, 64}
		return append(append(append(head, p.From.AsSlice()...), p.To.AsSlice()...), body...)
	}
	head := []byte{0x45, 0, 0, byte(20 + len(body)), 0, 0, 0, 0, 64, p.Protocol, 0, 0}
	head = append(append(head, p.From.AsSlice()...), p.To.AsSlice()...)
	binary.BigEndian.PutUint16(head[10:], checksum(nil, head))
	return append(head, body...)
}

func ports(p flow.Packet) []byte {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, p.FromPort), p.ToPort)
}

func pseudo(p flow.Packet, n int) []byte {
	b := append(p.From.AsSlice(), p.To.AsSlice()...)
	return append(b, 0, p.Protocol, byte(n>>8), byte(n))
}

func checksum(parts ...[]byte) uint16 {
	sum := uint32(0)
	for _, b := range parts {
		for i := range b {
			sum += uint32(b[i]) << (8 * (1 - i%2))
		}
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
