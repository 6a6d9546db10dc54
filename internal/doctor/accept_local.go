package doctor

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// largest returns the effective value of an IPv4 sysctl for a device: the larger of its own and that of all.
func (v *view) largest(name, device string) (value int) {
	for _, where := range []string{"all", device} {
		text, _ := v.setting("ipv4", where, name)
		n, _ := strconv.Atoi(text) // 0 where there is none
		value = max(value, n)
	}
	return value
}

// acceptLocal finds a program that carries packets between two devices of this host. The kernel drops them as martians.
func acceptLocal(v *view) []Finding {
	d := v.device
	if !v.asked() || len(own(d)) == 0 || d.Stats.RxPackets == 0 {
		return nil
	}
	for _, l := range v.heldToo(d) {
		if len(own(l)) == 0 || !sameHolder(l, d) {
			continue
		}
		a, is := own(l)[0], own(d)[0]
		if v.largest("accept_local", d.Name) == 1 || !a.Local.Is4() || !is.Local.Is4() {
			continue
		}
		way, err := v.host.Find(flow.Packet{From: is.Local, To: a.Local})
		if err != nil || !way.Local() || v.overridden() {
			continue
		}
		return one(Warning, fmt.Sprintf("one program is attached to it and to %s, and both have addresses of this host",
			words.Escape(l.Name)),
			fmt.Sprintf("the kernel drops packets from %s that the program writes to it, as martians, "+
				"and delivers packets to %s locally", a.Local, a.Local),
			fix.Run(append(v.zeroes("rp_filter", d.Name), fix.Sysctl("ipv4", d.Name, "accept_local", "1"))...))
	}
	return nil
}

// overridden reports whether a rule comes before the local table, as in recipes for traffic between two devices of one
// host.
func (v *view) overridden() bool {
	return slices.ContainsFunc(v.policies, func(r rtnl.Rule) bool {
		return !r.IPv6 && r.Table == tableLocal && r.Priority != 0
	})
}

// sameHolder reports whether one program is attached to both devices.
func sameHolder(a, b *netcfg.Device) bool {
	return slices.ContainsFunc(a.Holders, func(h netcfg.Holder) bool {
		return slices.ContainsFunc(b.Holders, func(o netcfg.Holder) bool { return h.PID == o.PID })
	})
}
