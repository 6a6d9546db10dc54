package evidence

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/rtnl"
)

// The states of a bridge port (BR_STATE_*).
const (
	PortDisabled = iota
	PortListening
	PortLearning
	PortForwarding
	PortBlocking
)

// A Port is a port of a bridge, as bridge(8) shows it, with the switches among its settings.
type Port struct {
	rtnl.Port
	Isolated, Learning bool
	Flood              bool // of unicast frames to an unknown MAC address
}

// A VLAN is one that a port or a bridge is a member of.
type VLAN = rtnl.VLAN

// Shares reports whether two ports are in one VLAN.
func (p *Port) Shares(o *Port) bool {
	return slices.ContainsFunc(p.VLANs, func(a VLAN) bool {
		return slices.ContainsFunc(o.VLANs, func(b VLAN) bool { return a.ID == b.ID })
	})
}

// A Bridge is the settings of a bridge.
type Bridge struct {
	STP, VLANFiltering, MulticastSnooping bool
	CallIPTables, CallIP6Tables           bool          // nf_call_iptables of this bridge
	ForwardDelay                          int           // as rtnl.Settings has it
	Querier6                              bool          // the bridge itself or a router sends MLD queries
	QueryResponse                         time.Duration // in which hosts answer them
	GroupForward                          int           // group_fwd_mask: the link-local groups that it forwards
}

// Ports returns all ports of bridges by the index of the link, and the bridges themselves with their VLANs.
func (h *Host) Ports() map[int]*Port {
	if h.ports == nil {
		h.ports = map[int]*Port{}
		ports, _ := rtnl.Dump(h.socket, rtnl.AskBridgePorts(), func(body []byte) (p Port, ok bool) {
			ok = p.Unmarshal(body)
			on := p.Settings.On
			p.Isolated, p.Learning, p.Flood = on(rtnl.Isolated), on(rtnl.Learning), on(rtnl.Flood)
			return p, ok
		})
		for i, p := range ports {
			h.ports[p.Index] = &ports[i]
		}
	}
	return h.ports
}

// ForgetPorts makes Ports read them again.
func (h *Host) ForgetPorts() { h.ports = nil }

// Bridge returns the settings of a bridge, or nil if the link is none.
func (h *Host) Bridge(index int) (found *Bridge) {
	_ = h.socket.Do(rtnl.AskLink(unix.NLM_F_ACK, index, "", false), func(body []byte) {
		if l := (rtnl.Link{}); l.Unmarshal(body) && l.Kind == "bridge" {
			on := l.Settings.On
			found = &Bridge{STP: on(rtnl.STP), VLANFiltering: on(rtnl.VLANFiltering),
				MulticastSnooping: on(rtnl.MulticastSnooping), ForwardDelay: l.Settings.Value(rtnl.ForwardDelay),
				CallIPTables: l.CallIPTables, CallIP6Tables: l.CallIP6Tables}
			found.unmarshalProperties(body)
		}
	})
	return found
}

// WithoutARP reports whether a link resolves no addresses (NOARP).
func (h *Host) WithoutARP(index int) (off bool) {
	_ = h.socket.Do(rtnl.AskLink(unix.NLM_F_ACK, index, "", false), func(body []byte) {
		off = len(body) >= unix.SizeofIfInfomsg && rtnl.Uint32(body[8:])&unix.IFF_NOARP != 0
	})
	return off
}

// link asks for one link, and calls each for its attributes.
func (h *Host) link(index int, each func(kind uint16, value []byte)) {
	_ = h.socket.Do(rtnl.AskLink(unix.NLM_F_ACK, index, "", false), func(body []byte) {
		if len(body) < unix.SizeofIfInfomsg {
			return
		}
		for kind, value := range rtnl.Attributes(body[unix.SizeofIfInfomsg:]) {
			each(kind, value)
		}
	})
}
