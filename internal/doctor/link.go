package doctor

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"time"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// down finds a device that is down although it has a configuration or was named.
func down(v *view) []Finding {
	d := v.device
	if d.Up {
		return ok("it is up")
	}
	if !v.asked() && len(d.Addresses) == 0 && d.Master == "" && !d.InUse() {
		return ok("it is down, with no address, no master and no program")
	}
	if s := v.declaration(d.Name).Spec; s != nil && s.Up != nil && !*s.Up {
		return ok("it is down, as declared")
	}
	return one(Error, "it is down",
		"it passes no packet, its routes are gone, and a write to it fails with \"input/output error\"",
		fix.Run(fix.Tunadm("set", d.Name, "--up")))
}

// queueLength finds a transmit queue that holds no packet, or is short and dropped packets.
func queueLength(v *view) []Finding {
	const short = 100 // packets; the kernel's default is 500 for a tun and 1000 for a tap
	d := v.device
	usual := map[link.Mode]string{link.TUN: "500", link.TAP: "1000"}[d.Mode]
	fix := fix.Run(fix.Tunadm("set", d.Name, "--txqueuelen", usual))
	switch {
	case d.TxQueueLen == 0:
		return one(Error, "its transmit queue length is 0 (txqueuelen)",
			"the kernel drops every packet sent to it: ping gets no answer, or \"no buffer space available\"", fix)
	case d.TxQueueLen < short && d.Stats.TxDropped > 0 && d.InUse():
		return one(Warning,
			fmt.Sprintf("the kernel dropped %s sent to it, and its transmit queue length is only %d (txqueuelen)",
				packets(d.Stats.TxDropped), d.TxQueueLen), "a burst of packets does not fit into the queue", fix)
	}
	return ok(fmt.Sprintf("its transmit queue length is %d packets", d.TxQueueLen))
}

// ownPackets is the number of packets that the kernel itself may have sent to find neighbours and routers.
const ownPackets = 32

// noCarrier finds a device that is up but has no carrier.
func noCarrier(v *view) []Finding {
	d := v.device
	if d.Up && d.InUse() && !d.Carrier {
		d = v.settled()
	}
	switch {
	case !d.Up:
		return nil
	case d.Carrier && d.Queues == 0 && d.DisabledQueues > 0:
		return v.held()
	case d.Carrier:
		return ok("its carrier is on")
	case d.InUse():
		return one(Error, "a program is attached, but the carrier is off",
			"the program or an administrator turned it off; the kernel drops packets before they reach the program",
			fix.Run(ip("link", "set", "dev", d.Name, "carrier", "on")))
	}
	start := fix.Sentence("start the program that reads it")
	means := "ping gets no answer"
	if d.Mode == link.TAP {
		means = "ping prints \"destination host unreachable\" after three seconds"
	}
	if dropped := v.lost(); dropped > ownPackets || dropped > 0 && v.expectsProgram() {
		if v.expectsProgram() {
			means += "; " + attachErrors(d)
		}
		found := one(Error, "no program is attached, so the kernel dropped "+packets(dropped)+" sent to it", means,
			start)
		found[0].counted = dropped
		return append(found, v.inOtherNamespace()...)
	}
	if d.MultiQueue {
		means += "; it is multi-queue, so a program that requests one queue gets \"invalid argument\""
	}
	if v.expectsProgram() {
		return one(Warning, "no program is attached, so the kernel drops every packet sent to it", means, start)
	}
	return ok("no program is attached: the normal state of an idle device")
}

// held finds a device whose carrier is on only because a queue is attached that gets no packets.
func (v *view) held() []Finding {
	what := "its carrier is on, but all its queues are disabled: " + v.device.UsedBy()
	if !v.expectsProgram() {
		return ok(what)
	}
	return one(Warning, what,
		"no program reads it, so the kernel drops every packet sent to it; tunadm hold keeps the carrier in this way",
		fix.Sentence("start the program that reads it"))
}

// settled reads the device again: a program that attaches or detaches changes the carrier and the queues one after the
// other.
func (v *view) settled() *netcfg.Device {
	if v.again == nil {
		return v.device
	}
	const pause, longest = 5 * time.Millisecond, 100 * time.Millisecond
	now := v.device
	for range 4 {
		if v.waited += pause; v.waited > longest { // in all, for all devices
			break
		}
		time.Sleep(pause)
		if found, err := v.again(v.device.Name); err == nil && found[0] != nil && found[0].Index == v.device.Index {
			now = found[0]
		}
		if !now.InUse() || now.Carrier {
			break
		}
	}
	return now
}

// lost returns the number of packets to the device that the kernel dropped. If the device is named, those of the kernel
// itself are left out.
func (v *view) lost() uint64 {
	dropped := v.device.Stats.TxDropped
	if dropped == 0 || !v.asked() {
		return dropped
	}
	return dropped - min(dropped, v.host.Counter("dev_snmp6/"+v.device.Name, "", "Ip6OutMcastPkts"))
}

// mtuOfMaster finds a tap with a larger MTU than its bridge.
func mtuOfMaster(v *view) []Finding {
	d := v.device
	m := v.link(d.Master)
	if m == nil || d.MasterKind != "bridge" || d.MTU <= m.MTU {
		return nil
	}
	means := "the bridge silently drops packets larger than its own MTU"
	for l := range v.siblings() {
		if v.asked() && l.MTU == m.MTU {
			means += ", which is the smallest one of its ports: that of " + words.Escape(l.Name)
			break
		}
	}
	return one(Warning,
		fmt.Sprintf("its MTU is %d, but that of its bridge %s is %d", d.MTU, words.Escape(m.Name), m.MTU), means,
		fix.Run(fix.Tunadm("set", d.Name, "--mtu", strconv.Itoa(m.MTU))))
}

// mtuIPv6 finds an MTU too small for IPv6, if another link has an IPv6 address.
func mtuIPv6(v *view) []Finding {
	d := v.device
	if d.MTU >= link.MTUMinV6 || !v.asked() {
		return nil
	}
	what := fmt.Sprintf("its MTU is %d, but IPv6 requires %d", d.MTU, link.MTUMinV6)
	means := "the kernel has removed the IPv6 addresses, routes and sysctls of the device"
	raise := fix.Run(fix.Tunadm("set", d.Name, "--mtu", strconv.Itoa(link.MTUMinV6)))
	if d.Master == "" && (v.To.Is6() || v.From.Is6()) {
		return one(Error, what, means+": it carries no IPv6 packet; after the fix, add its addresses again", raise)
	}
	for _, a := range v.addressesOf(true) {
		if usable(a) && !a.Local.IsLoopback() {
			return one(Warning, what, means, raise)
		}
	}
	return nil
}

// macTwice finds another port of the bridge with the same MAC address.
func macTwice(v *view) []Finding {
	d := v.device
	if d.MasterKind != "bridge" || d.Mode != link.TAP {
		return nil
	}
	l := v.sharing(d)
	if l == nil {
		return nil
	}
	return one(Error, fmt.Sprintf("%s, a port of the same bridge, has the same MAC address: %s", words.Escape(l.Name),
		d.MAC), "the bridge confuses the two, so frames leave through the wrong port",
		fix.Run(fix.Tunadm("set", d.Name, "--mac", ownMAC(d).String())))
}

// ownMAC returns a MAC address that depends only on the name and the index, so the same question gets the same answer.
func ownMAC(d *netcfg.Device) link.MAC {
	h := fnv.New64a()
	fmt.Fprint(h, d.Index, d.Name)
	sum := h.Sum(nil)
	return append(link.MAC{0xfe}, sum[:5]...)
}

// unread finds an attached program that has read no packet.
func unread(v *view) []Finding {
	d := v.device
	if !v.asked() || !d.InUse() || d.Stats.TxPackets > 0 || d.Stats.TxDropped <= ownPackets || d.TxQueueLen == 0 ||
		!d.Carrier {
		return nil
	}
	return one(Warning, "the attached program has read no packet, and the kernel dropped "+packets(d.Stats.TxDropped),
		"the program hangs, does not read the device, or has just started",
		fix.Sentence("restart the program: "+d.UsedBy()))
}

// otherMACs finds frames from the program to a MAC address that no device has.
func otherMACs(v *view) []Finding {
	d := v.device
	if d.Mode != link.TAP || d.Stats.RxOtherHost == 0 || d.Master != "" {
		return nil
	}
	return one(Warning, fmt.Sprintf("the program sent %s to a MAC address other than that of the tap, %s",
		packets(d.Stats.RxOtherHost), d.MAC),
		"the host accepts only frames to its own MAC address; the others reach only programs that capture packets",
		fix.Sentence("make the program resolve the MAC address by ARP"),
		fix.Fix{Before: "add the tap to a bridge: ",
			Commands: []fix.Command{fix.Tunadm("set", d.Name, "--master", "BRIDGE")}})
}

// bridgeDown finds a master that is down.
func bridgeDown(v *view) []Finding {
	m := v.link(v.device.Master)
	if m == nil || m.Up {
		return nil
	}
	return one(Error, "its master "+words.Escape(m.Name)+" is down", "packets from the program go no further",
		fix.Run(ip("link", "set", "dev", m.Name, "up")))
}

// unsettled reports whether a tun has a new IPv6 address that the kernel does not check for duplicates: it uses such an
// address after a moment. One that it checks may wait for a carrier.
func (v *view) unsettled(d *netcfg.Device) bool {
	if d.Mode != link.TUN || !d.Up || !slices.ContainsFunc(d.Addresses, func(a netcfg.Address) bool {
		return a.Tentative() && !a.Duplicate()
	}) {
		return false
	}
	checks := func(where string) bool {
		value, _ := v.setting("ipv6", where, "accept_dad")
		return value >= "1" // not -1
	}
	return !checks("all") && !checks(d.Name) || v.host.WithoutARP(d.Index)
}
