package doctor

import (
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/firewall"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/words"
)

// The ports of services that hosts behind a device require.
const (
	dnsPort, dhcpPort, dhcpClientPort = 53, 67, 68
)

// broadcast is the limited broadcast address of IPv4.
var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// services returns packets from behind the device to programs of this host that are there for it: sockets with an
// address of the device, or bound to it, and servers of DNS and DHCP.
func (v *view) services(all []ends) (found []*journey) {
	const most = 8
	layer3 := v.layer3()
	if len(all) == 0 {
		return nil
	}
	for _, s := range v.host.Listening() {
		if len(found) == most || s.Index != 0 && s.Index != layer3.Index {
			continue
		}
		p := flow.Packet{Protocol: s.Protocol, ToPort: s.Local.Port(), In: layer3.Name, InIndex: layer3.Index}
		for _, e := range all {
			local, general := s.Local.Addr(), s.Local.Addr().IsUnspecified()
			dhcp := s.Protocol == unix.IPPROTO_UDP && p.ToPort == dhcpPort && general && v.frames()
			p.From, p.To, p.FromPort = e.other, e.own, 0
			switch {
			case e.own.Is6() && local.Is4(), e.own.Is4() && local.Is6() && !general:
				continue
			case dhcp && e.own.Is4():
				p.From, p.To, p.FromPort = netip.IPv4Unspecified(), broadcast, dhcpClientPort
			case dhcp, !general && local != e.own, general && s.Index == 0 && p.ToPort != dnsPort:
				continue
			}
			found = append(found, &journey{view: v, packet: p, course: fromProgram, socket: &s})
			break
		}
	}
	return found
}

// addressFor returns the address of this host from which it answers a broadcast.
func (j *journey) addressFor(other netip.Addr) netip.Addr {
	for _, a := range own(j.layer3()) {
		if a.Local.Is6() == other.Is6() {
			return a.Local
		}
	}
	return netip.Addr{}
}

// special reports whether a service is there for this device alone.
func (j *journey) special() bool {
	return j.socket.Index != 0 || !j.socket.Local.Addr().IsUnspecified()
}

// weighService judges a drop of packets to a program of this host, or of its answers. A rule may close the port on
// purpose, so only packets without an answer are evidence.
func (j *journey) weighService(v firewall.Verdict) (level Level, evidence string, counted uint64) {
	t := j.traffic()
	evidence = fmt.Sprintf("the program has sent %s and received %s", packets(t.sent), packets(t.received))
	n := uint64(0)
	if v.Count != nil {
		n = v.Count.Packets
		evidence = "the rule has dropped " + packets(n) + ", and " + evidence
	}
	if v.Count == nil {
		n = j.vanished()
		evidence += fmt.Sprintf("; this host received %s that it neither delivered nor forwarded", packets(n))
	}
	port := j.socket.Local.Port()
	switch meant := j.special() && (port == dnsPort || port == dhcpPort); {
	case t.sent == 0 || n == 0:
		return OK, "", 0
	case port == dhcpPort && j.packet.To == broadcast && !j.addressed():
		return Error, evidence + "; no IPv4 address is known behind it", 0
	case t.received == 0:
		return Error, evidence, 0
	case v.Count != nil && (meant || t.unanswered() && (v.Named || j.special())):
		return Error, evidence, n
	case meant || v.Count == nil && t.unanswered():
		return Warning, evidence, 0
	}
	return OK, "", 0
}

// addressed reports whether this host knows an IPv4 address behind the device.
func (v *view) addressed() bool {
	return slices.ContainsFunc(v.host.Neighbours(v.layer3().Index), func(n evidence.Neighbour) bool {
		return n.To.Is4() && !n.To.IsMulticast() && n.Confirmed() && v.mayBeBehind(n)
	})
}

// serviceWords names the packets to a program of this host.
func (j *journey) serviceWords(answer bool) string {
	dev := words.Escape(j.layer3().Name)
	name := fmt.Sprintf("%s port %d", protocolName(j.socket.Protocol), j.socket.Local.Port())
	switch {
	case j.socket.Local.Port() == dhcpPort && j.packet.To == broadcast:
		name = "DHCP server"
	case j.socket.Local.Port() == dnsPort:
		name = "DNS server (" + name + ")"
	}
	if answer {
		return fmt.Sprintf("answers of the %s of this host that leave through %s", name, dev)
	}
	return fmt.Sprintf("packets to the %s of this host that arrive through %s", name, dev)
}
