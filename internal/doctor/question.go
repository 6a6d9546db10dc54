package doctor

import (
	"net/netip"
	"slices"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/flow"
)

// question completes a packet with the protocol and the ports of the question.
func (v *view) question(p flow.Packet) flow.Packet {
	if v.From.IsValid() {
		p.From = v.From
	}
	if v.To.IsValid() {
		p.To = v.To
	}
	if v.Protocol != 0 {
		p.Protocol = v.Protocol
	}
	p.FromPort, p.ToPort = v.FromPort, v.ToPort
	return p
}

// fromHere reports whether the packet of the question is one of this host, and not of the program.
func (v *view) fromHere() bool { return v.To.IsValid() && (!v.From.IsValid() || v.isOwn(v.From)) }

// sentBy adds the user of the question, who sends the packet. No group of a user without a name is known: systemd and
// containers start the user's programs with the group 0.
func (v *view) sentBy(p flow.Packet) flow.Packet {
	if v.User == "" {
		return p
	}
	p.UID, p.Sender = v.person.ID.Number, true
	if groups := v.person.Groups; len(groups) > 0 {
		p.GID = groups[0]
	}
	return p
}

// courseTo returns the course of a packet from the program to an address.
func (v *view) courseTo(to netip.Addr) course {
	if v.isOwn(to) {
		return fromProgram
	}
	return through
}

// askedFrom returns the journey of the packet of the question, whose source is behind the device or another port of its
// bridge. A packet between two hosts of one bridge is forwarded as a frame.
func (v *view) askedFrom(back flow.Packet) *journey {
	p := v.question(back)
	j := &journey{view: v, packet: p, course: v.courseTo(p.To)}
	if j.course == fromProgram || !v.bridgePort() || !v.framed(p) {
		return j
	}
	d := v.device
	j.packet.In, j.packet.InIndex, j.packet.Bridge = d.Name, d.Index, d.Master
	at := v.portOf(p.From)
	if j.course = bridged; at != 0 && at != d.Index || v.portOf(p.To) == d.Index {
		j.course = toPort
		j.packet.In, j.packet.InIndex, j.packet.Out, j.packet.OutIndex = "", 0, d.Name, d.Index
	}
	return j
}

// framed reports whether a packet from behind a port of the bridge is forwarded as a frame: as it was seen, or because
// its destination is in the network of the bridge.
func (v *view) framed(p flow.Packet) bool {
	bridge := v.layer3()
	if v.heard != nil && v.heard.ToMAC != [6]byte{} {
		return !slices.Equal(v.heard.ToMAC[:], bridge.MAC)
	}
	way, err := v.host.Find(flow.Packet{To: p.To})
	return err == nil && way.Refusal == 0 && way.Index == bridge.Index && !way.Via.IsValid()
}

// portOf returns the index of the port of the bridge behind which a host was seen; 0: none is known.
func (v *view) portOf(host netip.Addr) int {
	bridge := v.layer3()
	for _, n := range v.host.Neighbours(bridge.Index) {
		behind := func(f evidence.Neighbour) bool {
			return f.Bridge == bridge.Index && !f.Permanent() && len(f.MAC) > 0 && slices.Equal(f.MAC, n.MAC)
		}
		known := v.host.Frames(bridge.Index)
		if i := slices.IndexFunc(known, behind); n.To == host && i >= 0 {
			return known[i].Index
		}
	}
	return 0
}
