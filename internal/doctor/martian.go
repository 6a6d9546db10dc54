package doctor

import (
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/words"
)

// reversePath finds a reverse path filter that drops packets of the program: the typical one, or those that the kernel
// has counted.
func reversePath(j *journey) []Finding {
	dev, value := j.layer3().Name, j.largest("rp_filter", j.layer3().Name)
	if j.frame() || value == 0 || j.packet.IPv6() {
		return nil
	}
	way, err := j.host.Find(j.packet)
	if err == nil && (way.Refusal == unix.EXDEV || way.Refusal == unix.EINVAL && j.elsewhere()) {
		return one(Error,
			fmt.Sprintf("the kernel drops packets from %s that arrive through it (rp_filter %d)", j.packet.From, value),
			"the return path to that address leaves through another device, so the kernel treats them as spoofed",
			fix.Run(fix.Sysctl("ipv4", dev, "rp_filter", "2")))
	}
	n := j.host.Counter("netstat", "TcpExt", "IPReversePathFilter")
	b := j.blame(n)
	if b.level == OK || value == 2 && (j.defaultRoute() || !j.moving) {
		return ok(fmt.Sprintf("rp_filter is %d: the kernel drops packets from addresses that are not routed to it",
			value))
	}
	loose := fix.Run(fix.Sysctl("ipv4", dev, "rp_filter", "2"))
	if value == 2 || !j.defaultRoute() {
		loose = fix.Run(j.zeroes("rp_filter", dev)...)
	}
	return []Finding{{Level: b.level, counted: b.sure, What: fmt.Sprintf(
		"rp_filter is %d, and dropped %s in this network namespace", value, packets(n)),
		Means: "the kernel drops packets from addresses that are not routed to the device; " + b.evidence,
		Fixes: []fix.Fix{loose}}}
}

// elsewhere reports whether the answer to the packet leaves through another device.
func (j *journey) elsewhere() bool {
	way, err := j.host.Find(flow.Packet{From: j.packet.To, To: j.packet.From})
	if err != nil || way.Refusal != 0 {
		way, err = j.host.Find(flow.Packet{To: j.packet.From}) // the packet is for another host
	}
	return err == nil && !way.Local() && (way.Refusal != 0 || way.Index != j.layer3().Index)
}

// defaultRoute reports whether this host has an IPv4 route to unknown addresses.
func (v *view) defaultRoute() bool {
	way, err := v.host.Find(flow.Packet{To: unknownHost(false)})
	return err == nil && way.Refusal == 0
}

// unknownHost returns an address of a network that no host has: one for documentation.
func unknownHost(ipv6 bool) netip.Addr {
	if ipv6 {
		return netip.MustParseAddr("2001:db8::1")
	}
	return netip.AddrFrom4([4]byte{192, 0, 2, 1})
}

// vanished returns how many IPv4 packets the kernel has neither delivered nor forwarded nor counted as an error: those
// with a source or a destination that is not possible there (martians), and those that a firewall dropped.
func (v *view) vanished() uint64 {
	ip, ext := v.host.Counters("snmp"), v.host.Counters("netstat")
	n := ip["Ip.InReceives"]
	for _, c := range []uint64{
		ip["Ip.InDelivers"], ip["Ip.ForwDatagrams"], ip["Ip.InHdrErrors"], ip["Ip.InAddrErrors"],
		ip["Ip.InUnknownProtos"], ip["Ip.InDiscards"], ip["Ip.FragFails"], ext["IpExt.InNoRoutes"],
		ext["IpExt.InTruncatedPkts"], ext["TcpExt.IPReversePathFilter"],
		ip["Ip.ReasmReqds"] - min(ip["Ip.ReasmReqds"], ip["Ip.ReasmOKs"]),
	} {
		n -= min(n, c)
	}
	return n
}

// martian finds packets whose source the kernel does not accept from outside: its own addresses.
func martian(j *journey) []Finding {
	const few = 8 // a host that starts sends some packets to groups that nobody joined
	dev := j.layer3().Name
	n := j.vanished()
	if j.frame() || j.packet.IPv6() || n < few || len(acceptLocal(j.view)) > 0 || j.walled() {
		return nil
	}
	b, t := j.blame(n), j.traffic()
	if b.level != Error || n*10 < t.sent*8 {
		return nil
	}
	what := fmt.Sprintf("the kernel dropped %s of the program without counting a reason", packets(b.sure))
	if j.largest("accept_local", dev) == 1 {
		return []Finding{{Level: Warning, What: what, counted: b.sure,
			Means: "their source or destination is not valid there, such as 127.0.0.1 or a broadcast address, " +
				"or no program here joined their multicast group; " + b.evidence}}
	}
	accept := append([]fix.Command{fix.Sysctl("ipv4", dev, "accept_local", "1")}, j.zeroes("rp_filter", dev)...)
	return []Finding{{Level: Warning, What: what, counted: b.sure,
		Means: fmt.Sprintf("it drops packets from addresses of this host (%s) as martians (accept_local 0), and those "+
			"to a multicast group that no program here joined; %s", strings.Join(j.addresses(), ", "), b.evidence),
		Fixes: fixes(fix.Run(accept...))}}
}

// addresses returns the first IPv4 addresses of this host.
func (v *view) addresses() (all []string) {
	const most = 4
	for number, a := range v.addressesOf(false) {
		if a.Local.IsLoopback() {
			continue
		}
		if l := v.byIndex(number); l != nil {
			all = append(all, a.Local.String()+" of "+words.Escape(l.Name))
		}
		if len(all) == most {
			break
		}
	}
	return all
}

// walled reports whether the firewall may have dropped packets that this host received.
func (v *view) walled() bool {
	w := v.wall()
	return w.err != nil || !w.rules.Empty() || len(w.rules.Unread) > 0
}

// zeroes returns the commands that turn off an IPv4 sysctl of which the larger value of all and of the device counts.
func (v *view) zeroes(name, device string) (commands []fix.Command) {
	for _, where := range []string{"all", device} {
		if value, _ := v.setting("ipv4", where, name); value != "0" {
			commands = append(commands, fix.Sysctl("ipv4", where, name, "0"))
		}
	}
	return commands
}

// sysctlKey returns the command that sets a sysctl.
func sysctlKey(key, value string) fix.Command { return fix.InNamespace("sysctl", "-w", key+"="+value) }

// fixes returns a list of one fix.
func fixes(f fix.Fix) []fix.Fix { return []fix.Fix{f} }

// explicit reports whether the reader asked about this packet.
func (v *view) explicit() bool { return v.From.IsValid() || v.To.IsValid() }

// demanded reports whether the reader asked about this packet, and not doctor itself about one that it has seen.
func (v *view) demanded() bool { return v.explicit() && v.heard == nil }

// exact reports whether the question says of which kind its packet is, so that a verdict about it is the answer.
func (v *view) exact() bool { return v.explicit() && v.Protocol != 0 }
