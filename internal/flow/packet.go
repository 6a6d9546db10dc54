// Package flow describes the packets whose way the doctor examines: by address, protocol, port and device.
package flow

import (
	"fmt"
	"net/netip"
	"strconv"
)

// A Packet is what is known of one packet. A zero field is not known, or not asked for.
type Packet struct {
	From, To    netip.Addr // of one family
	Protocol    uint8      // IPPROTO_*
	FromPort    uint16
	ToPort      uint16
	In, Out     string // the devices through which it arrives and leaves; "": this host
	InIndex     int
	OutIndex    int
	FromMAC     [6]byte // of the frame; 0: not known
	ToMAC       [6]byte
	Mark        uint32
	UID         uint32 // of the sending program
	GID         uint32
	Sender      bool   // UID and GID are known, also if they are 0
	Size        int    // bytes, with the IP header
	Bridge      string // the bridge, if In or Out is its port and the packet is forwarded as a frame
	Established bool   // it answers a packet that passed, so that connection tracking knows it
	Invalid     bool   // it answers a packet that this host did not see: connection tracking does not know it
	TooBig      bool   // the ICMP message about a packet that was larger than the MTU
	Resolves    bool   // it asks for a MAC address, or answers: ARP, or IPv6 neighbour discovery
}

// IPv6 reports the family of the packet.
func (p Packet) IPv6() bool { return p.To.Is6() }

// String returns the packet in the words of tcpdump(8): source, destination and protocol.
func (p Packet) String() string {
	return fmt.Sprintf("%s > %s%s", endpoint(p.From, p.FromPort), endpoint(p.To, p.ToPort), protocolWord(p.Protocol))
}

func endpoint(ip netip.Addr, port uint16) string {
	switch {
	case !ip.IsValid():
		return "*"
	case port == 0:
		return ip.String()
	}
	return netip.AddrPortFrom(ip, port).String()
}

func protocolWord(number uint8) string {
	if number == 0 {
		return ""
	}
	for name, n := range protocols {
		if n == number {
			return " " + name
		}
	}
	return " protocol " + strconv.Itoa(int(number))
}

// protocols are the names that a question may use, as in /etc/protocols.
var protocols = map[string]uint8{
	"icmp": 1, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "icmpv6": 58, "ospf": 89, "sctp": 132,
}

// ParseProtocol returns the number of a protocol: a name such as tcp, or 1 to 255.
func ParseProtocol(word string) (uint8, error) {
	if n, known := protocols[word]; known {
		return n, nil
	}
	n, err := strconv.ParseUint(word, 10, 8)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is neither a protocol name, such as tcp or udp, nor a number from 1 to 255", word)
	}
	return uint8(n), nil
}
