package evidence

import (
	"encoding/binary"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/rtnl"
)

// A Receiver is a link that has received packets.
type Receiver struct {
	Index              int
	Name               string
	Loopback           bool
	Packets, OtherHost uint64 // those of OtherHost were for another MAC address
}

// statsHeader is the size of struct if_stats_msg.
const statsHeader = 12

// Receivers returns the links that have received packets. Among thousands of links, these are read alone, unless there
// are too many of them; few is false then.
func (h *Host) Receivers() (all []Receiver, few bool) {
	const most = 64
	const filter = 1 << (unix.IFLA_STATS_LINK_64 - 1)
	header := make(rawBytes, statsHeader)
	copy(header[8:], nl.Uint32Attr(filter))
	busy, err := rtnl.Dump(h.socket, rtnl.Request(unix.RTM_GETSTATS, 0, header), decodeReceiver)
	if err != nil || len(busy) > most {
		return nil, false
	}
	requests := make([]*nl.NetlinkRequest, len(busy))
	for i, r := range busy {
		requests[i] = rtnl.AskLink(unix.NLM_F_ACK, r.Index, "", false)
	}
	h.socket.Exchange(requests, func(i int, body []byte) {
		var l rtnl.Link
		if l.Unmarshal(body) {
			busy[i].Name, busy[i].Loopback = l.Name, l.Flags&unix.IFF_LOOPBACK != 0
		}
	})
	return busy, true
}

// decodeReceiver returns false for a link that has received nothing.
func decodeReceiver(body []byte) (r Receiver, ok bool) {
	const received, otherHost = 0, 8 * 24 // offsets in struct rtnl_link_stats64; the second since Linux 5.19
	if len(body) < statsHeader {
		return r, false
	}
	r.Index = int(rtnl.Uint32(body[4:]))
	for kind, value := range rtnl.Attributes(body[statsHeader:]) {
		if kind != unix.IFLA_STATS_LINK_64 || len(value) < received+8 {
			continue
		}
		r.Packets = binary.NativeEndian.Uint64(value[received:])
		if len(value) >= otherHost+8 {
			r.OtherHost = binary.NativeEndian.Uint64(value[otherHost:])
		}
	}
	return r, r.Packets > 0
}
