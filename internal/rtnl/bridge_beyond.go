package rtnl

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// An otherSetting is a setting of bridges or ports that is not in settingTable. Usual are the values of a new bridge or
// port on all kernels.
type otherSetting struct {
	attribute uint16
	word      string // in ip(8); of a switch of a port, with its value
	usual     []uint64
}

// words returns a value of the setting as ip link set accepts it.
func (o otherSetting) words(value uint64) string {
	if strings.HasSuffix(o.word, " off") || strings.HasSuffix(o.word, " on") {
		return o.word
	}
	return fmt.Sprintf("%s %d", o.word, value)
}

// The others of a bridge. Those that the kernel calculates from the clock differ by one.
var bridgeOthers = []otherSetting{
	{unix.IFLA_BR_HELLO_TIME, "hello_time", []uint64{200}},
	{unix.IFLA_BR_MAX_AGE, "max_age", []uint64{2000}},
	{unix.IFLA_BR_PRIORITY, "priority", []uint64{0x8000}},
	{unix.IFLA_BR_GROUP_FWD_MASK, "group_fwd_mask", []uint64{0}},
	{unix.IFLA_BR_VLAN_STATS_ENABLED, "vlan_stats_enabled", []uint64{0}},
	{unix.IFLA_BR_VLAN_STATS_PER_PORT, "vlan_stats_per_port", []uint64{0}},
	{unix.IFLA_BR_MCAST_ROUTER, "mcast_router", []uint64{1}},
	{unix.IFLA_BR_MCAST_QUERY_USE_IFADDR, "mcast_query_use_ifaddr", []uint64{0}},
	{unix.IFLA_BR_MCAST_QUERIER, "mcast_querier", []uint64{0}},
	{unix.IFLA_BR_MCAST_HASH_MAX, "mcast_hash_max", []uint64{512, 4096}},
	{unix.IFLA_BR_MCAST_LAST_MEMBER_CNT, "mcast_last_member_count", []uint64{2}},
	{unix.IFLA_BR_MCAST_STARTUP_QUERY_CNT, "mcast_startup_query_count", []uint64{2}},
	{unix.IFLA_BR_MCAST_LAST_MEMBER_INTVL, "mcast_last_member_interval", []uint64{99, 100}},
	{unix.IFLA_BR_MCAST_MEMBERSHIP_INTVL, "mcast_membership_interval", []uint64{25999, 26000}},
	{unix.IFLA_BR_MCAST_QUERIER_INTVL, "mcast_querier_interval", []uint64{25499, 25500}},
	{unix.IFLA_BR_MCAST_QUERY_INTVL, "mcast_query_interval", []uint64{12499, 12500}},
	{unix.IFLA_BR_MCAST_QUERY_RESPONSE_INTVL, "mcast_query_response_interval", []uint64{999, 1000}},
	{unix.IFLA_BR_MCAST_STARTUP_QUERY_INTVL, "mcast_startup_query_interval", []uint64{3124, 3125}},
	{unix.IFLA_BR_MCAST_STATS_ENABLED, "mcast_stats_enabled", []uint64{0}},
	{unix.IFLA_BR_MCAST_IGMP_VERSION, "mcast_igmp_version", []uint64{2}},
	{unix.IFLA_BR_MCAST_MLD_VERSION, "mcast_mld_version", []uint64{1}},
	{unix.IFLA_BR_NF_CALL_IPTABLES, "nf_call_iptables", []uint64{0}},
	{unix.IFLA_BR_NF_CALL_IP6TABLES, "nf_call_ip6tables", []uint64{0}},
	{unix.IFLA_BR_NF_CALL_ARPTABLES, "nf_call_arptables", []uint64{0}},
	{unix.IFLA_BR_FDB_MAX_LEARNED, "fdb_max_learned", []uint64{0}},
}

var portOthers = []otherSetting{
	{unix.IFLA_BRPORT_GUARD, "guard on", []uint64{0}},
	{unix.IFLA_BRPORT_PROTECT, "root_block on", []uint64{0}},
	{unix.IFLA_BRPORT_FAST_LEAVE, "fastleave on", []uint64{0}},
	{unix.IFLA_BRPORT_PROXYARP, "proxy_arp on", []uint64{0}},
	{unix.IFLA_BRPORT_PROXYARP_WIFI, "proxy_arp_wifi on", []uint64{0}},
	{unix.IFLA_BRPORT_MULTICAST_ROUTER, "mcast_router", []uint64{1}},
	{unix.IFLA_BRPORT_MCAST_FLOOD, "mcast_flood off", []uint64{1}},
	{unix.IFLA_BRPORT_BCAST_FLOOD, "bcast_flood off", []uint64{1}},
	{unix.IFLA_BRPORT_MCAST_TO_UCAST, "mcast_to_unicast on", []uint64{0}},
	{unix.IFLA_BRPORT_VLAN_TUNNEL, "vlan_tunnel on", []uint64{0}},
	{unix.IFLA_BRPORT_GROUP_FWD_MASK, "group_fwd_mask", []uint64{0}},
	{unix.IFLA_BRPORT_NEIGH_SUPPRESS, "neigh_suppress on", []uint64{0}},
	{unix.IFLA_BRPORT_NEIGH_VLAN_SUPPRESS, "neigh_vlan_suppress on", []uint64{0}},
	{unix.IFLA_BRPORT_LOCKED, "locked on", []uint64{0}},
	{unix.IFLA_BRPORT_MAB, "mab on", []uint64{0}},
	{unix.IFLA_BRPORT_MCAST_MAX_GROUPS, "mcast_max_groups", []uint64{0}},
	{unix.IFLA_BRPORT_BACKUP_NHID, "backup_nhid", []uint64{0}},
}

// booleans are the words of the bits of IFLA_BR_MULTI_BOOLOPT.
var booleans = []string{"no_linklocal_learn", "mcast_vlan_snooping", "mst_enabled"}

// leave adds a sentence to Beyond.
func (l *Link) leave(what string) { l.Beyond = append(l.Beyond, "left out: "+what) }

// unmarshalTree fills in ByTree. The kernel reports the delay of the root of the spanning tree, and while the tree
// changes, bridges forget MAC addresses after twice this delay.
func (l *Link) unmarshalTree(data []byte) {
	root, changes := false, false
	for kind, raw := range Attributes(data) {
		switch kind {
		case unix.IFLA_BR_ROOT_PORT:
			root = number(raw) == 0
		case unix.IFLA_BR_TOPOLOGY_CHANGE:
			changes = number(raw) != 0
		}
	}
	l.ByTree = map[Setting]string{}
	if !root {
		l.ByTree[ForwardDelay] = "another bridge is the root of the spanning tree"
	}
	if changes && l.Settings.Value(Ageing) == 2*l.Settings.Value(ForwardDelay) {
		l.ByTree[Ageing] = "the spanning tree changes it for some seconds"
	}
}

// LeftByTree returns sentences about the settings that Link.ByTree has.
func LeftByTree(reasons map[Setting]string) (all []string) {
	for _, s := range slices.Sorted(maps.Keys(reasons)) {
		all = append(all, "left out: "+s.String()+": "+reasons[s])
	}
	return all
}

// Configured returns the settings without those that the spanning tree determines.
func (l *Link) Configured() Settings {
	all := l.Settings
	for s := range l.ByTree {
		all[s] = nil
	}
	return all
}

// unmarshalBeyond adds to Beyond the attributes of a bridge, or those of a port, that are unusual.
func (l *Link) unmarshalBeyond(data []byte, others []otherSetting, ofPort bool) {
	for kind, raw := range Attributes(data) {
		value := number(raw)
		for _, o := range others {
			ofRoot := !ofPort && l.ByTree[ForwardDelay] != "" &&
				(kind == unix.IFLA_BR_HELLO_TIME || kind == unix.IFLA_BR_MAX_AGE)
			if o.attribute == kind && !ofRoot && !slices.Contains(o.usual, value) {
				l.leave(o.words(value))
			}
		}
		switch {
		case ofPort && kind == unix.IFLA_BRPORT_BACKUP_PORT:
			l.leave(fmt.Sprintf("backup_port with index %d", value))
		case ofPort:
		case kind == unix.IFLA_BR_MULTI_BOOLOPT:
			for i, word := range booleans {
				if Uint32(raw)>>i&1 != 0 { // of struct br_boolopt_multi: optval
					l.leave(word + " 1")
				}
			}
		case kind == unix.IFLA_BR_VLAN_PROTOCOL && len(raw) == 2 && [2]byte(raw) != [2]byte{0x81, 0}:
			l.leave("vlan_protocol 802.1ad")
		case kind == unix.IFLA_BR_GROUP_ADDR && len(raw) == 6 && [6]byte(raw) != [6]byte{1, 0x80, 0xc2}:
			l.leave("group_address " + net.HardwareAddr(raw).String())
		}
	}
}

// number returns an integer of any size in the order of this machine.
func number(raw []byte) (n uint64) {
	switch len(raw) {
	case 1:
		return uint64(raw[0])
	case 2:
		return uint64(Uint16(raw))
	case 4:
		return uint64(Uint32(raw))
	case 8:
		return binary.NativeEndian.Uint64(raw)
	}
	return 0
}
