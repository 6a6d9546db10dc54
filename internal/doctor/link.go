package doctor

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/netcfg"
)

// down looks for a device that is switched off, although it is meant to carry packets.
func down(v *view) []Finding {
	d := v.device
	if d.Up {
		return ok("it is up")
	}
	if !v.asked() && len(d.Addresses) == 0 && d.Master == "" && !d.InUse() {
		return ok("it is down, and nothing is set up on it")
	}
	if s := v.Declared(d.Name); s != nil && s.Up != nil && !*s.Up {
		return ok("it is down, as it is declared")
	}
	return one(Fault, "it is down", "no packet passes, its routes are not there, and a program that writes to it gets an input/output error",
		"tunadm set "+netcfg.Word(d.Name)+" --up")
}

// queueLength looks for a queue that holds nothing, or too little for what was dropped.
func queueLength(v *view) []Finding {
	const short = 100 // packets; the kernel's own choice is 500 for a tun and 1000 for a tap
	d := v.device
	mend := "tunadm set " + netcfg.Word(d.Name) + " --txqueuelen " + map[netcfg.Mode]string{netcfg.TUN: "500", netcfg.TAP: "1000"}[d.Mode]
	switch {
	case d.TxQueueLen == 0:
		return one(Fault, "its queue has room for no packet (txqueuelen 0)", "every packet to the program is dropped: ping loses all, or says \"no buffer space available\"", mend)
	case d.TxQueueLen < short && d.Stats.TxDropped > 0 && d.InUse():
		return one(Warning, fmt.Sprintf("%s to the program dropped, and its queue has room for %d", packets(d.Stats.TxDropped), d.TxQueueLen),
			"a burst does not fit", mend)
	}
	return ok(fmt.Sprintf("its queue has room for %d packets", d.TxQueueLen))
}

// ownPackets is how many packets the kernel itself may have sent, to look for neighbours and routers.
const ownPackets = 32

// noCarrier looks for packets to a device that nobody reads.
func noCarrier(v *view) []Finding {
	d := v.device
	switch {
	case !d.Up:
		return nil
	case d.Carrier:
		return ok("its carrier is on")
	case d.InUse():
		return one(Fault, "a program is attached, and its carrier is off", "the program, or somebody, switched it off: packets are dropped before they reach the program",
			"ip link set "+netcfg.Word(d.Name)+" carrier on")
	}
	means := "ping to the network behind it loses all packets without a word"
	if d.Mode == netcfg.TAP {
		means = "ping to the network behind it says \"destination host unreachable\" after three seconds"
	}
	if dropped := d.Stats.TxDropped; dropped > ownPackets || dropped > 0 && v.asked() {
		return one(Fault, "no program is attached, so that it has no carrier; "+packets(dropped)+" to it dropped", means, "start the program that reads it")
	}
	if v.asked() {
		return one(Fault, "no program is attached, so that it has no carrier", means, "start the program that reads it")
	}
	return ok("no program is attached, so that it has no carrier: the normal state of an idle device")
}

// mtuOfMaster looks for a tap that lets in more than its bridge takes.
func mtuOfMaster(v *view) []Finding {
	d := v.device
	m := v.network.Link(d.Master)
	if m == nil || d.MasterKind != "bridge" || d.MTU <= m.MTU {
		return nil
	}
	return one(Warning, fmt.Sprintf("its MTU is %d, and that of %s is %d", d.MTU, netcfg.Escape(m.Name), m.MTU), "the bridge drops what is larger than its own MTU, without a word",
		fmt.Sprintf("tunadm set %s --mtu %d", netcfg.Word(d.Name), m.MTU))
}

// mtuIPv6 looks for an MTU with which the kernel has no IPv6 on the device, where others have it.
func mtuIPv6(v *view) []Finding {
	d := v.device
	if d.MTU >= netcfg.MTUMinV6 || !v.asked() {
		return nil
	}
	for _, l := range v.network.Links {
		for _, a := range l.Addresses {
			if a.Local.Is6() && !a.Local.IsLinkLocalUnicast() && !a.Local.IsLoopback() {
				return one(Warning, fmt.Sprintf("its MTU is %d: below %d there is no IPv6", d.MTU, netcfg.MTUMinV6), "the kernel has taken IPv6 off the device: addresses, routes and sysctls",
					fmt.Sprintf("tunadm set %s --mtu %d", netcfg.Word(d.Name), netcfg.MTUMinV6))
			}
		}
	}
	return nil
}

// macTwice looks for another port of the bridge with the same address.
func macTwice(v *view) []Finding {
	d := v.device
	if d.MasterKind != "bridge" || d.Mode != netcfg.TAP {
		return nil
	}
	for _, l := range v.network.Links {
		if l.Index != d.Index && l.Master == d.Master && slices.Equal(l.MAC, d.MAC) {
			return one(Fault, fmt.Sprintf("it has the address %s, as %s has on the same bridge", d.MAC, netcfg.Escape(l.Name)), "the bridge takes one for the other, and frames come to the wrong port",
				fmt.Sprintf("tunadm set %s --mac %s", netcfg.Word(d.Name), ownMAC(d)))
		}
	}
	return nil
}

// ownMAC is an address that follows from the name and the index, so that the same question has the same answer.
func ownMAC(d *netcfg.Device) netcfg.MAC {
	h := fnv.New64a()
	fmt.Fprint(h, d.Index, d.Name)
	sum := h.Sum(nil)
	return append(netcfg.MAC{0xfe}, sum[:5]...)
}

// declared holds the device against what the default files say of it.
func declared(v *view) []Finding {
	spec := v.Declared(v.device.Name)
	if spec == nil || v.Netns != "" {
		return nil
	}
	want := *spec
	want.Master = nil // it may have to be looked up
	steps, err := netcfg.Plan(&want, v.device)
	if err != nil {
		return one(Warning, "it is not as it is declared: "+err.Error(), "it was made by hand, or the file was changed since", "tunadm apply --replace")
	}
	if len(steps) == 0 {
		return nil
	}
	var lacks []string
	for _, s := range steps {
		lacks = append(lacks, s.String())
	}
	return one(Warning, "it is not as it is declared; it lacks: "+strings.Join(lacks, "; "),
		"another program changed it, as udev does with the address of a new device, or it went down, which drops IPv6 addresses and routes", "tunadm apply")
}

// unread looks for a program that is attached and reads nothing.
func unread(v *view) []Finding {
	d := v.device
	if !v.asked() || !d.InUse() || d.Stats.TxPackets > 0 || d.Stats.TxDropped <= ownPackets || d.TxQueueLen == 0 || !d.Carrier {
		return nil
	}
	return one(Warning, "a program is attached, and has read no packet; "+packets(d.Stats.TxDropped)+" dropped", "it hangs, does not look at the device, or has only begun", "restart the program: "+d.UsedBy())
}

// otherMACs looks for frames from the program to an address that nobody has.
func otherMACs(v *view) []Finding {
	d := v.device
	if d.Mode != netcfg.TAP || d.Stats.RxOtherHost == 0 || d.Master != "" {
		return nil
	}
	return one(Warning, fmt.Sprintf("the program sent %s to another Ethernet address than its own, %s", packets(d.Stats.RxOtherHost), d.MAC),
		"the host takes what is addressed to it: only a program that captures packets sees the others",
		"have the program ask for the address by ARP", "put the tap into a bridge: "+netcfg.Tunadm("set", d.Name, "--master", "BRIDGE").String())
}

// bridgeDown looks for a master that is switched off.
func bridgeDown(v *view) []Finding {
	m := v.network.Link(v.device.Master)
	if m == nil || m.Up {
		return nil
	}
	return one(Fault, netcfg.Escape(m.Name)+", which it is in, is down", "nothing that comes from the program goes any further", "ip link set dev "+netcfg.Word(m.Name)+" up")
}
