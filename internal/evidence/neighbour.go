package evidence

import (
	"net/netip"
	"slices"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/rtnl"
)

// ntfSticky is NTF_STICKY.
const ntfSticky = 1 << 6

// clockTick is the unit in which the kernel gives ages: 1 / USER_HZ.
const clockTick = 10 * time.Millisecond

// A Neighbour is an entry of the neighbour table (ARP, IPv6 neighbour discovery), or of a bridge's forwarding database.
type Neighbour struct {
	Index  int           // of the link; of the port in a forwarding database
	To     netip.Addr    // invalid in a forwarding database
	MAC    link.MAC      // nil: not known
	State  uint16        // NUD_*
	Flags  uint8         // NTF_*
	Bridge int           // the index of the bridge; 0: no forwarding database
	VLAN   uint16        // 0: none
	Asked  uint32        // requests that were not answered
	Age    time.Duration // since the last packet from the address; in a forwarding database only
}

// Unanswered reports whether nobody has answered the requests for the address yet.
func (n Neighbour) Unanswered() bool { return n.State&(unix.NUD_INCOMPLETE|unix.NUD_FAILED) != 0 }

// Confirmed reports whether the neighbour itself has told its MAC address.
func (n Neighbour) Confirmed() bool {
	return n.State&(unix.NUD_REACHABLE|unix.NUD_STALE|unix.NUD_DELAY|unix.NUD_PROBE) != 0
}

// Permanent reports whether the entry never expires; in a forwarding database, whether the address is this host's.
func (n Neighbour) Permanent() bool { return n.State&unix.NUD_PERMANENT != 0 }

// Static reports whether an entry of a forwarding database was configured, not learned.
func (n Neighbour) Static() bool {
	return n.State&(unix.NUD_NOARP|unix.NUD_PERMANENT) != 0 || n.Sticky()
}

// Sticky reports whether the entry stays although frames of its address come from another port.
func (n Neighbour) Sticky() bool { return n.Flags&ntfSticky != 0 }

// Neighbours returns the neighbour table of a link, of both families.
func (h *Host) Neighbours(index int) []Neighbour {
	return onceOf(h.neighbours, index, func() (all []Neighbour, err error) {
		for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
			found, err := rtnl.Dump(h.socket, askNeighbours(family, unix.NDA_IFINDEX, index), decodeNeighbour)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		}
		return all, nil
	})
}

// NeighboursNow reads the neighbour table of a link again.
func (h *Host) NeighboursNow(index int) []Neighbour {
	delete(h.neighbours, index)
	return h.Neighbours(index)
}

// Frames returns the forwarding database of a bridge, or of all bridges and links if its index is 0.
func (h *Host) Frames(bridge int) []Neighbour {
	return onceOf(h.frames, bridge,
		dump(h, askNeighbours(unix.AF_BRIDGE, unix.NDA_MASTER, bridge), decodeNeighbour))
}

// FramesNow reads the forwarding database of a bridge again.
func (h *Host) FramesNow(bridge int) []Neighbour {
	delete(h.frames, bridge)
	return h.Frames(bridge)
}

// WithoutCopies returns a forwarding database without the copies that the kernel makes of a static entry without a
// VLAN: one for each VLAN of the port. It deletes them with that entry.
func WithoutCopies(all []Neighbour) []Neighbour {
	type entry struct {
		index int
		mac   string
		state uint16
		flags uint8
	}
	of := func(n Neighbour) entry { return entry{n.Index, string(n.MAC), n.State, n.Flags} }
	whole := map[entry]bool{}
	for _, n := range all {
		if n.VLAN == 0 && n.Static() {
			whole[of(n)] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(n Neighbour) bool { return n.VLAN != 0 && whole[of(n)] })
}

// askNeighbours returns a request for the entries of a family, those with a number in one attribute unless it is 0.
func askNeighbours(family uint8, attribute, number int) *nl.NetlinkRequest {
	header := make(rawBytes, unix.SizeofNdMsg)
	header[0] = family
	r := rtnl.Request(unix.RTM_GETNEIGH, unix.NLM_F_DUMP, header)
	if number != 0 {
		r.AddData(nl.NewRtAttr(attribute, nl.Uint32Attr(uint32(number))))
	}
	return r
}

func decodeNeighbour(body []byte) (n Neighbour, ok bool) {
	if len(body) < unix.SizeofNdMsg {
		return n, false
	}
	n = Neighbour{Index: int(rtnl.Uint32(body[4:])), State: rtnl.Uint16(body[8:]), Flags: body[10]}
	for kind, value := range rtnl.Attributes(body[unix.SizeofNdMsg:]) {
		switch kind {
		case unix.NDA_DST:
			n.To, _ = netip.AddrFromSlice(value)
		case unix.NDA_LLADDR:
			n.MAC = append(link.MAC{}, value...)
		case unix.NDA_MASTER:
			n.Bridge = int(rtnl.Uint32(value))
		case unix.NDA_PROBES:
			n.Asked = rtnl.Uint32(value)
		case unix.NDA_VLAN:
			n.VLAN = rtnl.Uint16(value)
		case unix.NDA_CACHEINFO:
			n.Age = time.Duration(rtnl.Uint32(value[min(2*4, len(value)):])) * clockTick // the third number
		}
	}
	return n, true
}
