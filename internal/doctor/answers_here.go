package doctor

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// answersHere finds connections from other networks to the address of another link, whose answers leave through the
// device, as after a VPN has taken the default route. The other end never sees them, so this host repeats them. If a
// route leads to the network of the other end alone, this end is behind the device, and has vanished.
func answersHere(v *view) []Finding {
	d := v.device
	if !v.asked() || !d.Up || len(v.host.DefaultsThrough(d.Index)) == 0 {
		return nil
	}
	for _, s := range v.host.Sockets() {
		if s.Protocol != unix.IPPROTO_TCP || s.State != unix.BPF_TCP_SYN_RECV || s.Retransmits == 0 {
			continue
		}
		local, remote := s.Local.Addr(), s.Remote.Addr()
		l := v.holderOf(local)
		if l == nil || l.Index == d.Index || l.Name == d.Master || l.Kind == "loopback" || v.isOwn(remote) ||
			v.onSubnet(d, remote) {
			continue
		}
		p := flow.Packet{From: local, To: remote, Protocol: s.Protocol, FromPort: s.Local.Port(),
			ToPort: s.Remote.Port(), Mark: s.Mark}
		way, err := v.host.Find(p)
		if err != nil || way.Refusal != 0 || way.Index != d.Index || !v.byDefault(p) {
			continue
		}
		return v.misled(l, p, fmt.Sprintf("the connection to the TCP port %d waits for the other end, which does not "+
			"get the answers", s.Local.Port()))
	}
	return nil
}

// strayAnswer reports an answer that was seen on the device, to a packet that came through another link.
func (v *view) strayAnswer(c *conversation) []Finding {
	l := v.holderOf(c.From)
	p := flow.Packet{From: c.From, To: c.To, Protocol: c.Protocol}
	if l == nil || l.Index == v.device.Index || l.Name == v.device.Master || l.Kind == "loopback" || !v.byDefault(p) {
		return nil
	}
	return v.misled(l, p, "the packets of the other end arrive through "+words.Escape(l.Name)+
		", and other networks drop such answers")
}

// misled reports answers from the address of another link that leave through the device.
func (v *view) misled(l *netcfg.Device, p flow.Packet, means string) []Finding {
	return one(Warning, fmt.Sprintf("answers from %s, an address of %s, to %s leave through it", p.From,
		words.Escape(l.Name), p.To), means+": they leave through another link than the one of their address",
		v.outThrough(l, p))
}

// byDefault reports whether a default route leads a packet of this host on, or one of the halves that replace it.
func (v *view) byDefault(p flow.Packet) bool {
	const halves = 1 // 0.0.0.0/1 and 128.0.0.0/1
	way, err := v.host.Match(p)
	return err == nil && (way.Refusal != 0 || way.To.Bits() <= halves)
}

// noDHCP finds hosts without an address behind a tap, for which no DHCP server of this host listens.
func noDHCP(v *view) []Finding {
	layer3 := v.layer3()
	if !v.asked() || v.explicit() || !v.frames() || !v.device.InUse() || len(own(layer3)) == 0 {
		return nil
	}
	for l := range v.siblings() {
		if v.bridgePort() && l.Kind != "tun" && l.Kind != "bridge" && l.Up && l.Carrier {
			return nil // another host may be the server
		}
	}
	n := v.host.Counter("snmp", "Udp", "IgnoredMulti")
	b := v.blame(n)
	if b.sure == 0 || v.addressed() { // networks have many broadcasts
		return nil
	}
	all, err := v.host.Listeners(unix.IPPROTO_UDP, dhcpPort)
	for _, l := range all {
		if l.Index == 0 || l.Index == layer3.Index {
			return nil
		}
	}
	if err != nil {
		return nil
	}
	b.level = Warning
	found := b.finding("no DHCP server of this host listens on "+words.Escape(layer3.Name)+" (UDP port 67), and "+
		"no IPv4 address is known behind it", "this host ignored "+packets(b.sure)+" to a broadcast address, such as "+
		"requests for an address (Udp.IgnoredMulti)")
	found[0].Fixes = fixes(fix.Sentence("start a DHCP server for " + words.Escape(layer3.Name) +
		", such as dnsmasq, or configure an address behind the device"))
	return found
}
