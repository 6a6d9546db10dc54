package doctor

import (
	"slices"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/netcfg"
)

// advertisement finds IPv6 router advertisements of the program that the kernel ignores because this host forwards.
// With accept_ra=0, somebody else evaluates them, or nobody wants them.
func advertisement(j *journey) []Finding {
	d := j.layer3()
	n := j.own6("Icmp6InRouterAdvertisements")
	if n == 0 || slices.ContainsFunc(own(d), ipv6) {
		return nil
	}
	accept, _ := j.setting("ipv6", d.Name, "accept_ra")
	if forwarding, _ := j.setting("ipv6", d.Name, "forwarding"); accept != "1" || forwarding != "1" {
		return nil
	}
	return []Finding{{Level: Warning, counted: n,
		What: "the kernel ignored " + packets(n) + " of the program with IPv6 router advertisements: " +
			"this host forwards IPv6 (forwarding 1, accept_ra 1)",
		Means: "the device gets no IPv6 address and no route from them",
		Fixes: []fix.Fix{fix.Run(fix.Sysctl("ipv6", d.Name, "accept_ra", "2"))}}}
}

func ipv6(a netcfg.Address) bool { return a.Local.Is6() }

// ignoresRouters returns another link whose IPv6 router advertisements the kernel ignores because this host forwards,
// if it has no default route, or nil.
func (j *journey) ignoresRouters() *netcfg.Device {
	if !j.packet.IPv6() {
		return nil
	}
	for _, l := range j.every() {
		if l.Index == j.device.Index || !l.Up || j.hasDefault(l, true) ||
			j.host.Counter("dev_snmp6/"+l.Name, "", "Icmp6InRouterAdvertisements") == 0 {
			continue
		}
		accept, _ := j.setting("ipv6", l.Name, "accept_ra")
		if forwarding, _ := j.setting("ipv6", l.Name, "forwarding"); accept == "1" && forwarding == "1" {
			return l
		}
	}
	return nil
}
