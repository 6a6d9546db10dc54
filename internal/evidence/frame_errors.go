package evidence

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/rtnl"
)

// FrameErrors returns how many packets with a wrong virtio header a program has written to a TUN/TAP device.
func (h *Host) FrameErrors(index int) uint64 {
	const number = 13 // of rx_frame_errors in struct rtnl_link_stats64
	n := h.statistic(index, number)
	if h.since != nil {
		return less(n, h.since.links[index].frameErrors)
	}
	return n
}

// Written returns how many packets a link has received until now, since its creation.
func (h *Host) Written(index int) uint64 { return h.statistic(index, 0) }

// statistic returns a number of the struct rtnl_link_stats64 of a link.
func (h *Host) statistic(index, number int) (n uint64) {
	at := 8 * number
	_ = h.socket.Do(rtnl.AskLink(unix.NLM_F_ACK, index, "", true), func(body []byte) {
		if len(body) < unix.SizeofIfInfomsg {
			return
		}
		for kind, value := range rtnl.Attributes(body[unix.SizeofIfInfomsg:]) {
			if kind == unix.IFLA_STATS64 && len(value) >= at+8 {
				n = binary.NativeEndian.Uint64(value[at:])
			}
		}
	})
	return n
}
