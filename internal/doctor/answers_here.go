package doctor

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/words"
)

// answersHere finds connections from other networks to the address of another link, whose answers leave through the
// device, as after a VPN has taken the default route. The other end never sees them, so this host repeats them; in a
// connection from behind the device, the first one is acknowledged.
func answersHere(v *view) []Finding {
	d := v.device
	if !v.asked() || !d.Up {
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
		if way, err := v.host.Find(p); err != nil || way.Refusal != 0 || way.Index != d.Index {
			continue
		}
		return one(Warning, fmt.Sprintf("answers from %s, an address of %s, to %s leave through it", local,
			words.Escape(l.Name), remote), fmt.Sprintf("the connection to the TCP port %d waits for the other end, "+
			"which does not get the answers: they leave through another link than the one of their address",
			s.Local.Port()), v.outThrough(l, p))
	}
	return nil
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
	if b.level == OK || v.addressed() {
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
		"no IPv4 address is known behind it", "this host ignored "+packets(n)+" to a broadcast address, such as "+
		"requests for an address (Udp.IgnoredMulti)")
	found[0].Fixes = fixes(fix.Sentence("start a DHCP server for " + words.Escape(layer3.Name) +
		", such as dnsmasq, or configure an address behind the device"))
	return found
}
