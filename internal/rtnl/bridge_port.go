package rtnl

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A VLAN is one that a port of a bridge is a member of.
type VLAN struct {
	ID             uint16
	PVID, Untagged bool
}

// flags of struct bridge_vlan_info
const (
	vlanPVID     = 1 << 1
	vlanUntagged = 1 << 2
)

// A Port is a port of a bridge, or a bridge itself, as bridge(8) shows it.
type Port struct {
	Index, Bridge  int // of the links
	MAC            link.MAC
	MTU            int // bytes
	Up, Carrier    bool
	State          uint8    // BR_STATE_*
	Settings       Settings // those of a port
	FloodMulticast bool
	FloodBroadcast bool
	Locked         bool
	Guard          bool // BPDU guard
	AnswersARP     bool // the bridge answers ARP requests for hosts behind the port (proxyarp, neigh_suppress)
	GroupForward   int  // group_fwd_mask of the port: the link-local groups that it forwards
	VLANs          []VLAN
}

// AskBridgePorts returns a request for all ports of bridges, which [Port.Unmarshal] reads. Bridges answer, too.
func AskBridgePorts() *nl.NetlinkRequest {
	return Request(unix.RTM_GETLINK, unix.NLM_F_DUMP, nl.NewIfInfomsg(unix.AF_BRIDGE),
		nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(nl.RTEXT_FILTER_BRVLAN)))
}

// PortVLANs returns the VLANs of all ports of bridges by the index of the link. The map is nil if the kernel does not
// filter VLANs: if no port or bridge has one.
func PortVLANs(s *Socket) (all map[int][]VLAN, err error) {
	_, err = Dump(s, AskBridgePorts(), func(body []byte) (p Port, ok bool) {
		if p.Unmarshal(body) && len(p.VLANs) > 0 {
			if all == nil {
				all = map[int][]VLAN{}
			}
			all[p.Index] = p.VLANs
		}
		return p, false
	})
	if err == unix.EOPNOTSUPP {
		return nil, nil
	}
	return all, err
}

// Unmarshal reads the body of a message. It returns false if the body is too short for a header.
func (p *Port) Unmarshal(body []byte) bool {
	if len(body) < unix.SizeofIfInfomsg {
		return false
	}
	flags := Uint32(body[8:])
	*p = Port{Index: int(Uint32(body[4:])), Up: flags&unix.IFF_UP != 0, Carrier: flags&unix.IFF_LOWER_UP != 0}
	for kind, value := range Attributes(body[unix.SizeofIfInfomsg:]) {
		switch kind {
		case unix.IFLA_MASTER:
			p.Bridge = int(Uint32(value))
		case unix.IFLA_MTU:
			p.MTU = int(Uint32(value))
		case unix.IFLA_ADDRESS:
			p.MAC = append(link.MAC{}, value...)
		case unix.IFLA_PROTINFO:
			p.Settings.unmarshal(value, true)
			p.unmarshalSwitches(value)
		case unix.IFLA_AF_SPEC:
			p.unmarshalVLANs(value)
		}
	}
	return true
}

func (p *Port) unmarshalSwitches(properties []byte) {
	switches := map[uint16]*bool{
		nl.IFLA_BRPORT_MCAST_FLOOD: &p.FloodMulticast, nl.IFLA_BRPORT_BCAST_FLOOD: &p.FloodBroadcast,
		nl.IFLA_BRPORT_LOCKED: &p.Locked, nl.IFLA_BRPORT_GUARD: &p.Guard, nl.IFLA_BRPORT_PROXYARP: &p.AnswersARP,
		nl.IFLA_BRPORT_PROXYARP_WIFI: &p.AnswersARP, nl.IFLA_BRPORT_NEIGH_SUPPRESS: &p.AnswersARP,
	}
	for kind, value := range Attributes(properties) {
		switch to := switches[kind]; {
		case kind == nl.IFLA_BRPORT_GROUP_FWD_MASK:
			p.GroupForward = int(Uint16(value))
		case len(value) != 1:
		case kind == nl.IFLA_BRPORT_STATE:
			p.State = value[0]
		case to != nil:
			*to = *to || value[0] != 0
		}
	}
}

func (p *Port) unmarshalVLANs(spec []byte) {
	for kind, value := range Attributes(spec) {
		if kind == nl.IFLA_BRIDGE_VLAN_INFO && len(value) >= 4 {
			flags := Uint16(value)
			p.VLANs = append(p.VLANs, VLAN{ID: Uint16(value[2:]), PVID: flags&vlanPVID != 0,
				Untagged: flags&vlanUntagged != 0})
		}
	}
}

// NewPort returns the VLANs of a new port of a bridge with this default PVID: 0 is none, and nil is that of a new
// bridge.
func NewPort(pvid *int) []VLAN {
	id := VLANDefaultPVID.New()
	if pvid != nil {
		id = *pvid
	}
	if id == 0 {
		return []VLAN{}
	}
	return []VLAN{{ID: uint16(id), PVID: true, Untagged: true}}
}

// Members returns the VLANs of a port that has those of have, with another PVID and other tagged VLANs. Nil leaves them
// as they are; a PVID of 0 is none.
func Members(have []VLAN, pvid *int, tagged *[]int) (all []VLAN) {
	for _, v := range have {
		asked := map[bool]bool{true: pvid != nil, false: tagged != nil}[v.PVID]
		taken := pvid != nil && v.ID == uint16(*pvid)
		if !asked && !taken {
			all = append(all, v)
		}
	}
	if pvid != nil && *pvid != 0 {
		all = append(all, VLAN{ID: uint16(*pvid), PVID: true, Untagged: true})
	}
	if tagged != nil {
		for _, id := range *tagged {
			all = append(all, VLAN{ID: uint16(id)})
		}
	}
	return all
}

// Membership returns the PVID and the tagged VLANs that make a new port have the VLANs of a list, nil if they are those
// of a new port of a bridge with this default PVID, or if the list is nil. Odd says in sentences which VLANs are only
// one of PVID and untagged.
func Membership(list []VLAN, ofBridge *int) (pvid *int, tagged *[]int, odd []string) {
	if list == nil || slices.Equal(list, NewPort(ofBridge)) {
		return nil, nil, nil
	}
	pvid = new(int)
	var all []int
	for _, v := range list {
		if v.PVID {
			*pvid = int(v.ID)
		} else {
			all = append(all, int(v.ID))
		}
		if v.PVID != v.Untagged {
			odd = append(odd, fmt.Sprintf("VLAN %d is only one of pvid and untagged", v.ID))
		}
	}
	if len(all) > 0 {
		tagged = &all
	}
	return pvid, tagged, odd
}

// Change returns the request to add the VLAN to a port, or to remove it. Adding it once more changes its flags.
func (v VLAN) Change(port int, remove bool) *nl.NetlinkRequest {
	msg := nl.NewIfInfomsg(unix.AF_BRIDGE)
	msg.Index = int32(port)
	raw := make([]byte, 4)
	flags := uint16(0)
	if v.PVID {
		flags |= vlanPVID
	}
	if v.Untagged {
		flags |= vlanUntagged
	}
	binary.NativeEndian.PutUint16(raw, flags)
	binary.NativeEndian.PutUint16(raw[2:], v.ID)
	spec := nl.NewRtAttr(unix.IFLA_AF_SPEC, nil)
	spec.AddRtAttr(nl.IFLA_BRIDGE_VLAN_INFO, raw)
	kind := unix.RTM_SETLINK
	if remove {
		kind = unix.RTM_DELLINK
	}
	return Request(kind, unix.NLM_F_ACK, msg, spec)
}

// Words returns the VLAN as bridge vlan add accepts it.
func (v VLAN) Words() string {
	words := fmt.Sprintf("vid %d", v.ID)
	if v.PVID {
		words += " pvid"
	}
	if v.Untagged {
		words += " untagged"
	}
	return words
}
