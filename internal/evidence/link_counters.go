package evidence

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/rtnl"
)

// The places of counters in struct rtnl_link_stats64.
const (
	receivedPackets = 0
	sentPackets     = 1
	receivedDropped = 6
	sentDropped     = 7
	frameErrors     = 13
)

// FrameErrors returns how many packets with a wrong virtio header a program has written to a TUN/TAP device.
func (h *Host) FrameErrors(index int) uint64 {
	n := h.linkCounter(index, frameErrors)
	if h.since != nil {
		return less(n, h.since.links[index].frameErrors)
	}
	return n
}

// Written returns how many packets a link has received until now, since its creation.
func (h *Host) Written(index int) uint64 { return h.linkCounter(index, receivedPackets) }

// Read returns how many packets a link has sent until now, as its counters say.
func (h *Host) Read(index int) uint64 {
	n := h.linkCounter(index, sentPackets)
	if h.since != nil {
		return less(n, h.since.links[index].sent)
	}
	return n
}

// Dropped returns how many packets from and to a link the kernel has dropped since its creation, as its counters say.
func (h *Host) Dropped(index int) (received, sent uint64) {
	return h.linkCounter(index, receivedDropped), h.linkCounter(index, sentDropped)
}

// linkCounter returns a counter of a link; 0 if the link does not exist.
func (h *Host) linkCounter(index, place int) (n uint64) {
	_ = h.socket.Do(rtnl.AskLink(unix.NLM_F_ACK, index, "", true), func(body []byte) {
		if len(body) < unix.SizeofIfInfomsg {
			return
		}
		for kind, value := range rtnl.Attributes(body[unix.SizeofIfInfomsg:]) {
			if kind == unix.IFLA_STATS64 && len(value) >= 8*place+8 {
				n = binary.NativeEndian.Uint64(value[8*place:])
			}
		}
	})
	return n
}

// CarrierLosses returns how often a link has lost its carrier. A TUN/TAP device loses it when the last program
// detaches; the packets in its queue are lost then, too.
func (h *Host) CarrierLosses(index int) (n uint64) {
	h.link(index, func(kind uint16, value []byte) {
		if kind == unix.IFLA_CARRIER_DOWN_COUNT && len(value) >= 4 {
			n = uint64(rtnl.Uint32(value))
		}
	})
	if h.since != nil {
		return less(n, h.since.links[index].losses)
	}
	return n
}
