package trace

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/link"
	decode "github.com/tunadm/tunadm/internal/packet"
)

// An Event is a packet that the kernel drops, or passes.
type Event struct {
	Time      time.Time
	Reason    string // the kernel's name without its prefix, such as IP_RPFILTER; "": the packet passes
	Function  string // the function of the kernel that drops it; "": not known
	Counter   string // the counter whose increase this event is; "": the event is a packet
	Packets   int    // 1, or what the counter counted
	ToProgram bool   // from this host or another device to the program; false: from the program

	// Packet has the addresses, ports, protocol, mark and size, and the indexes of the devices through which the packet
	// arrived and is routed.
	flow.Packet
	at       int              // of the device that has the packet now; 0: none
	Device   string           // its name
	fromMAC  net.HardwareAddr // nil: not known
	toMAC    net.HardwareAddr
	ethernet uint16 // the Ethernet type
	Text     string // what dump prints of the packet, without its size

	// Asks is the address whose MAC address an ARP request or a neighbour solicitation asks for, Tells the one whose
	// MAC address an answer to these has; invalid: the packet is none of these.
	Asks, Tells netip.Addr
	// TTL is that of an IPv4 packet.
	TTL byte
	// Solicits and Advertises report a router solicitation and a router advertisement of IPv6.
	Solicits, Advertises bool
	// Expects reports that an answer is due: the packet is neither a part of an open TCP connection, nor an ICMP
	// message other than an echo request, nor a later fragment.
	Expects bool
	Answers bool // it is an echo reply, or accepts a TCP connection
	// Unfinished reports that the TCP or UDP checksum is the sum of the pseudo header alone: the device is to finish
	// it.
	Unfinished bool
	// Cause is the packet that an ICMP error is about, and ICMP the type and the code of the error; a Cause without
	// addresses: the packet is none.
	Cause flow.Packet
	ICMP  [2]byte

	toHost  bool // it is routed to this host
	partial bool // the route and the device that has the packet are not known
}

// prefixes are those of the names of reasons.
const (
	prefixReason = "SKB_DROP_REASON_"
	prefixOther  = "SKB_"
)

// sizeMax is more bytes than a packet has, also one that is split into segments later.
const sizeMax = 1 << 20

// notSpecified is the reason of code that gives none: the function says more.
const notSpecified = "NOT_SPECIFIED"

// noReason reports whether a reason of the enumeration is not a loss: the packet was used, or a socket of a program
// that captures packets refused its own copy.
func noReason(name string) bool {
	switch strings.TrimPrefix(name, prefixReason) {
	case "SKB_CONSUMED", "SKB_NOT_DROPPED_YET", "PACKET_SOCK_ERROR":
		return true
	}
	return false
}

// harmless reports whether nobody misses a dropped packet: an answer that comes too late for ping(8), or of which a raw
// socket has a copy, and a message of IPv6 or IGMP to a group that this host has not joined.
func (e *Event) harmless() bool {
	const icmpv6, igmp = 58, 2
	switch {
	case e.Reason == "NO_SOCKET" && e.Function == "ping_rcv":
		return true
	case e.Reason == notSpecified && e.To.IsMulticast():
		return e.Function == "ip6_mc_input" && e.Protocol == icmpv6 || e.Protocol == igmp
	}
	return false
}

// Passes reports whether the event is a packet that the kernel does not drop.
func (e *Event) Passes() bool { return e.Reason == "" && e.Counter == "" }

// word, half and double read a field of a record.
func word(record []byte, at int) int { return int(binary.NativeEndian.Uint32(record[at:])) }
func half(record []byte, at int) int { return int(binary.NativeEndian.Uint16(record[at:])) }
func double(r []byte, at int) uint64 { return binary.NativeEndian.Uint64(r[at:]) }

// event returns what a record says.
func (t *Trace) event(record []byte) Event {
	e := Event{Packets: 1, Time: t.boot.Add(time.Duration(double(record, atTime))), at: word(record, atDevice)}
	e.InIndex, e.OutIndex, e.Mark = word(record, atIncoming), word(record, atRoute), uint32(word(record, atMark))
	e.In, e.Out, e.Device = t.host.name(e.InIndex), t.host.name(e.OutIndex), t.host.name(e.at)
	e.toHost = e.OutIndex != 0 && t.host.flags(e.Out)&unix.IFF_LOOPBACK != 0
	switch kind(word(record, atKind)) {
	case sent:
		e.ToProgram = true
	case dropped:
		if t.symbols == nil {
			t.symbols = readSymbols()
		}
		e.Function = t.symbols.function(double(record, atCaller))
		e.Reason = t.reason(uint32(word(record, atReason)))
		e.ToProgram = !t.arrives(e)
	}
	e.read(record)
	return e
}

// reason returns the name of a reason without its prefix.
func (l *layout) reason(value uint32) string {
	name, ok := l.reasons[value]
	if !ok {
		return fmt.Sprintf("%#x", value)
	}
	return strings.TrimPrefix(strings.TrimPrefix(name, prefixReason), prefixOther)
}

// arrives reports whether a packet comes from the program: it arrived through the device or its bridge. The kernel
// notes that only behind the driver and the receive queue.
func (t *Trace) arrives(e Event) bool {
	ours := func(index int) bool { return index != 0 && (index == t.target.Index || index == t.target.Master) }
	switch {
	case e.InIndex != 0:
		return ours(e.InIndex)
	case e.Function == "tun_get_user", e.Function == "do_xdp_generic", e.Function == "enqueue_to_backlog":
		return true
	}
	return false
}

// read reads the packet.
func (e *Event) read(record []byte) {
	copied := record[atCopy:][:min(max(0, word(record, atCopied)), copyMax)]
	network, mac := half(record, atNetwork), half(record, atMAC)
	data := int(double(record, atData) - double(record, atHead))
	header := 0 // the length of the Ethernet header
	switch {
	case network == 0:
		network = data
	case mac <= network && network-mac <= macMax:
		header = min(network-mac, len(copied))
	}
	e.Size = min(max(0, word(record, atLength)+data-network), sizeMax)
	ethernet, body := copied[:header], copied[header:]
	kind := binary.BigEndian.Uint16(record[atProtocol:])
	if kind == 0 && len(body) > 0 {
		kind = map[byte]uint16{4: 0x0800, 6: 0x86dd}[body[0]>>4]
	}
	if len(ethernet) >= 14 {
		e.toMAC, e.fromMAC = append(net.HardwareAddr{}, ethernet[:6]...), append(net.HardwareAddr{}, ethernet[6:12]...)
		e.ToMAC, e.FromMAC = [6]byte(ethernet[:6]), [6]byte(ethernet[6:12])
	}
	e.ethernet = kind
	e.parse(kind, body)
	e.describe(kind, body)
}

// describe sets the text. What was not copied is zero for the description, which then is not "cut off".
func (e *Event) describe(kind uint16, body []byte) {
	if e.fromMAC == nil && !e.From.IsValid() {
		e.Text = fmt.Sprintf("Ethernet type 0x%04x", kind)
		return
	}
	frame := make([]byte, 14, 14+max(e.Size, len(body)))
	copy(frame, e.toMAC)
	copy(frame[6:], e.fromMAC)
	binary.BigEndian.PutUint16(frame[12:], kind)
	frame = append(frame, body...)
	_, e.Text, _ = strings.Cut(decode.Describe(frame[:cap(frame)], link.TAP), "  ")
}

// parse reads the addresses, the protocol and the ports.
func (e *Event) parse(kind uint16, p []byte) {
	const request, reply = 1, 2 // of ARP
	var transport []byte
	switch {
	case kind == 0x0800 && len(p) >= 20:
		e.From, e.To = netip.AddrFrom4([4]byte(p[12:16])), netip.AddrFrom4([4]byte(p[16:20]))
		e.Protocol, e.TTL = p[9], p[8]
		if header := int(p[0]&15) * 4; header <= len(p) && binary.BigEndian.Uint16(p[6:])&0x1fff == 0 {
			transport = p[header:]
		}
	case kind == 0x86dd && len(p) >= 40:
		e.From, e.To = netip.AddrFrom16([16]byte(p[8:24])), netip.AddrFrom16([16]byte(p[24:40]))
		e.Protocol, transport = p[6], p[40:]
		if e.Protocol == 0 && len(transport) >= 8 && len(transport) >= 8*(int(transport[1])+1) { // hop-by-hop options
			e.Protocol, transport = transport[0], transport[8*(int(transport[1])+1):]
		}
	case kind == 0x0806 && len(p) >= 28:
		e.From, e.To = netip.AddrFrom4([4]byte(p[14:18])), netip.AddrFrom4([4]byte(p[24:28]))
		switch binary.BigEndian.Uint16(p[6:]) {
		case request:
			e.Asks = e.To
		case reply:
			e.Tells = e.From
		}
	}
	switch e.Protocol {
	case 6, 17, 132:
		if len(transport) >= 4 {
			e.FromPort, e.ToPort = binary.BigEndian.Uint16(transport), binary.BigEndian.Uint16(transport[2:])
		}
		e.Unfinished = unfinished(e.From, e.To, e.Protocol, transport, e.Size-(len(p)-len(transport)))
	case unix.IPPROTO_ICMP:
		e.parseError(transport, unreachable4)
	case unix.IPPROTO_ICMPV6:
		e.parseError(transport, unreachable6)
		e.parseDiscovery(transport)
	}
	e.Expects, e.Answers = expects(e.Protocol, transport), answers(e.Protocol, transport)
}

// The types of the ICMP errors "destination unreachable".
const unreachable4, unreachable6 = 3, 1

// parseError reads the beginning of the packet that an ICMP error is about.
func (e *Event) parseError(p []byte, kind byte) {
	const header = 8
	if len(p) < header || p[0] != kind {
		return
	}
	var cause Event
	cause.parse(e.ethernet, p[header:])
	e.Cause, e.ICMP = cause.Packet, [2]byte(p)
}

// parseDiscovery reads the type and the address of a message of IPv6 neighbour discovery.
func (e *Event) parseDiscovery(p []byte) {
	const routers, router, solicitation, advertisement, size = 133, 134, 135, 136, 24
	e.Solicits, e.Advertises = len(p) > 0 && p[0] == routers, len(p) > 0 && p[0] == router
	if len(p) < size {
		return
	}
	switch ip := netip.AddrFrom16([16]byte(p[8:size])); p[0] {
	case solicitation:
		e.Asks = ip
	case advertisement:
		e.Tells = ip
	}
}

// answers reports whether a packet is the first one of the other end.
func answers(protocol uint8, header []byte) bool {
	const syn, ack, reply, reply6 = 0x02, 0x10, 0, 129
	switch protocol {
	case unix.IPPROTO_TCP:
		return len(header) > 13 && header[13]&(syn|ack) == syn|ack
	case unix.IPPROTO_ICMP:
		return len(header) > 0 && header[0] == reply
	case unix.IPPROTO_ICMPV6:
		return len(header) > 0 && header[0] == reply6
	}
	return false
}

// expects reports whether the answer to a packet is due by its transport header.
func expects(protocol uint8, header []byte) bool {
	const syn, ack, echo, echo6 = 0x02, 0x10, 8, 128
	switch protocol {
	case unix.IPPROTO_TCP:
		return len(header) > 13 && header[13]&(syn|ack) == syn
	case unix.IPPROTO_ICMP:
		return len(header) > 0 && header[0] == echo
	case unix.IPPROTO_ICMPV6:
		return len(header) > 0 && header[0] == echo6
	}
	return len(header) > 0
}
