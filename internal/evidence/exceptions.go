package evidence

import (
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/rtnl"
)

// redirected is RTCF_REDIRECTED.
const redirected = 0x40000

// Learned reports whether the kernel has learned the MTU of the path from an ICMP message, so that it expires.
func (w Way) Learned() bool { return w.Flags&unix.RTM_F_CLONED != 0 && w.Expires && w.MTU != 0 }

// Redirected reports whether the kernel has learned the gateway from an ICMP redirect.
func (w Way) Redirected() bool {
	return w.Flags&unix.RTM_F_CLONED != 0 && w.Via.IsValid() &&
		(w.Flags&redirected != 0 || w.Protocol == unix.RTPROT_REDIRECT)
}

// Exceptions returns what the kernel has learned from ICMP messages about paths through a link.
func (h *Host) Exceptions(index int, ipv6 bool) []Way {
	msg := &nl.RtMsg{RtMsg: unix.RtMsg{Family: unix.AF_INET, Flags: unix.RTM_F_CLONED}}
	if ipv6 {
		msg.Family = unix.AF_INET6
	}
	ask := rtnl.Request(unix.RTM_GETROUTE, unix.NLM_F_DUMP, msg,
		nl.NewRtAttr(unix.RTA_OIF, nl.Uint32Attr(uint32(index))))
	all, _ := rtnl.Dump(h.socket, ask, func(body []byte) (w Way, ok bool) {
		ok = w.Unmarshal(body)
		w.readMetrics()
		return w, ok && w.Index == index && (w.Learned() || w.Redirected())
	})
	return all
}

// readMetrics reads the MTU of the path.
func (w *Way) readMetrics() {
	for kind, value := range rtnl.Attributes([]byte(w.Metrics)) {
		switch kind {
		case unix.RTAX_MTU:
			w.MTU = rtnl.Uint32(value)
		case unix.RTAX_LOCK:
			w.MTULocked = rtnl.Uint32(value)&(1<<unix.RTAX_MTU) != 0
		}
	}
}
