package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// rpFilter finds a reverse path filter that drops packets from the program because the return path is another one.
func rpFilter(v *view) []Finding {
	d := v.device
	if v.largest("rp_filter", d.Name) != 1 {
		return nil
	}
	fix := fix.Run(sysctl("ipv4", d.Name, "rp_filter", "2"))
	for _, dt := range v.detours() {
		if dt.to.Is4() && dt.way.Index != 0 {
			return one(Error,
				fmt.Sprintf("the kernel drops packets from %s that arrive through it (rp_filter 1)", dt.to),
				"the return path to that address leaves through another device, so the kernel treats them as spoofed",
				fix)
		}
	}
	if n := v.counter("netstat", "TcpExt", "IPReversePathFilter"); v.asked() && n > 0 && d.InUse() &&
		d.Stats.RxPackets > 0 {
		return one(Warning,
			"rp_filter is 1, and dropped "+packets(n)+" in this network namespace, possibly of another device",
			"the kernel drops packets from addresses that are not routed to the device", fix)
	}
	return ok("rp_filter is 1: the kernel drops packets from addresses that are not routed to it")
}

// largest returns the effective value of an IPv4 sysctl for a device: the larger of its own and that of all.
func (v *view) largest(name, device string) (value int) {
	for _, where := range []string{"all", device} {
		text, _ := v.setting("ipv4", where, name)
		n, _ := strconv.Atoi(text) // 0 where there is none
		value = max(value, n)
	}
	return value
}

// looser returns the other commands that are required to accept packets from addresses of this host.
func (v *view) looser(device string) (more []fix.Command) {
	for _, where := range []string{"all", device} {
		if value, _ := v.setting("ipv4", where, "rp_filter"); value != "0" {
			more = append(more, sysctl("ipv4", where, "rp_filter", "0"))
		}
	}
	return more
}

// counter returns a counter of /proc/net/snmp or /proc/net/netstat of the thread's network namespace, or 0 if it does
// not exist.
func (v *view) counter(file, group, name string) uint64 {
	b, err := v.file("/proc/thread-self/net/" + file)
	if err != nil {
		return 0
	}
	var names []string
	for line := range strings.Lines(string(b)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != group+":" {
			continue
		}
		if i := slices.Index(names, name); i >= 0 && i < len(fields) {
			n, _ := strconv.ParseUint(fields[i], 10, 64)
			return n
		}
		names = fields
	}
	return 0
}

// acceptLocal finds a program that carries packets between two devices of this host. The kernel drops them as martians.
func acceptLocal(v *view) []Finding {
	d := v.device
	if !v.asked() || len(own(d)) == 0 || d.Stats.RxPackets == 0 {
		return nil
	}
	for _, l := range v.network.Links {
		if l.Index == d.Index || l.Kind != "tun" || len(own(l)) == 0 || !sameHolder(l, d) {
			continue
		}
		a, is := own(l)[0], own(d)[0]
		if v.largest("accept_local", d.Name) == 1 || !a.Local.Is4() || !is.Local.Is4() {
			continue
		}
		if way, err := findWay(is.Local, a.Local); err != nil || !way.Local || v.overridden() {
			continue
		}
		return one(Warning, fmt.Sprintf("one program is attached to it and to %s, and both have addresses of this host",
			words.Escape(l.Name)),
			fmt.Sprintf("the kernel drops packets from %s that the program writes to it, as martians, "+
				"and delivers packets to %s locally", a.Local, a.Local),
			fix.Run(append([]fix.Command{sysctl("ipv4", d.Name, "accept_local", "1")}, v.looser(d.Name)...)...))
	}
	return nil
}

// overridden reports whether a rule comes before the local table, as in recipes for traffic between two devices of one
// host.
func (v *view) overridden() bool {
	return slices.ContainsFunc(v.network.Rules, func(r rtnl.Rule) bool {
		return !r.IPv6 && r.Table == tableLocal && r.Priority != 0
	})
}

// sameHolder reports whether one program is attached to both devices.
func sameHolder(a, b *netcfg.Device) bool {
	return slices.ContainsFunc(a.Holders, func(h netcfg.Holder) bool {
		return slices.ContainsFunc(b.Holders, func(o netcfg.Holder) bool { return h.PID == o.PID })
	})
}

// forwarding finds packets to other hosts that this host does not forward.
func forwarding(v *view) []Finding {
	d := v.device
	on, _ := v.setting("ipv4", d.Name, "forwarding")
	lost := v.counter("snmp", "Ip", "InAddrErrors")
	if !v.asked() || on != "0" || lost == 0 || !d.InUse() || d.Stats.RxPackets == 0 {
		return nil
	}
	return one(Warning,
		"this host does not forward IPv4, and dropped "+packets(lost)+
			" to other hosts in this network namespace, possibly of another device",
		"hosts behind the device reach only this host",
		fix.Run(fix.InNamespace("sysctl", "-w", "net.ipv4.ip_forward=1")))
}
