package evidence

import (
	"slices"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/link"
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

// A Port is a port of a bridge, as bridge(8) shows it.
type Port struct {
	Index, Bridge  int // of the links
	MAC            link.MAC
	MTU            int
	Up, Carrier    bool
	State          uint8
	Isolated       bool
	Learning       bool
	Flood          bool // of unicast frames to an unknown MAC address
	FloodMulticast bool
	FloodBroadcast bool
	Locked         bool
	Guard          bool // BPDU guard
	AnswersARP     bool // the bridge answers ARP requests for hosts behind the port (proxyarp, neigh_suppress)
	VLANs          []VLAN
}

// Shares reports whether two ports are in one VLAN.
func (p *Port) Shares(o *Port) bool {
	return slices.ContainsFunc(p.VLANs, func(a VLAN) bool {
		return slices.ContainsFunc(o.VLANs, func(b VLAN) bool { return a.ID == b.ID })
	})
}

// A VLAN is one that a port or a bridge is a member of.
type VLAN struct {
	ID             uint16
	PVID, Untagged bool
}

// A Bridge is the settings of a bridge.
type Bridge struct {
	STP, VLANFiltering, MulticastSnooping bool
	CallIPTables, CallIP6Tables           bool          // nf_call_iptables of this bridge
	ForwardDelay                          uint32        // hundredths of a second
	Querier6                              bool          // the bridge itself or a router sends MLD queries
	QueryResponse                         time.Duration // in which hosts answer them
}

// Ports returns all ports of bridges by the index of the link, and the bridges themselves with their VLANs.
func (h *Host) Ports() map[int]*Port {
	if h.ports == nil {
		h.ports = map[int]*Port{}
		ask := rtnl.Request(unix.RTM_GETLINK, unix.NLM_F_DUMP, nl.NewIfInfomsg(unix.AF_BRIDGE),
			nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(nl.RTEXT_FILTER_BRVLAN)))
		ports, _ := rtnl.Dump(h.socket, ask, decodePort)
		for i, p := range ports {
			h.ports[p.Index] = &ports[i]
		}
	}
	return h.ports
}

// ForgetPorts makes Ports read them again.
func (h *Host) ForgetPorts() { h.ports = nil }

func decodePort(body []byte) (p Port, ok bool) {
	if len(body) < unix.SizeofIfInfomsg {
		return p, false
	}
	flags := rtnl.Uint32(body[8:])
	p.Index, p.Up, p.Carrier = int(rtnl.Uint32(body[4:])), flags&unix.IFF_UP != 0, flags&unix.IFF_LOWER_UP != 0
	for kind, value := range rtnl.Attributes(body[unix.SizeofIfInfomsg:]) {
		switch kind {
		case unix.IFLA_MASTER:
			p.Bridge = int(rtnl.Uint32(value))
		case unix.IFLA_MTU:
			p.MTU = int(rtnl.Uint32(value))
		case unix.IFLA_ADDRESS:
			p.MAC = append(link.MAC{}, value...)
		case unix.IFLA_PROTINFO:
			p.decode(value)
		case unix.IFLA_AF_SPEC:
			p.VLANs = decodeVLANs(value)
		}
	}
	return p, true
}

func (p *Port) decode(properties []byte) {
	switches := map[uint16]*bool{
		nl.IFLA_BRPORT_ISOLATED: &p.Isolated, nl.IFLA_BRPORT_LEARNING: &p.Learning,
		nl.IFLA_BRPORT_UNICAST_FLOOD: &p.Flood, nl.IFLA_BRPORT_MCAST_FLOOD: &p.FloodMulticast,
		nl.IFLA_BRPORT_BCAST_FLOOD: &p.FloodBroadcast, nl.IFLA_BRPORT_LOCKED: &p.Locked, nl.IFLA_BRPORT_GUARD: &p.Guard,
	}
	for kind, value := range rtnl.Attributes(properties) {
		if len(value) != 1 {
			continue
		}
		switch kind {
		case nl.IFLA_BRPORT_STATE:
			p.State = value[0]
		case nl.IFLA_BRPORT_PROXYARP, nl.IFLA_BRPORT_PROXYARP_WIFI, nl.IFLA_BRPORT_NEIGH_SUPPRESS:
			p.AnswersARP = p.AnswersARP || value[0] != 0
		default:
			if to := switches[kind]; to != nil {
				*to = value[0] != 0
			}
		}
	}
}

// decodeVLANs reads each struct bridge_vlan_info.
func decodeVLANs(spec []byte) (all []VLAN) {
	const pvid, untagged = 1 << 1, 1 << 2 // BRIDGE_VLAN_INFO_*
	for kind, value := range rtnl.Attributes(spec) {
		if kind != nl.IFLA_BRIDGE_VLAN_INFO || len(value) < 4 {
			continue
		}
		flags := rtnl.Uint16(value)
		all = append(all, VLAN{ID: rtnl.Uint16(value[2:]), PVID: flags&pvid != 0, Untagged: flags&untagged != 0})
	}
	return all
}

// Bridge returns the settings of a bridge, or nil if the link is none.
func (h *Host) Bridge(index int) (found *Bridge) {
	h.link(index, func(kind uint16, value []byte) {
		if kind != unix.IFLA_LINKINFO {
			return
		}
		for kind, value := range rtnl.Attributes(value) {
			if kind == unix.IFLA_INFO_DATA {
				found = decodeBridge(value)
			}
		}
	})
	return found
}

func decodeBridge(properties []byte) *Bridge {
	b := &Bridge{}
	for kind, value := range rtnl.Attributes(properties) {
		on := len(value) > 0 && value[0] != 0
		switch kind {
		case nl.IFLA_BR_STP_STATE:
			b.STP = rtnl.Uint32(value) != 0
		case nl.IFLA_BR_FORWARD_DELAY:
			b.ForwardDelay = rtnl.Uint32(value)
		case nl.IFLA_BR_VLAN_FILTERING:
			b.VLANFiltering = on
		case nl.IFLA_BR_MCAST_SNOOPING:
			b.MulticastSnooping = on
		case nl.IFLA_BR_MCAST_QUERY_RESPONSE_INTVL:
			b.QueryResponse = time.Duration(rtnl.Uint32(value)) * clockTick
		case nl.IFLA_BR_MCAST_QUERIER:
			b.Querier6 = b.Querier6 || on
		case unix.IFLA_BR_MCAST_QUERIER_STATE:
			b.Querier6 = b.Querier6 || otherQuerier6(value)
		case nl.IFLA_BR_NF_CALL_IPTABLES:
			b.CallIPTables = on
		case nl.IFLA_BR_NF_CALL_IP6TABLES:
			b.CallIP6Tables = on
		}
	}
	return b
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
