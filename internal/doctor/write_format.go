package doctor

import (
	"fmt"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/netcfg"
)

// writtenStages are the places between the program that writes a packet and the network stack, whatever the packet is.
func writtenStages() []stage {
	return []stage{
		{"format", format}, {"xdp", xdp}, {"tc-ingress", ingress}, {"header", header},
		{"checksum", checksum},
		{"advertisement", advertisement},
	}
}

// format finds writes that the driver refuses, and packets that the kernel cannot recognize: the program and the driver
// do not agree on the headers before a packet.
func format(j *journey) []Finding {
	d := j.device
	s, wrong := d.Stats, j.host.FrameErrors(d.Index)
	few := s.RxPackets == 0 && s.RxDropped <= fewWrites && !j.refusing
	switch {
	case wrong > 0:
		return counted(wrong, "the driver refused "+packets(wrong)+
			" of the program with a wrong virtio header (rx_frame_errors)", headers(d), j.formatFixes()...)
	case s.RxDropped == 0 || s.RxDropped*2 < s.RxPackets || !d.Up || !d.InUse():
		return ok("the kernel recognizes what the program writes")
	case few:
		return ok("the driver refused " + packets(s.RxDropped) + " of the program, perhaps while the device was down")
	case d.Mode == link.TUN && !d.PI:
		return counted(s.RxDropped, "the driver refused "+packets(s.RxDropped)+
			" of the program: they do not begin with an IPv4 or IPv6 header (rx_dropped)",
			headers(d)+"; it writes Ethernet frames, or a header before each packet: packet information (PI) or virtio",
			j.formatFixes()...)
	case s.RxPackets == 0:
		return nil // dropped by XDP, or out of memory
	case d.Mode == link.TUN:
		return counted(s.RxDropped, "the kernel dropped "+packets(s.RxDropped)+
			" of the program, whose packet information names no known protocol (rx_dropped)",
			headers(d)+"; it writes packets without these four bytes, or with a wrong protocol", j.formatFixes()...)
	}
	return counted(s.RxDropped, "the kernel dropped "+packets(s.RxDropped)+
		" of the program, whose Ethernet type is not known (rx_dropped)",
		headers(d)+"; it writes IP packets without an Ethernet header, or other headers before each frame",
		j.formatFixes()...)
}

// refusedMeanwhile finds writes that the driver has refused since the first look, when the device was up already.
func (v *view) refusedMeanwhile() []Finding {
	now, known := v.statsNow(v.device)
	if !known || !v.device.Up || now.RxDropped == v.device.Stats.RxDropped {
		return nil
	}
	before := v.device
	defer func() { v.device, v.refusing = before, false }()
	later := *before
	later.Stats = now
	v.device, v.refusing = &later, true
	return format(&journey{view: v, course: fromProgram})
}

// fewWrites is the number of packets that a program may write before its device is brought up.
const fewWrites = 3

// headers names the headers that the attached program has asked for.
func headers(d *netcfg.Device) string {
	text := "the program asked for %s"
	switch {
	case d.PI && d.VnetHdr:
		return fmt.Sprintf(text, "packet information (PI) and a virtio header (IFF_VNET_HDR)")
	case d.PI:
		return fmt.Sprintf(text, "packet information (PI, four bytes; no IFF_NO_PI)")
	case d.VnetHdr:
		return fmt.Sprintf(text, "a virtio header (IFF_VNET_HDR) and no packet information (IFF_NO_PI)")
	}
	return fmt.Sprintf(text, "no header (IFF_NO_PI)")
}

// formatFixes returns how to make the program and the driver agree.
func (j *journey) formatFixes() []fix.Fix {
	d := j.device
	switch {
	case d.PI:
		return []fix.Fix{fix.Sentence("make the program attach with IFF_NO_PI, or write the header: " +
			"two bytes of flags (0), two of the protocol, 0x0800 for IPv4 and 0x86DD for IPv6")}
	case d.VnetHdr:
		return []fix.Fix{fix.Sentence("make the program attach without IFF_VNET_HDR, or write a virtio header of " +
			"the size that it has set (TUNSETVNETHDRSZ), with zeros for a packet without offload")}
	case d.Mode == link.TUN:
		return []fix.Fix{fix.Sentence("make the program write IP packets without a header before them, " +
			"or use a tap for Ethernet frames")}
	}
	return []fix.Fix{fix.Sentence("make the program write Ethernet frames, or use a tun for IP packets")}
}

// counted returns an error that counters prove.
func counted(n uint64, what, means string, fixes ...fix.Fix) []Finding {
	return []Finding{{Level: Error, What: what, Means: means, counted: n, Fixes: fixes}}
}

// unreached returns how many packets of the program did not reach the IP layer, as the counters prove: all devices
// together have handed it fewer than this one received. Frames of a bridge port and ARP need not reach it.
func (v *view) unreached() uint64 {
	d := v.device
	if d.Mode != link.TUN || d.Master != "" {
		return 0
	}
	reached := v.host.Counter("snmp", "Ip", "InReceives") + v.host.Counter("snmp6", "", "Ip6InReceives")
	return d.Stats.RxPackets - min(d.Stats.RxPackets, reached)
}
