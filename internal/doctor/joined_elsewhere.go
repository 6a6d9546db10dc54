package doctor

import (
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/trace"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// A groupUse is who behind the device sends UDP to a multicast group and a port.
type groupUse struct {
	from  netip.Addr
	group netip.AddrPort
}

// noteMulticast adds a packet of the program. Many hosts search for media servers (SSDP), and expect no answer.
func (v *view) noteMulticast(e *trace.Event) {
	const most = 64
	ssdp := netip.AddrFrom4([4]byte{239, 255, 255, 250})
	use := groupUse{e.From, netip.AddrPortFrom(e.To, e.ToPort)}
	if !e.Passes() || e.ToProgram || e.Device != v.device.Name || e.Protocol != unix.IPPROTO_UDP || e.ToPort == 0 ||
		!e.To.Is4() || !e.To.IsMulticast() || e.To.IsLinkLocalMulticast() || e.To == ssdp ||
		len(v.sights.multicast) == most {
		return
	}
	if v.sights.multicast == nil {
		v.sights.multicast = map[groupUse]int{}
	}
	v.sights.multicast[use]++
}

// joinedElsewhere finds a multicast group to which a host behind the device sends, and which programs of this host have
// joined on the link of the default route alone: they named no link, and no other route leads to the group.
func (v *view) joinedElsewhere() []Finding {
	layer3 := v.layer3()
	if routes, _ := v.setting("ipv4", "all", "mc_forwarding"); routes == "1" || len(v.sights.multicast) == 0 {
		return nil
	}
	joined := v.host.Memberships()
	on := func(group netip.Addr, links ...int) bool {
		return slices.ContainsFunc(joined, func(m evidence.Membership) bool {
			return m.To == group && slices.Contains(links, m.Index)
		})
	}
	for use, count := range v.sights.multicast {
		group := use.group.Addr()
		p := flow.Packet{To: group}
		way, err := v.host.Find(p)
		if err != nil || way.Refusal != 0 || !v.onSubnet(layer3, use.from) || v.isOwn(use.from) || !v.byDefault(p) ||
			on(group, layer3.Index, v.device.Index) || !on(group, way.Index) || !v.receives(use) {
			continue
		}
		return v.multicastFinding(use, count, layer3, way)
	}
	return nil
}

// receives reports whether a program of this host has a UDP socket for packets to a group, of all links.
func (v *view) receives(use groupUse) bool {
	all, err := v.host.Listeners(unix.IPPROTO_UDP, use.group.Port())
	return err == nil && slices.ContainsFunc(all, func(l evidence.Listener) bool {
		return l.Takes(use.group, netip.AddrPort{}, 0)
	})
}

// multicastFinding reports a group that programs have joined on the link of the default route.
func (v *view) multicastFinding(use groupUse, count int, layer3 *netcfg.Device, way evidence.Way) []Finding {
	name, other, group := words.Escape(layer3.Name), v.nameOf(way.Index), use.group.Addr()
	lead := fix.Fix{Commands: []fix.Command{ip("route", "add", group.String(), "dev", layer3.Name)},
		After: "  # until the device goes down or the next boot; then start the program again"}
	return one(Warning, fmt.Sprintf("programs of this host do not get what hosts behind it send to the multicast "+
		"group %s (UDP port %d): they have joined it on %s, and not on %s", group, use.group.Port(), other, name),
		fmt.Sprintf("the default route leads multicast to %s, and a program that names no link joins and sends there; "+
			"seen just now: %s of %s", other, packets(uint64(count)), use.from), lead,
		fix.Sentence("or configure the program to use "+name+" for multicast"))
}
