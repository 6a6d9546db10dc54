package doctor

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/netcfg"
)

// rpFilter looks for a filter that drops what the program sends, since the way back is another one.
func rpFilter(v *view) []Finding {
	d := v.device
	if largest("rp_filter", d.Name) != 1 {
		return nil
	}
	mend := sysctl("ipv4", d.Name, "rp_filter", "2")
	for _, dt := range v.detours() {
		if dt.to.Is4() && dt.way.Index != 0 {
			return one(Fault, fmt.Sprintf("packets that come from %s through it are dropped (rp_filter 1)", dt.to), "the way back to that address is not through the device: the kernel takes them for forged", mend)
		}
	}
	if n := counter("netstat", "TcpExt", "IPReversePathFilter"); v.asked() && n > 0 && d.InUse() && d.Stats.RxPackets > 0 {
		return one(Warning, "rp_filter is 1, and dropped "+packets(n)+" in this network namespace, perhaps of another device", "packets from an address that is not routed to the device are dropped", mend)
	}
	return ok("rp_filter is 1: packets from an address that is not routed to it are dropped")
}

// largest is the value of an IPv4 sysctl that holds for a device: the larger of its own and that of all.
func largest(name, device string) (value int) {
	for _, where := range []string{"all", device} {
		text, _ := setting("ipv4", where, name)
		n, _ := strconv.Atoi(text) // 0 where there is none
		value = max(value, n)
	}
	return value
}

// looser is what else it takes to accept packets from addresses of this host.
func looser(device string) (more string) {
	for _, where := range []string{"all", device} {
		if value, _ := setting("ipv4", where, "rp_filter"); value != "0" {
			more += " && " + sysctl("ipv4", where, "rp_filter", "0")
		}
	}
	return more
}

// counter is a number of /proc/net/snmp or /proc/net/netstat of the thread's network namespace, 0 where there is none.
func counter(file, group, name string) uint64 {
	b, err := os.ReadFile("/proc/thread-self/net/" + file)
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

// acceptLocal looks for a program that carries packets between two devices of this host, which the kernel drops as martians.
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
		if largest("accept_local", d.Name) == 1 || !a.Local.Is4() || !is.Local.Is4() {
			continue
		}
		if way, err := v.namespace.Way(is.Local, a.Local); err != nil || !way.Local || v.overridden() {
			continue
		}
		return one(Warning, fmt.Sprintf("one program holds it and %s, and both have addresses of this host", netcfg.Escape(l.Name)),
			fmt.Sprintf("a packet from %s that the program writes here is dropped as a martian, and this host reaches %s without it", a.Local, a.Local),
			sysctl("ipv4", d.Name, "accept_local", "1")+looser(d.Name))
	}
	return nil
}

// overridden says that a rule comes before the table of local addresses, as in recipes for traffic between two devices of one host.
func (v *view) overridden() bool {
	return slices.ContainsFunc(v.network.Rules, func(r netcfg.Rule) bool { return !r.IPv6 && r.Table == tableLocal && r.Priority != 0 })
}

func sameHolder(a, b *netcfg.Device) bool {
	return slices.ContainsFunc(a.Holders, func(h netcfg.Holder) bool {
		return slices.ContainsFunc(b.Holders, func(o netcfg.Holder) bool { return h.PID == o.PID })
	})
}

// forwarding looks for packets to other hosts that this one does not pass on.
func forwarding(v *view) []Finding {
	d := v.device
	on, _ := setting("ipv4", d.Name, "forwarding")
	lost := counter("snmp", "Ip", "InAddrErrors")
	if !v.asked() || on != "0" || lost == 0 || !d.InUse() || d.Stats.RxPackets == 0 {
		return nil
	}
	return one(Warning, "this host does not forward, and dropped "+packets(lost)+" to other hosts, in this network namespace, perhaps of another device", "what is behind the device reaches this host alone", "sysctl -w net.ipv4.ip_forward=1")
}

// firewall looks whether a rule names the device. What the rules do is not looked at.
func firewall(v *view) []Finding {
	d := v.device
	named, present := v.firewallNames(d.Name)
	switch {
	case named && v.asked():
		return one(Warning, "a rule of the firewall names it", "what the rule does was not looked at", "look at it: nft list ruleset, or iptables-save")
	case named:
		return ok("a rule of the firewall names it; what the rule does was not looked at")
	case present:
		return ok("there is a firewall; no rule was found that names the device, and what the rules do was not looked at")
	}
	return nil
}

func (v *view) firewallNames(device string) (named, present bool) {
	if v.rules == nil {
		rules, _ := v.namespace.FirewallRules() // an ordinary user may not read them
		v.rules = append([][]byte{}, rules...)
	}
	for _, rule := range v.rules {
		named = named || strings.Contains(string(rule), "\x00"+device+"\x00")
	}
	legacy, _ := os.ReadFile("/proc/thread-self/net/ip_tables_names")
	return named, len(v.rules) > 0 || len(legacy) > 0
}
