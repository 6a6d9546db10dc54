package doctor

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// echoIgnored finds echo requests of the program that this host does not answer, as it is set.
func echoIgnored(j *journey) []Finding {
	name, key := "ipv4/icmp_echo_ignore_all", "net.ipv4.icmp_echo_ignore_all"
	asked, answered := j.host.Counter("snmp", "Icmp", "InEchos"), j.host.Counter("snmp", "Icmp", "OutEchoReps")
	if j.packet.IPv6() {
		name, key = "ipv6/icmp/echo_ignore_all", "net.ipv6.icmp.echo_ignore_all"
		asked, answered = j.own6("Icmp6InEchos"), j.own6("Icmp6OutEchoReplies")
	}
	if value, _ := evidence.Sysctl(name); value != "1" || j.packet.Protocol != echo(j.packet.To) {
		return nil
	}
	n := asked - min(asked, answered)
	what := fmt.Sprintf("this host does not answer echo requests (%s 1)", key[len("net.ipv4."):])
	means := "ping gets no answer, although packets arrive"
	if lo := j.link("lo"); lo != nil && !j.packet.IPv6() {
		n -= min(n, lo.Stats.RxPackets) // a ping of this host to itself
	}
	b := j.blame(n)
	if j.packet.IPv6() && n > 0 {
		b.level, b.sure = Error, n
	}
	fixed := fix.Run(sysctlKey(key, "0"))
	switch {
	case b.tells(j.explicit()):
		return []Finding{{Level: b.level, What: what, counted: b.sure, Fixes: fixes(fixed),
			Means: fmt.Sprintf("%s; it has not answered %s", means, packets(n))}}
	case j.explicit():
		return one(Error, what, means, fixed)
	}
	return ok(what + ", and was not asked")
}

// arp finds settings by which this host does not answer ARP requests of the program.
func arp(j *journey) []Finding {
	const never = 8 // arp_ignore: not for any address
	dev := j.layer3()
	if !j.frames() || j.packet.IPv6() {
		return nil
	}
	if j.largest("arp_ignore", dev.Name) == never {
		return one(Error, "this host does not answer ARP requests (arp_ignore 8)",
			"hosts behind the device do not find its MAC address", fix.Run(j.zeroes("arp_ignore", dev.Name)...))
	}
	if found := j.arpElsewhere(dev); found != nil {
		return found
	}
	n := j.host.Counter("netstat", "TcpExt", "ArpFilter")
	if b := j.blame(n); b.level != OK && j.largest("arp_filter", dev.Name) == 1 {
		return []Finding{{Level: b.level, counted: b.sure,
			What: "this host did not answer " + packets(n) +
				" of ARP, because the answers would leave through another device (arp_filter 1)",
			Means: "hosts behind " + words.Escape(dev.Name) + " do not find its MAC address; " + b.evidence,
			Fixes: fixes(fix.Run(j.zeroes("arp_filter", dev.Name)...))}}
	}
	return nil
}

// arpElsewhere finds an address of the question that is in the network of the device, but belongs to another link, so
// that this host does not answer ARP requests for it.
func (j *journey) arpElsewhere(dev *netcfg.Device) []Finding {
	holder := j.holderOf(j.To)
	around := func(a netcfg.Address) bool { return a.Subnet().Contains(j.To) }
	if holder == nil || !slices.ContainsFunc(own(dev), around) {
		return nil
	}
	return j.ignoresARP(dev, holder, netip.Addr{}, j.To)
}
