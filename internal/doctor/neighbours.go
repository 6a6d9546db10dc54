package doctor

import (
	"fmt"
	"slices"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/words"
)

// transmitStages are the places between the routing of a packet and the program that reads the device. Requests for a
// neighbour pass traffic control, so it comes first.
func transmitStages() []stage {
	return []stage{{"traffic-control", sentFilters}, {"queueing", queueing},
		{"neighbour-table", neighbourTable}, {"neighbour", neighbour}}
}

// neighbour finds a destination on a tap or its bridge whose MAC address the kernel does not know, or knows wrongly.
func neighbour(j *journey) []Finding {
	layer3, to := j.layer3(), j.packet.To
	if !j.frames() || !to.IsValid() || !j.device.Up || !j.device.Carrier {
		return nil
	}
	var all []evidence.Neighbour // of the destination's family, which may be behind the device
	var entry *evidence.Neighbour
	for _, n := range j.host.Neighbours(layer3.Index) {
		if n.To.Is6() != to.Is6() || n.To.IsMulticast() || !j.mayBeBehind(n) {
			continue
		}
		all = append(all, n)
		if n.To == to {
			entry = &all[len(all)-1]
		}
	}
	permanent := entry != nil && entry.Permanent()
	if j.host.WithoutARP(layer3.Index) && !permanent {
		return one(Error, "ARP and neighbour discovery are off on "+words.Escape(layer3.Name)+" (NOARP)",
			fmt.Sprintf("the kernel sends packets to %s to its own MAC address %s, so the receiver drops them", to,
				layer3.MAC),
			fix.Run(ip("link", "set", "dev", layer3.Name, "arp", "on"), ip("neigh", "flush", "dev", layer3.Name)))
	}
	for _, n := range all {
		if n.Permanent() && (n.To == to || !j.To.IsValid()) {
			if found := j.fixedNeighbour(n, all); found != nil {
				return found
			}
		}
	}
	if found := j.withoutGateway(layer3); found != nil {
		return found
	}
	switch {
	case entry == nil || permanent:
		return nil
	case entry.Unanswered():
		return j.unanswered(*entry, all)
	}
	return ok(fmt.Sprintf("the MAC address of %s is %s", to, entry.MAC))
}

// unanswered reports that nobody answers the requests for a neighbour, if nobody on the link answers any.
func (j *journey) unanswered(n evidence.Neighbour, all []evidence.Neighbour) []Finding {
	if slices.ContainsFunc(all, evidence.Neighbour.Confirmed) || len(j.otherPortsUp()) > 0 {
		return nil // a host that does not exist is not a fault of the device
	}
	protocol := "ARP"
	if n.To.Is6() {
		protocol = "neighbour discovery"
	}
	what := fmt.Sprintf("nobody behind it answers the %s requests for %s", protocol, n.To)
	if n.Asked > 0 {
		what += fmt.Sprintf(" (%d without an answer)", n.Asked)
	}
	wrote := "the program wrote " + packets(j.device.Stats.RxPackets)
	if j.device.VnetHdr && j.device.Stats.RxPackets == 0 {
		return one(Error, what, wrote+": it attached with a virtio header (IFF_VNET_HDR), and does not answer ARP, or "+
			"does not handle this header before each frame", fix.Sentence("make the program attach without "+
			"IFF_VNET_HDR, or handle the header; or make it answer "+protocol))
	}
	if j.device.Stats.RxPackets == 0 {
		second := ""
		if !j.device.MultiQueue {
			second = "; " + j.device.UsedBy() + ": another program gets \"device or resource busy\""
		}
		return one(Error, what, wrote+": it does not answer ARP or ignores Ethernet frames; a program for IP packets "+
			"requires a tun"+second, fix.Sentence("make the program answer "+protocol+", or use a tun; or stop it, "+
			"if it is not the right one"))
	}
	return one(Warning, what, wrote+", but none of them is the answer: it may use another address or VLAN",
		fix.Sentence("inspect its frames: tunadm dump does not read an attached device; tcpdump -eni "+
			words.Escape(j.device.Name)+" arp"))
}

// otherPortsUp returns the other ports of the bridge of the device that forward frames.
func (j *journey) otherPortsUp() (up []*evidence.Port) {
	p := j.host.Ports()[j.device.Index]
	if p == nil {
		return nil
	}
	return slices.DeleteFunc(j.otherPorts(p), func(o *evidence.Port) bool { return o.State != evidence.PortForwarding })
}

// fixedNeighbour finds a permanent entry that contradicts what the neighbours or the bridge say, or that no packet
// from the program confirms.
func (j *journey) fixedNeighbour(n evidence.Neighbour, all []evidence.Neighbour) []Finding {
	known := slices.Concat(all, j.host.Frames(0))
	confirms := func(o evidence.Neighbour) bool {
		return slices.Equal(o.MAC, n.MAC) && (o.Confirmed() || o.Bridge == j.layer3().Index)
	}
	others := slices.ContainsFunc(known, func(o evidence.Neighbour) bool {
		return (o.Index == n.Index || o.Index == j.device.Index) && !o.Permanent() && len(o.MAC) > 0
	})
	works := j.device.Stats.RxPackets > 0 || j.device.Stats.TxPackets == 0 // or nothing was sent yet
	if slices.ContainsFunc(known, confirms) || !others && works {
		return nil
	}
	return one(Warning, fmt.Sprintf("a permanent neighbour entry gives %s the MAC address %s, which was seen nowhere",
		n.To, n.MAC), fmt.Sprintf("the kernel does not ask for the address; the program read %s and wrote %d",
		packets(j.device.Stats.TxPackets), j.device.Stats.RxPackets),
		fix.Run(ip("neigh", "del", n.To.String(), "dev", j.layer3().Name)))
}
