package doctor

import (
	"fmt"
	"slices"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// portFlood finds a port to which the bridge does not flood frames that the program requires.
func portFlood(j *journey) []Finding {
	p, br := j.port()
	if p == nil || br == nil {
		return nil
	}
	return j.unflooded(p, br, "the port", "the program")
}

// unflooded finds a port to which the bridge does not flood frames that the hosts behind it require.
func (j *journey) unflooded(p *evidence.Port, br *netcfg.Device, port, behind string) []Finding {
	set := func(words ...string) fix.Fix {
		command := []string{"bridge", "link", "set", "dev", j.called(p.Index)}
		return fix.Run(fix.InNamespace(slices.Concat(command, words)...))
	}
	b, master := j.host.Bridge(br.Index), words.Escape(br.Name)
	switch {
	case !p.FloodBroadcast && !p.AnswersARP:
		return one(Error, "the bridge "+master+" sends no broadcast frames to "+port+" (bcast_flood off)",
			behind+" sees no ARP request and no DHCP message", set("bcast_flood", "on"))
	case !p.Flood && !p.Learning && len(j.behind(p)) == 0:
		return one(Error, "the bridge "+master+" knows no MAC address behind "+port+", learns none "+
			"(learning off), and sends it no frames to unknown addresses (flood off)",
			"only broadcast and multicast frames reach "+behind, set("learning", "on", "flood", "on"))
	case !p.FloodMulticast && b != nil && !b.MulticastSnooping && len(j.otherPorts(p)) > 0:
		return one(Warning, "the bridge "+master+" sends no multicast frames of other ports to "+port+
			" (mcast_flood off, mcast_snooping 0)", "IPv6 neighbour discovery does not reach "+behind,
			set("mcast_flood", "on"))
	}
	return nil
}

// portMTU finds a port whose MTU is smaller than the one of another port.
func portMTU(j *journey) []Finding {
	p, br := j.port()
	if p == nil || br == nil {
		return nil
	}
	var larger *netcfg.Device
	for _, o := range j.otherPorts(p) {
		l := j.byIndex(o.Index)
		if l != nil && l.Up && l.MTU > j.device.MTU && (larger == nil || l.MTU > larger.MTU) {
			larger = l
		}
	}
	if larger == nil {
		return nil
	}
	return one(Warning, fmt.Sprintf("its MTU is %d, and %s, another port of the bridge %s, has %d", j.device.MTU,
		words.Escape(larger.Name), words.Escape(br.Name), larger.MTU),
		fmt.Sprintf("the bridge silently drops frames to the program with more than %d bytes of content", j.device.MTU),
		fix.Run(ip("link", "set", "dev", j.device.Name, "mtu", fmt.Sprint(larger.MTU))))
}

// portDatabase finds entries of the forwarding database that lead the frames of the program's MAC address elsewhere.
func portDatabase(j *journey) []Finding {
	p, br := j.port()
	if p == nil || br == nil {
		return nil
	}
	for _, n := range evidence.WithoutCopies(j.host.Frames(br.Index)) {
		other := j.byIndex(n.Index)
		if n.Bridge != br.Index || !n.Static() || other == nil || len(n.MAC) == 0 || n.MAC[0]&1 != 0 ||
			j.ofALink(n.MAC, br) {
			continue
		}
		flush := fix.InNamespace(slices.Concat([]string{"bridge", "fdb", "del", n.MAC.String(), "dev", other.Name},
			where(n, br))...)
		switch {
		case n.Permanent():
			return one(Error, fmt.Sprintf("the forwarding database of %s has %s as an address of this host, "+
				"and no device has this MAC address (permanent, port %s)", words.Escape(br.Name), n.MAC,
				words.Escape(other.Name)), "the bridge gives frames to this address to the host, not to a port",
				fix.Run(flush))
		case n.Static() && n.Index != p.Index && j.device.Stats.RxPackets > 0 && len(j.behind(p)) == 0:
			return one(Warning, fmt.Sprintf("the forwarding database of %s has a fixed entry for %s at the port %s, "+
				"and no address behind this port, although the program wrote %s", words.Escape(br.Name), n.MAC,
				words.Escape(other.Name), packets(j.device.Stats.RxPackets)),
				"if it is the MAC address of this program, the bridge sends its frames to "+words.Escape(other.Name),
				fix.Run(flush))
		}
	}
	return nil
}

// ofALink reports whether a link has a MAC address. Those of the bridge and its ports are the usual ones.
func (j *journey) ofALink(mac link.MAC, br *netcfg.Device) bool {
	has := func(l *netcfg.Device) bool { return slices.Equal(l.MAC, mac) }
	for _, p := range j.host.Ports() {
		if p.Bridge == br.Index && slices.Equal(p.MAC, mac) {
			return true
		}
	}
	return has(br) || slices.ContainsFunc(j.every(), has)
}

// where returns the words of bridge(8) for the VLAN and the database of an entry.
func where(n evidence.Neighbour, br *netcfg.Device) (list []string) {
	if n.VLAN != 0 {
		list = append(list, "vlan", fmt.Sprint(n.VLAN))
	}
	if n.Index == br.Index {
		return append(list, "self")
	}
	return append(list, "master")
}
