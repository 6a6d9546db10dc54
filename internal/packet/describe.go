// Package packet carries, describes, answers and records the packets of attached queues: packets of a tun, frames of a
// tap.
package packet

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/link"
)

// SizeMax is the length in bytes of the longest packet of a device: 64 KiB, an Ethernet header and two VLAN tags.
const SizeMax = 1<<16 + 64

// Describe returns a line about a packet of a tun or a frame of a tap. The line is safe to print: it contains only
// numbers of the packet.
func Describe(p []byte, mode link.Mode) string {
	text := fmt.Sprintf("%d bytes  ", len(p))
	if mode == link.TAP {
		return text + describeFrame(p)
	}
	switch {
	case len(p) > 0 && p[0]>>4 == 4:
		return text + describeIPv4(p)
	case len(p) > 0 && p[0]>>4 == 6:
		return text + describeIPv6(p)
	}
	return text + "neither IPv4 nor IPv6"
}

// The Ethernet types. Those below ethernetMin are lengths.
const (
	ethernetIPv4   = 0x0800
	ethernetARP    = 0x0806
	ethernetVLAN   = 0x8100
	ethernetIPv6   = 0x86dd
	ethernetVLANs  = 0x88a8
	ethernetHeader = 14
	ethernetMin    = 0x0600
)

// tagsMax is the number of VLAN tags that are printed. Networks use two.
const tagsMax = 4

func describeFrame(p []byte) string {
	if len(p) < ethernetHeader {
		return "Ethernet, cut off"
	}
	macs := net.HardwareAddr(p[6:12]).String() + " > " + net.HardwareAddr(p[:6]).String() + "  "
	kind, p := binary.BigEndian.Uint16(p[12:]), p[ethernetHeader:]
	tags := ""
	for n := 0; kind == ethernetVLAN || kind == ethernetVLANs; n++ {
		if n == tagsMax {
			return macs + tags + "and more VLAN tags"
		}
		if len(p) < 4 {
			return macs + tags + "VLAN, cut off"
		}
		tags += fmt.Sprintf("VLAN %d  ", binary.BigEndian.Uint16(p)&0xfff)
		kind, p = binary.BigEndian.Uint16(p[2:]), p[4:]
	}
	switch {
	case kind == ethernetIPv4:
		return tags + describeIPv4(p)
	case kind == ethernetIPv6:
		return tags + describeIPv6(p)
	case kind == ethernetARP:
		return tags + describeARP(p)
	case kind < ethernetMin:
		return macs + tags + "802.3"
	}
	return macs + tags + fmt.Sprintf("Ethernet type 0x%04x", kind)
}

func describeARP(p []byte) string {
	if len(p) < arpLength || string(p[:6]) != arpForIPv4 {
		return "ARP, cut off or not for IPv4"
	}
	sender, target := netip.AddrFrom4([4]byte(p[14:18])), netip.AddrFrom4([4]byte(p[24:28]))
	switch op := binary.BigEndian.Uint16(p[6:]); op {
	case arpRequest:
		return fmt.Sprintf("%s > %s  ARP request: who has %s?", sender, target, target)
	case arpReply:
		return fmt.Sprintf("%s > %s  ARP reply: %s is at %s", sender, target, sender, net.HardwareAddr(p[8:14]))
	default:
		return fmt.Sprintf("%s > %s  ARP operation %d", sender, target, op)
	}
}

// The lengths of headers without options.
const (
	headerIPv4 = 20
	headerIPv6 = 40
)

func describeIPv4(p []byte) string {
	if len(p) < headerIPv4 || p[0]>>4 != 4 {
		return "IPv4, cut off or malformed"
	}
	from, to := netip.AddrFrom4([4]byte(p[12:16])), netip.AddrFrom4([4]byte(p[16:20]))
	header, length := int(p[0]&15)*4, int(binary.BigEndian.Uint16(p[2:]))
	fragment := binary.BigEndian.Uint16(p[6:])
	switch {
	case header < headerIPv4, length < header, length > len(p):
		return plain(from, to, fmt.Sprintf("IPv4, malformed: its header says %d of %d bytes", header, length))
	case fragment&0x1fff != 0:
		return plain(from, to, fmt.Sprintf("%s, fragment from byte %d", protocolName(int(p[9])),
			int(fragment&0x1fff)*8))
	}
	text := describeTransport(from, to, int(p[9]), p[header:length])
	if fragment&0x2000 != 0 {
		text += ", first fragment"
	}
	return text
}

func describeIPv6(p []byte) string {
	if len(p) < headerIPv6 || p[0]>>4 != 6 {
		return "IPv6, cut off or malformed"
	}
	from, to := netip.AddrFrom16([16]byte(p[8:24])), netip.AddrFrom16([16]byte(p[24:40]))
	length := int(binary.BigEndian.Uint16(p[4:]))
	next, rest := int(p[6]), p[headerIPv6:]
	if length > len(rest) {
		return plain(from, to, fmt.Sprintf("IPv6, malformed: its header says %d bytes", headerIPv6+length))
	}
	if length > 0 || next != 0 { // a jumbogram has its length elsewhere
		rest = rest[:length]
	}
	note := ""
	for isExtension(next) {
		size := 8
		if len(rest) < size {
			return plain(from, to, "IPv6, cut off in extension header "+strconv.Itoa(next))
		}
		if next == protocolFragment {
			at := binary.BigEndian.Uint16(rest[2:])
			if at&^7 != 0 {
				return plain(from, to, fmt.Sprintf("%s, fragment from byte %d", protocolName(int(rest[0])), at&^7))
			}
			if at&1 != 0 {
				note = ", first fragment"
			}
		} else if size = (int(rest[1]) + 1) * 8; len(rest) < size {
			return plain(from, to, "IPv6, cut off in extension header "+strconv.Itoa(next))
		}
		next, rest = int(rest[0]), rest[size:]
	}
	return describeTransport(from, to, next, rest) + note
}

// plain returns a line without ports.
func plain(from, to netip.Addr, what string) string {
	return from.String() + " > " + to.String() + "  " + what
}

// ported returns a line with ports.
func ported(from, to netip.Addr, p []byte, what string) string {
	a, b := netip.AddrPortFrom(from, binary.BigEndian.Uint16(p)), netip.AddrPortFrom(to, binary.BigEndian.Uint16(p[2:]))
	return a.String() + " > " + b.String() + "  " + what
}

// join joins words, except empty ones.
func join(words ...string) string { return strings.Join(strings.Fields(strings.Join(words, " ")), " ") }
