package rtnl

import (
	"encoding/binary"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A Link is an RTM_NEWLINK or RTM_DELLINK message, as far as this program reads it.
type Link struct {
	Family byte // AF_UNSPEC, or AF_BRIDGE for what concerns a port only
	Index  int
	Flags  uint32 // IFF_*
	Name   string
	Kind   string // IFLA_INFO_KIND; "": hardware, or loopback
	Alias  string
	Qdisc  string // the name of the queueing discipline

	Address         []byte
	AltNames        []string
	MTU, TxQueueLen int
	Group           uint32
	Master          int // index; 0: none

	Carrier        bool
	CarrierUps     uint32 // how often the carrier was turned on
	CarrierChanges uint32 // how often it was turned on or off
	Leaves         bool   // the message announces that the link moves to another network namespace

	Counters [25]uint64 // struct rtnl_link_stats64; the last one since Linux 5.19
	Tun      Tun        // of a link of the kind "tun"
	Settings Settings   // of a bridge, or of a port of a bridge
	PortNo   uint16     // of a port of a bridge: in the order in which ports joined it
	Beyond   []string   // in sentences, the settings of a bridge or a port that Settings cannot express

	// ByTree has, for Settings of a bridge that the spanning tree determines, the reasons. The kernel does not report
	// what an administrator set.
	ByTree map[Setting]string

	CallIPTables, CallIP6Tables bool // of a bridge: its own nf_call_iptables
}

// A Tun is what the TUN/TAP driver reports of a device.
type Tun struct {
	Owner, Group                     *uint32 // nil: not set
	Type                             byte    // IFF_TUN or IFF_TAP
	PI, VnetHdr, Persist, MultiQueue bool
	Queues, DisabledQueues           int
}

// Unmarshal reads the body of a message. It returns false if the body is too short for a header.
func (l *Link) Unmarshal(body []byte) bool {
	if len(body) < unix.SizeofIfInfomsg {
		return false
	}
	*l = Link{Family: body[0], Index: int(Uint32(body[4:])), Flags: Uint32(body[8:])}
	for kind, value := range Attributes(body[unix.SizeofIfInfomsg:]) {
		switch kind {
		case unix.IFLA_IFNAME:
			l.Name = text(value)
		case unix.IFLA_ADDRESS:
			l.Address = slices.Clone(value)
		case unix.IFLA_MTU:
			l.MTU = int(Uint32(value))
		case unix.IFLA_TXQLEN:
			l.TxQueueLen = int(Uint32(value))
		case unix.IFLA_IFALIAS:
			l.Alias = text(value)
		case unix.IFLA_QDISC:
			l.Qdisc = text(value)
		case unix.IFLA_GROUP:
			l.Group = Uint32(value)
		case unix.IFLA_MASTER:
			l.Master = int(Uint32(value))
		case unix.IFLA_CARRIER:
			l.Carrier = firstByte(value) != 0
		case unix.IFLA_CARRIER_UP_COUNT:
			l.CarrierUps = Uint32(value)
		case unix.IFLA_CARRIER_CHANGES:
			l.CarrierChanges = Uint32(value)
		case unix.IFLA_NEW_NETNSID:
			l.Leaves = true
		case unix.IFLA_STATS64:
			for i := 0; i < len(l.Counters) && len(value) >= 8*(i+1); i++ {
				l.Counters[i] = binary.NativeEndian.Uint64(value[8*i:])
			}
		case unix.IFLA_LINKINFO:
			l.unmarshalInfo(value)
		case unix.IFLA_PROP_LIST:
			for _, alt := range Attributes(value) {
				l.AltNames = append(l.AltNames, text(alt))
			}
		}
	}
	return true
}

func (l *Link) unmarshalInfo(info []byte) {
	port := false
	for kind, value := range Attributes(info) {
		switch kind {
		case nl.IFLA_INFO_KIND:
			l.Kind = text(value)
		case nl.IFLA_INFO_DATA:
			switch l.Kind {
			case "tun":
				l.Tun.unmarshal(value)
			case "bridge":
				l.Settings.unmarshal(value, false)
				l.unmarshalCalls(value)
				l.unmarshalTree(value)
				l.unmarshalBeyond(value, bridgeOthers, false)
			}
		case nl.IFLA_INFO_SLAVE_KIND:
			port = text(value) == "bridge"
		case nl.IFLA_INFO_SLAVE_DATA:
			if port {
				l.Settings.unmarshal(value, true)
				l.unmarshalPortNo(value)
				l.unmarshalBeyond(value, portOthers, true)
			}
		}
	}
}

func (l *Link) unmarshalPortNo(properties []byte) {
	for kind, value := range Attributes(properties) {
		if kind == nl.IFLA_BRPORT_NO && len(value) == 2 {
			l.PortNo = Uint16(value)
		}
	}
}

func (l *Link) unmarshalCalls(properties []byte) {
	for kind, value := range Attributes(properties) {
		switch kind {
		case nl.IFLA_BR_NF_CALL_IPTABLES:
			l.CallIPTables = firstByte(value) != 0
		case nl.IFLA_BR_NF_CALL_IP6TABLES:
			l.CallIP6Tables = firstByte(value) != 0
		}
	}
}

func (t *Tun) unmarshal(data []byte) {
	number := func(value []byte) *uint32 {
		n := Uint32(value)
		return &n
	}
	for kind, value := range Attributes(data) {
		on := firstByte(value) != 0
		switch kind {
		case nl.IFLA_TUN_OWNER:
			t.Owner = number(value)
		case nl.IFLA_TUN_GROUP:
			t.Group = number(value)
		case nl.IFLA_TUN_TYPE:
			t.Type = firstByte(value)
		case nl.IFLA_TUN_PI:
			t.PI = on
		case nl.IFLA_TUN_VNET_HDR:
			t.VnetHdr = on
		case nl.IFLA_TUN_PERSIST:
			t.Persist = on
		case nl.IFLA_TUN_MULTI_QUEUE:
			t.MultiQueue = on
		case nl.IFLA_TUN_NUM_QUEUES:
			t.Queues = int(Uint32(value))
		case nl.IFLA_TUN_NUM_DISABLED_QUEUES:
			t.DisabledQueues = int(Uint32(value))
		}
	}
}
