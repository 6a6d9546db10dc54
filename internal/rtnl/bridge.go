package rtnl

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"github.com/tunadm/tunadm/internal/surroundings"
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
	VLANDefaultPVID
	MulticastSnooping

	Isolated
	Learning
	Flood
	Cost
	Priority
	Hairpin

	settings
)

// Settings are values by their Setting, in the unit of the kernel: times are in hundredths of a second, and switches
// are 0 or 1. Nil: not reported, or not asked for.
type Settings [settings]*int

// settingTable has the attribute of each Setting, its size in bytes, and its word in ip(8). A file has a setting in
// another unit, of which part units of the kernel are one, and from least to most: without STP the kernel accepts any
// delay, and on some architectures no time is longer than most. Usual is the value of a new bridge or port.
var settingTable = [settings]struct {
	word        string
	attribute   int
	size, part  int
	least, most int
	usual       int
}{
	STP:               {"stp_state", nl.IFLA_BR_STP_STATE, 4, 1, 0, 1, 0},
	ForwardDelay:      {"forward_delay", nl.IFLA_BR_FORWARD_DELAY, 4, 100, 0, 30, 1500},
	Ageing:            {"ageing_time", nl.IFLA_BR_AGEING_TIME, 4, 100, 0, 1_000_000, 30000},
	VLANFiltering:     {"vlan_filtering", nl.IFLA_BR_VLAN_FILTERING, 1, 1, 0, 1, 0},
	VLANDefaultPVID:   {"vlan_default_pvid", nl.IFLA_BR_VLAN_DEFAULT_PVID, 2, 1, 0, 4094, 1},
	MulticastSnooping: {"mcast_snooping", nl.IFLA_BR_MCAST_SNOOPING, 1, 1, 0, 1, 1},
	Isolated:          {"isolated", nl.IFLA_BRPORT_ISOLATED, 1, 1, 0, 1, 0},
	Learning:          {"learning", nl.IFLA_BRPORT_LEARNING, 1, 1, 0, 1, 1},
	Flood:             {"flood", nl.IFLA_BRPORT_UNICAST_FLOOD, 1, 1, 0, 1, 1},
	Cost:              {"cost", nl.IFLA_BRPORT_COST, 4, 1, 1, 65535, 2},
	Priority:          {"priority", nl.IFLA_BRPORT_PRIORITY, 2, 1, 0, 63, 32},
	Hairpin:           {"hairpin", nl.IFLA_BRPORT_MODE, 1, 1, 0, 1, 0},
}

// OfPort reports whether the setting is one of a port.
func (s Setting) OfPort() bool { return s >= Isolated }

// String returns the name of the setting in ip(8).
func (s Setting) String() string { return settingTable[s].word }

// Bounds returns the smallest and the largest value of the setting in a file.
func (s Setting) Bounds() (least, most int) { return settingTable[s].least, settingTable[s].most }

// Value returns a value in a file as one of Settings.
func (s Setting) Value(inFile int) int { return inFile * settingTable[s].part }

// Decimal returns a value of Settings in the unit of a file.
func (s Setting) Decimal(value int) string {
	return strconv.FormatFloat(float64(value)/float64(settingTable[s].part), 'f', -1, 64)
}

// usual reports whether a new bridge or port has the value. The cost of a port follows its speed: before Linux 6.2, a
// TUN/TAP device has 10 Mb/s, and since then 10 Gb/s.
func (s Setting) usual(value int) bool {
	if s == Cost && !surroundings.KernelSince(6, 2) {
		return value == 100
	}
	return value == settingTable[s].usual
}

// New returns the value of a setting that is not reported: that of a new bridge or port.
func (s Setting) New() int { return settingTable[s].usual }

// Unusual returns the settings that a new bridge or port does not have.
func (l Settings) Unusual() Settings {
	for i, value := range l {
		if value != nil && Setting(i).usual(*value) {
			l[i] = nil
		}
	}
	return l
}

// Words returns a value of the setting as ip link set accepts it after type bridge or type bridge_slave.
func (s Setting) Words(value int) string {
	row := settingTable[s]
	if s.OfPort() && row.most == 1 {
		return row.word + " " + map[bool]string{true: "on", false: "off"}[value != 0]
	}
	return fmt.Sprintf("%s %d", row.word, value)
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
		switch row.size {
		case 1:
			raw[0] = byte(*value)
		case 2:
			binary.NativeEndian.PutUint16(raw, uint16(*value))
		default:
			binary.NativeEndian.PutUint32(raw, uint32(*value))
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
				value = int(min(uint64(Uint32(raw)), math.MaxInt))
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
