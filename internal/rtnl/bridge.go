package rtnl

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A Setting is a setting of a bridge, or of a port of a bridge.
type Setting int

// The settings. Those of a bridge come first.
const (
	STP Setting = iota
	ForwardDelay
	Ageing
	VLANFiltering
	MulticastSnooping

	Isolated
	Learning
	Flood
	Cost
	Priority
	Hairpin

	settings
)

// Settings are values by their Setting. Times are in seconds, and switches are 0 or 1. Nil: not reported, or not asked
// for.
type Settings [settings]*int

// settingTable has the attribute of each Setting, its size in bytes, its unit as a part of the one of Settings, and its
// word in ip(8). Least and most are the bounds of the kernel. Usual are the values of a new bridge or port: the cost
// of a port follows its speed.
var settingTable = [settings]struct {
	word        string
	attribute   int
	size, part  int
	least, most int
	usual       []int
}{
	STP:               {"stp_state", nl.IFLA_BR_STP_STATE, 4, 1, 0, 1, []int{0}},
	ForwardDelay:      {"forward_delay", nl.IFLA_BR_FORWARD_DELAY, 4, 100, 0, 30, []int{15}},
	Ageing:            {"ageing_time", nl.IFLA_BR_AGEING_TIME, 4, 100, 0, 1_000_000, []int{300}},
	VLANFiltering:     {"vlan_filtering", nl.IFLA_BR_VLAN_FILTERING, 1, 1, 0, 1, []int{0}},
	MulticastSnooping: {"mcast_snooping", nl.IFLA_BR_MCAST_SNOOPING, 1, 1, 0, 1, []int{1}},
	Isolated:          {"isolated", nl.IFLA_BRPORT_ISOLATED, 1, 1, 0, 1, []int{0}},
	Learning:          {"learning", nl.IFLA_BRPORT_LEARNING, 1, 1, 0, 1, []int{1}},
	Flood:             {"flood", nl.IFLA_BRPORT_UNICAST_FLOOD, 1, 1, 0, 1, []int{1}},
	Cost:              {"cost", nl.IFLA_BRPORT_COST, 4, 1, 1, 65535, []int{2, 100}},
	Priority:          {"priority", nl.IFLA_BRPORT_PRIORITY, 2, 1, 0, 63, []int{32}},
	Hairpin:           {"hairpin", nl.IFLA_BRPORT_MODE, 1, 1, 0, 1, []int{0}},
}

// OfPort reports whether the setting is one of a port.
func (s Setting) OfPort() bool { return s >= Isolated }

// Bounds returns the smallest and the largest value that the kernel accepts.
func (s Setting) Bounds() (least, most int) { return settingTable[s].least, settingTable[s].most }

// Usual reports whether a new bridge or port has the value.
func (s Setting) Usual(value int) bool { return slices.Contains(settingTable[s].usual, value) }

// Words returns a value of the setting as ip link set accepts it after type bridge or type bridge_slave.
func (s Setting) Words(value int) string {
	row := settingTable[s]
	if s.OfPort() && row.most == 1 {
		return row.word + " " + map[bool]string{true: "on", false: "off"}[value != 0]
	}
	return fmt.Sprintf("%s %d", row.word, value*row.part)
}

// Data returns the attribute of a link request that changes the settings, those of a bridge or those of a port. It is
// nil if none of them is set.
func (l *Settings) Data(ofPort bool) *nl.RtAttr {
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	kind, data := nl.IFLA_INFO_KIND, nl.IFLA_INFO_DATA
	if ofPort {
		kind, data = nl.IFLA_INFO_SLAVE_KIND, nl.IFLA_INFO_SLAVE_DATA
	}
	info.AddRtAttr(kind, nl.NonZeroTerminated("bridge"))
	list, n := info.AddRtAttr(data, nil), 0
	for s, value := range l {
		if value == nil || Setting(s).OfPort() != ofPort {
			continue
		}
		row := settingTable[s]
		raw := make([]byte, 4)
		switch v := uint64(*value) * uint64(row.part); row.size {
		case 1:
			raw[0] = byte(v)
		case 2:
			binary.NativeEndian.PutUint16(raw, uint16(v))
		default:
			binary.NativeEndian.PutUint32(raw, uint32(min(v, math.MaxUint32)))
		}
		list.AddRtAttr(row.attribute, raw[:row.size])
		n++
	}
	if n == 0 {
		return nil
	}
	return info
}

// SetPort sets the settings of a port to those of another list.
func (l *Settings) SetPort(from *Settings) { copy(l[Isolated:], from[Isolated:]) }

// Value returns the value of a setting, and 0 if it is not reported.
func (l *Settings) Value(s Setting) int {
	if l[s] == nil {
		return 0
	}
	return *l[s]
}

// On reports whether a switch is reported and on.
func (l *Settings) On(s Setting) bool { return l.Value(s) != 0 }

// unmarshal reads the settings of a bridge, or those of a port.
func (l *Settings) unmarshal(data []byte, ofPort bool) {
	for kind, raw := range Attributes(data) {
		for s := range settings {
			row := settingTable[s]
			if s.OfPort() != ofPort || row.attribute != int(kind) || len(raw) != row.size {
				continue
			}
			value := 0
			switch row.size {
			case 1:
				value = int(raw[0])
			case 2:
				value = int(Uint16(raw))
			default:
				value = int(Uint32(raw)) / row.part
			}
			if row.most == 1 { // STP in user space is 2
				value = min(value, 1)
			}
			l[s] = &value
		}
	}
}

// NewBridge returns a request to create a bridge. An index of 0 lets the kernel choose; without an address, the kernel
// gives it that of its ports.
func NewBridge(name string, index int, address []byte) *nl.NetlinkRequest {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("bridge"))
	r := Request(unix.RTM_NEWLINK, unix.NLM_F_ACK|unix.NLM_F_CREATE|unix.NLM_F_EXCL, msg,
		nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)), info)
	if address != nil {
		r.AddData(nl.NewRtAttr(unix.IFLA_ADDRESS, address))
	}
	return r
}

// AskPorts returns a request for the links whose master has that index.
func AskPorts(master int) *nl.NetlinkRequest {
	return Request(unix.RTM_GETLINK, 0, nl.NewIfInfomsg(unix.AF_UNSPEC),
		nl.NewRtAttr(unix.IFLA_MASTER, nl.Uint32Attr(uint32(master))))
}
