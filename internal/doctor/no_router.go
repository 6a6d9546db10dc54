package doctor

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/trace"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// A discovery is what passed a device while doctor watched, of the messages by which hosts find IPv6 routers.
type discovery struct {
	solicits  int  // solicitations of the program
	routers   bool // there was an advertisement
	addressed bool // the program used an IPv6 address that is not link-local
}

// noteDiscovery adds a packet.
func (v *view) noteDiscovery(e *trace.Event) {
	switch d := &v.sights.routers; {
	case e.Device != v.device.Name || !e.Passes():
	case e.Advertises:
		d.routers = true
	case e.ToProgram:
	case e.Solicits:
		d.solicits++
	case routed6(e.From) && !v.isOwn(e.From), routed6(e.Asks) && !v.isOwn(e.Asks): // the latter looks for duplicates
		d.addressed = true
	}
}

// routed6 reports whether an address is one of IPv6 that is not link-local.
func routed6(ip netip.Addr) bool { return ip.Is6() && ip.IsGlobalUnicast() }

// noRouter finds hosts behind a tap that ask for routers again and again, although this host forwards IPv6 and has a
// network for them: nobody sends advertisements. Hosts with configured addresses ask too, and use these.
func (v *view) noRouter() []Finding {
	dev, d := v.layer3(), v.sights.routers
	network := v.prefixFor(dev)
	all, _ := v.setting("ipv6", "all", "forwarding")
	forced, _ := v.setting("ipv6", dev.Name, "force_forwarding")
	if !v.frames() || !network.IsValid() || all != "1" && forced != "1" || d.routers || d.addressed || v.addressed6() {
		return nil
	}
	file := "dev_snmp6/" + dev.Name
	v.host.CounterNow(file, "", "")
	count := func(name string) uint64 { return v.host.Counter(file, "", name) }
	asked := count("Icmp6InRouterSolicits")
	// Without a unicast packet, nobody there uses IPv6. Who asks behind a network card is not known.
	const again, often = 2, 3
	unused := asked >= often && count("Ip6InReceives") == count("Ip6InMcastPkts") && v.programsOnly()
	if count("Icmp6InRouterAdvertisements")+count("Icmp6OutRouterAdvertisements") > 0 ||
		!unused && (d.solicits == 0 || asked < again) {
		return nil
	}
	name := words.Escape(dev.Name)
	return one(Warning, "nobody sends IPv6 router advertisements on "+name+", so hosts behind it get neither an "+
		"address of "+network.String()+" nor a default route", fmt.Sprintf("%s has received %d router solicitations, "+
		"and neither received nor sent an advertisement", name, asked),
		fix.Sentence("start a program that sends router advertisements on "+name+", such as radvd, or dnsmasq with "+
			"enable-ra; or configure an address and a gateway behind the device"))
}

// programsOnly reports whether all other ports of the bridge of the device are TUN/TAP devices.
func (v *view) programsOnly() bool {
	if !v.bridgePort() {
		return true
	}
	for l := range v.siblings() {
		if l.Kind != "tun" {
			return false
		}
	}
	return true
}

// prefixFor returns the network of a link from which hosts could take IPv6 addresses. It is invalid if there is none.
func (v *view) prefixFor(dev *netcfg.Device) netip.Prefix {
	const bits = 64 // hosts complete such a prefix alone
	for _, a := range own(dev) {
		if routed6(a.Local) && a.Subnet().Bits() == bits {
			return a.Subnet()
		}
	}
	return netip.Prefix{}
}

// addressed6 reports whether this host knows an IPv6 address behind the device that is not link-local.
func (v *view) addressed6() bool {
	return slices.ContainsFunc(v.host.Neighbours(v.layer3().Index), func(n evidence.Neighbour) bool {
		return routed6(n.To) && len(n.MAC) > 0 && v.mayBeBehind(n)
	})
}
