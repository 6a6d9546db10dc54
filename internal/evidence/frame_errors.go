package evidence

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/rtnl"
)

// FrameErrors returns how many packets with a wrong virtio header a program has written to a TUN/TAP device.
func (h *Host) FrameErrors(index int) (n uint64) {
	const at = 8 * 13 // the offset of rx_frame_errors in struct rtnl_link_stats64
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
	if h.since != nil {
		return less(n, h.since.links[index].frameErrors)
	}
	return n
}
