package doctor

import (
	"net/netip"
	"slices"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/firewall"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/netcfg"
)

// A stage is one place on the way of a packet. Its function returns an OK finding if the packet passes, an Unknown one
// if that cannot be known, and otherwise why the packet is dropped; nil if the stage is not on this way.
type stage struct {
	name string
	look func(*journey) []Finding
}

// A journey is a packet on its way to or from the program that is attached to the device.
type journey struct {
	*view
	packet flow.Packet
	course course
	part   netip.Prefix // the network of the device to which the destination of a packet of this host belongs
	walk   *walk        // the way through the firewall; nil: not begun
	walk6  *walk        // that of an IPv6 frame
	rules  []string     // of the firewall, which have changed where the packet goes

	at      *netcfg.Device       // the link of the other host; nil: the packet is from or to the device alone
	leads   *firewall.Verdict    // the rule that leads it from outside to the program; nil: none
	socket  *evidence.Socket     // a socket of a program on this host; nil: the packet is a typical one
	taken   *evidence.Connection // of the packet, that a rule leads elsewhere; nil: none is known
	refused bool                 // by the firewall, the packet or the answer to it, and this was reported
	shut    bool                 // the firewall drops it, and no program listens on its port
}

// A course is one of the kernel's ways for a packet of the device.
type course uint8

const (
	toProgram   course = iota // from this host to the program
	fromProgram               // from the program to this host
	through                   // from the program, through this host, to another host
	toPort                    // from another port of the bridge, as a frame, to the program
	bridged                   // from the program, as a frame, to another port of the bridge
	written                   // from the program to this host, whatever the packet is
	inward                    // from another host, through this host, to the program
	carriedIn                 // from another host to a socket of the program itself
	carriedOut                // from a socket of the program itself to another host
)

// stages returns the places that a packet passes on a course, in the kernel's order.
func (c course) stages() []stage {
	switch c {
	case toProgram:
		return slices.Concat(outputStages(), transmitStages())
	case fromProgram:
		return slices.Concat(receiveStages(), inputStages())
	case through:
		return slices.Concat(receiveStages(), forwardStages())
	case toPort:
		return slices.Concat(egressStages(), transmitStages())
	case written:
		return writtenStages()
	case inward:
		return inwardStages()
	case carriedIn:
		return carriedInStages()
	case carriedOut:
		return carriedOutStages()
	}
	return slices.Concat(receiveStages(), bridgeStages())
}

// follow lets each packet of the question, or those that are typical for the device, pass the stages. A finding of
// several packets is found once; the trail has them all, except those that pass in a direction that nobody asked about.
// A packet that is surely dropped goes no further.
func (v *view) follow() (found, trail []Finding) { return v.travel(v.journeys()) }

func (v *view) travel(all []*journey) (found, trail []Finding) {
	for _, j := range all {
		for i := 0; i < len(j.course.stages()); i++ { // a firewall may change the course
			s := j.course.stages()[i]
			answers := v.complete(s.name, s.look(j))
			for _, f := range answers {
				f = j.because(s.name, f)
				f.Way = j.String()
				if f.Level <= Warning || !v.demanded() || !j.beside(all) {
					trail = append(trail, f)
				}
				if !slices.ContainsFunc(found, f.same) {
					found = append(found, f)
				}
			}
			if slices.ContainsFunc(answers, func(f Finding) bool { return f.Level == Error }) {
				break
			}
		}
	}
	return found, trail
}

// beside reports whether all packets with addresses of these journeys go in the other direction. Such a packet is that
// of the question.
func (j *journey) beside(all []*journey) bool {
	asked := false
	for _, o := range all {
		if o.packet.To.IsValid() {
			if asked = true; o.course.toProgram() == j.course.toProgram() {
				return false
			}
		}
	}
	return asked
}

// toProgram reports whether the packets of a course go to the program.
func (c course) toProgram() bool {
	return slices.Contains([]course{toProgram, toPort, inward, carriedIn}, c)
}

// String returns the course and the packet.
func (j *journey) String() string {
	course := [...]string{
		toProgram: "to the program", fromProgram: "from the program", through: "from the program to other hosts",
		toPort: "from other ports of the bridge", bridged: "to other ports of the bridge",
		written: "from the program to this host", inward: "from other hosts to the program",
		carriedIn: "to a socket of the program", carriedOut: "from a socket of the program",
	}[j.course]
	if j.frame() || j.course == written {
		return course
	}
	return course + ": " + j.packet.String()
}

// same reports whether two findings are equal for the reader.
func (f Finding) same(o Finding) bool {
	return f.Check == o.Check && f.Level == o.Level && f.Device == o.Device && f.What == o.What
}

// journeys returns the packets to examine: the one of the question, or one between this host and each network of the
// device, in both directions, and one from there to each network behind another link.
func (v *view) journeys() (all []*journey) {
	d := v.device
	layer3 := v.layer3()
	add := func(c course, p flow.Packet) { all = append(all, &journey{view: v, packet: p, course: c}) }
	add(written, flow.Packet{})
	if j := v.askedInward(); j != nil {
		return append(all, j)
	}
	ends := v.endpoints(layer3)
	for _, a := range ends {
		ping := flow.Packet{From: a.own, To: a.other, Protocol: echo(a.own), Size: 84, Mark: a.keys.Mark,
			UID: a.keys.UID, OutIndex: a.keys.OutIndex}
		to := func(p flow.Packet) {
			all = append(all, &journey{view: v, packet: p, course: toProgram, part: a.part})
		}
		back := flow.Packet{From: a.other, To: a.own, Protocol: ping.Protocol, Size: 84, In: layer3.Name,
			InIndex: layer3.Index}
		switch {
		case v.From.IsValid() && v.From == a.other:
			all = append(all, v.askedFrom(back))
		case v.From.IsValid() && !v.isOwn(v.From):
			// another network of the device has it
		case v.To.IsValid():
			to(v.sentBy(v.question(ping)))
		default:
			to(ping)
			add(fromProgram, back)
			for _, far := range v.farHosts(layer3, a.own.Is6()) {
				on := back
				on.To = far
				add(through, on)
			}
		}
	}
	if !v.explicit() {
		all = slices.Concat(all, v.services(ends), v.inward(ends), v.carriers())
	}
	if d.MasterKind == "bridge" && !slices.ContainsFunc(all, (*journey).frame) {
		add(toPort, flow.Packet{Out: d.Name, OutIndex: d.Index, Bridge: d.Master})
		add(bridged, flow.Packet{In: d.Name, InIndex: d.Index, Bridge: d.Master})
	}
	return all
}

// layer3 returns the link that has the addresses for packets of the device: itself, or its bridge.
func (v *view) layer3() *netcfg.Device {
	if m := v.link(v.device.Master); m != nil && v.device.MasterKind == "bridge" {
		return m
	}
	return v.device
}

// farHosts returns an address behind each other link that is up, to which a program may send through this host, and one
// of an unknown network if another link leads there, or if these are none. It leaves out links that only carry the
// packets of the device, unless there is no other.
func (v *view) farHosts(layer3 *netcfg.Device, ipv6 bool) (all []netip.Addr) {
	const most = 4
	chosen := map[int]bool{v.device.Index: true, layer3.Index: true}
	var below []netip.Addr
	for l, a := range v.otherLinks(ipv6, nil) {
		switch to := target(a); {
		case !to.IsValid():
		case v.onlyCarries(l, ipv6):
			below = append(below, to)
		default:
			all, chosen[l.Index] = append(all, to), true
		}
		if len(all) == most {
			break
		}
	}
	if len(all) == 0 {
		all = below
	}
	way, err := v.host.Find(flow.Packet{To: unknownHost(ipv6)})
	if len(all) == 0 || err == nil && way.Refusal == 0 && !way.Local() && !chosen[way.Index] {
		all = append(all, unknownHost(ipv6))
	}
	return all
}

// echo returns the protocol of ping(8) for the family of an address.
func echo(ip netip.Addr) uint8 {
	if ip.Is6() {
		return 58
	}
	return 1
}

// frames reports whether the device carries Ethernet frames.
func (v *view) frames() bool { return v.device.Mode == link.TAP }
