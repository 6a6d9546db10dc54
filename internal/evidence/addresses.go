package evidence

import (
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/rtnl"
)

// addressed is whose addresses to read.
type addressed struct {
	index int // of the link; 0: of all
	ipv6  bool
}

// Addresses returns the addresses of a family: those of a link, or of all links in their order if the index is 0.
func (h *Host) Addresses(index int, ipv6 bool) []rtnl.Address {
	msg := nl.NewIfAddrmsg(familyOf(ipv6))
	msg.Index = uint32(index)
	ask := rtnl.Request(unix.RTM_GETADDR, unix.NLM_F_DUMP, msg)
	return onceOf(h.addresses, addressed{index, ipv6}, dump(h, ask, func(body []byte) (a rtnl.Address, ok bool) {
		ok = a.Decode(body)
		return a, ok
	}))
}
