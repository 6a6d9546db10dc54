package doctor

import (
	"errors"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/firewall"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/netcfg"
)

// A wall is the firewall of the network namespace, or why it cannot be read.
type wall struct {
	rules *firewall.Ruleset
	err   error
}

// wall returns the firewall. It is read once.
func (v *view) wall() *wall {
	if v.rules == nil {
		v.rules = &wall{}
		if v.rules.rules, v.rules.err = firewall.Read(); v.rules.err == nil {
			r := v.rules.rules
			r.Link, r.Route, r.Own = v.linkFacts, v.wayBack, v.isOwn
		}
	}
	return v.rules
}

// close closes the firewall.
func (w *wall) close() {
	if w != nil && w.rules != nil {
		w.rules.Close()
	}
}

// linkFacts returns what firewall rules ask about a link.
func (v *view) linkFacts(index int) firewall.Link {
	l := v.byIndex(index)
	if l == nil {
		return firewall.Link{}
	}
	facts := firewall.Link{Name: l.Name, Kind: l.Kind, Tun: l.Kind == "tun" && l.Mode == link.TUN}
	for _, a := range own(l) {
		facts.Addresses = append(facts.Addresses, a.Local)
	}
	return facts
}

// wayBack returns the index of the link through which the kernel sends packets to the source of a packet.
func (v *view) wayBack(p flow.Packet) (index int, known bool) {
	way, err := v.host.Find(flow.Packet{To: p.From, Mark: p.Mark})
	if err != nil || way.Refusal != 0 || way.Local() {
		return 0, err == nil
	}
	return way.Index, true
}

// hooks returns a stage in which the packet passes hooks of the firewall.
func hooks(at ...firewall.Hook) func(*journey) []Finding {
	return func(j *journey) []Finding {
		if j.walk == nil {
			p, known := j.located(j.packet)
			if !known {
				return nil
			}
			j.walk = &walk{packet: p, narrow: j.narrow(), heard: j.view.heard != nil}
		}
		if found := j.pass(j.walk, at); !passes(found) || !j.frame() || !j.bridgeCalls(true) {
			return found
		}
		return j.pass(j.inIPv6(), at)
	}
}

// answers returns a stage in which the answer to the packet passes hooks of the firewall.
func answers(at ...firewall.Hook) func(*journey) []Finding {
	return func(j *journey) []Finding {
		back := j.walkBack()
		if back == nil || j.walk != nil && j.walk.dropped {
			return nil
		}
		return j.pass(back, at)
	}
}

// walkBack begins the way of the answer to the packet; nil if the packet has no way.
func (j *journey) walkBack() *walk {
	p, known := j.located(j.packet)
	if !known || j.wall().err != nil {
		return nil
	}
	p.From, p.To, p.FromPort, p.ToPort = p.To, p.From, p.ToPort, p.FromPort
	if p.From == broadcast {
		p.From, p.To = j.addressFor(p.To), broadcast
	}
	p.FromMAC, p.ToMAC = p.ToMAC, p.FromMAC
	if j.course == through {
		p.FromMAC, p.ToMAC = [6]byte{}, [6]byte{}
	}
	p.In, p.Out, p.InIndex, p.OutIndex = p.Out, p.In, p.OutIndex, p.InIndex
	p.Established, p.Mark = true, 0
	return &walk{packet: p, answer: true, narrow: j.narrow(), heard: j.view.heard != nil,
		steps: j.wall().rules.Walk(p)}
}

// A walk is the way of a packet through the firewall.
type walk struct {
	packet  flow.Packet
	answer  bool // it answers the packet of the journey
	narrow  bool // a fix is for the port of the packet alone
	heard   bool // the packet was seen just now
	dropped bool // and this was reported
	steps   *firewall.Walk
}

// pass lets a packet pass hooks, up to the first that drops it.
func (j *journey) pass(w *walk, at []firewall.Hook) (found []Finding) {
	wall := j.wall()
	switch {
	case errors.Is(wall.err, unix.EPERM):
		return one(Unknown, "the firewall was not read: this requires CAP_NET_ADMIN", "")
	case wall.err != nil:
		return one(Unknown, "the firewall was not read: "+wall.err.Error(), "")
	case len(wall.rules.Unread) > 0:
		found = one(Unknown, "tables of iptables-legacy were not read: "+strings.Join(wall.rules.Unread, ", "), "")
	}
	if wall.rules.Empty() {
		return found
	}
	if w.steps == nil {
		w.steps = wall.rules.Walk(w.packet)
	}
	for _, h := range at {
		if !j.meets(w, h) {
			continue
		}
		j.place(w, h)
		if drops := w.steps.Drops(h); len(drops) > 0 {
			found = append(found, j.dropped(w, h, drops)...)
			if drops[0].Action > firewall.MayDrop {
				break
			}
		}
		found = append(found, j.strangers(w, h)...)
	}
	if len(found) == 0 {
		return ok("the firewall passes " + w.packet.String())
	}
	return found
}

// bridgePort reports whether the device is a port of a bridge.
func (v *view) bridgePort() bool { return v.device.MasterKind == "bridge" }

// meets reports whether the packet comes to a hook: those of bridges are for ports, and the IP hooks see frames only if
// br_netfilter passes them on.
func (j *journey) meets(w *walk, h firewall.Hook) bool {
	frame := j.frame()
	switch {
	case h >= firewall.BridgePrerouting:
		return j.bridgePort() && (!frame || !w.packet.IPv6())
	case frame && h != firewall.Ingress && h != firewall.Egress:
		return j.bridgeCalls(w.packet.IPv6())
	}
	return true
}

// bridgeCalls reports whether br_netfilter passes frames of the bridge on to the IP hooks.
func (j *journey) bridgeCalls(ipv6 bool) bool {
	b := j.host.Bridge(j.device.MasterIndex())
	name, own := "bridge/bridge-nf-call-iptables", b != nil && b.CallIPTables
	if ipv6 {
		name, own = "bridge/bridge-nf-call-ip6tables", b != nil && b.CallIP6Tables
	}
	value, loaded := evidence.Sysctl(name)
	return loaded && (value == "1" || own)
}

// place makes the packet arrive or leave through the port at the hooks of frames, and through the bridge at the others.
func (j *journey) place(w *walk, h firewall.Hook) {
	if !j.bridgePort() {
		return
	}
	frame := h >= firewall.BridgePrerouting || h == firewall.Ingress || h == firewall.Egress
	bridge, d := j.layer3(), j.device
	at := func(name string, index int) (string, int) {
		switch {
		case frame && name == bridge.Name:
			return d.Name, d.Index
		case !frame && j.frame() && name != "":
			return bridge.Name, bridge.Index
		}
		return name, index
	}
	w.steps.In, w.steps.InIndex = at(w.packet.In, w.packet.InIndex)
	w.steps.Out, w.steps.OutIndex = at(w.packet.Out, w.packet.OutIndex)
	w.steps.Bridge = d.Master
}

// frame reports whether the packet is forwarded as a frame.
func (j *journey) frame() bool { return j.course == bridged || j.course == toPort }

// located adds the devices to a packet. It is false if the packet has no way out.
func (j *journey) located(p flow.Packet) (flow.Packet, bool) {
	at := j.layer3()
	p.FromMAC, p.ToMAC = j.hardware(p)
	switch j.course {
	case toProgram:
		p.Out, p.OutIndex = at.Name, at.Index
	case inward:
		p.Out, p.OutIndex = at.Name, at.Index
	case through:
		way, err := j.host.Find(p)
		if err != nil || way.Refusal != 0 || way.Local() {
			return p, false
		}
		if out := j.byIndex(way.Index); out != nil {
			p.Out, p.OutIndex = out.Name, out.Index
		}
	case bridged, toPort:
		other := j.otherPort()
		if other == nil {
			return p, false
		}
		if j.course == bridged {
			p.Out, p.OutIndex = other.Name, other.Index
		} else {
			p.In, p.InIndex = other.Name, other.Index
		}
		if !p.To.IsValid() {
			p.To = netip.IPv4Unspecified()
		}
	}
	return p, true
}

// otherPort returns another port of the bridge, or nil.
func (v *view) otherPort() *netcfg.Device {
	for l := range v.siblings() {
		if l.Up {
			return l
		}
	}
	return nil
}
