package evidence

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/rtnl"
)

// The attributes of RTM_GETMDB (MDBA_*, without the headers of the kernel's struct br_mdb_entry).
const (
	mdbTable     = 1 // MDBA_MDB
	mdbEntry     = 1 // MDBA_MDB_ENTRY
	mdbEntryInfo = 1 // MDBA_MDB_ENTRY_INFO
	mdbEntrySize = 28
	mdbTimer     = 1 // MDBA_MDB_EATTR_TIMER
	mdbSource    = 4 // MDBA_MDB_EATTR_SOURCE
	querierIPv6  = 4 // BRIDGE_QUERIER_IPV6_ADDRESS
)

// A Group is an entry of a bridge's multicast database: a group that hosts behind a port have joined.
type Group struct {
	Bridge, Port int           // the indexes of the links
	To           netip.Addr    // invalid if the group is a MAC address
	MAC          link.MAC      // nil if the group is an IP address
	Source       netip.Addr    // whose packets the entry is for; invalid: those of any
	VLAN         uint16        // 0: none
	Permanent    bool          // the entry was configured
	Left         time.Duration // until the entry expires, if no host reports the group again; 0: never
}

// Groups returns the multicast databases of all bridges.
func (h *Host) Groups() (all []Group) {
	const size = 8 // struct br_port_msg
	header := make(rawBytes, size)
	header[0] = unix.AF_BRIDGE
	tables, _ := rtnl.Dump(h.socket, rtnl.Request(unix.RTM_GETMDB, unix.NLM_F_DUMP, header),
		func(body []byte) (found []Group, ok bool) {
			if len(body) < size {
				return nil, false
			}
			return decodeGroups(int(rtnl.Uint32(body[4:])), body[size:]), true
		})
	for _, t := range tables {
		all = append(all, t...)
	}
	return all
}

func decodeGroups(bridge int, body []byte) (all []Group) {
	for kind, table := range rtnl.Attributes(body) {
		if kind != mdbTable {
			continue
		}
		for kind, entry := range rtnl.Attributes(table) {
			if kind != mdbEntry {
				continue
			}
			for kind, info := range rtnl.Attributes(entry) {
				if kind == mdbEntryInfo && len(info) >= mdbEntrySize {
					all = append(all, decodeGroup(bridge, info))
				}
			}
		}
	}
	return all
}

// decodeGroup reads a struct br_mdb_entry and the attributes behind it.
func decodeGroup(bridge int, info []byte) Group {
	g := Group{Bridge: bridge, Port: int(rtnl.Uint32(info)), Permanent: info[4] != 0, VLAN: rtnl.Uint16(info[6:])}
	for kind, value := range rtnl.Attributes(info[mdbEntrySize:]) {
		switch {
		case kind == mdbTimer && len(value) >= 4:
			g.Left = time.Duration(rtnl.Uint32(value)) * clockTick
		case kind == mdbSource:
			g.Source, _ = netip.AddrFromSlice(value)
		}
	}
	switch kind := info[24:26]; {
	case kind[0] == 0x08 && kind[1] == 0x00:
		g.To = netip.AddrFrom4([4]byte(info[8:12]))
	case kind[0] == 0x86 && kind[1] == 0xdd:
		g.To = netip.AddrFrom16([16]byte(info[8:24]))
	default:
		g.MAC = append(link.MAC{}, info[8:14]...)
	}
	return g
}

// Words returns the group as bridge mdb add accepts it.
func (g Group) Words() string {
	words := "grp " + g.To.String()
	if g.MAC != nil {
		words = "grp " + g.MAC.String()
	}
	if g.Source.IsValid() {
		words += " src " + g.Source.String()
	}
	if g.VLAN != 0 {
		words += fmt.Sprintf(" vid %d", g.VLAN)
	}
	return words
}

// unmarshalProperties reads who asks hosts for their groups, and the link-local groups that the bridge forwards, from a
// message about it.
func (b *Bridge) unmarshalProperties(body []byte) {
	for kind, info := range rtnl.Attributes(body[unix.SizeofIfInfomsg:]) {
		if kind != unix.IFLA_LINKINFO {
			continue
		}
		for kind, data := range rtnl.Attributes(info) {
			if kind == nl.IFLA_INFO_DATA {
				b.unmarshalGroups(data)
			}
		}
	}
}

func (b *Bridge) unmarshalGroups(properties []byte) {
	for kind, value := range rtnl.Attributes(properties) {
		switch kind {
		case nl.IFLA_BR_GROUP_FWD_MASK:
			b.GroupForward = int(rtnl.Uint16(value))
		case nl.IFLA_BR_MCAST_QUERY_RESPONSE_INTVL:
			b.QueryResponse = time.Duration(rtnl.Uint32(value)) * clockTick
		case nl.IFLA_BR_MCAST_QUERIER:
			b.Querier6 = b.Querier6 || len(value) > 0 && value[0] != 0
		case unix.IFLA_BR_MCAST_QUERIER_STATE:
			b.Querier6 = b.Querier6 || otherQuerier6(value)
		}
	}
}

// otherQuerier6 reports whether a bridge has seen MLD queries of a router.
func otherQuerier6(state []byte) bool {
	for kind := range rtnl.Attributes(state) {
		if kind == querierIPv6 {
			return true
		}
	}
	return false
}
