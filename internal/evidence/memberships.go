package evidence

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
)

// A Membership is an IPv4 multicast group that this host has joined on a link.
type Membership struct {
	Index int // of the link
	To    netip.Addr
}

// Memberships returns the IPv4 multicast groups that programs of this host and the kernel have joined.
func (h *Host) Memberships() (all []Membership) {
	text, err := h.file("/proc/thread-self/net/igmp")
	if err != nil {
		return nil
	}
	link := 0
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case line[0] != '\t':
			link, _ = strconv.Atoi(words[0])
		case link != 0:
			if n, err := strconv.ParseUint(words[0], 16, 32); err == nil {
				var group [4]byte
				binary.NativeEndian.PutUint32(group[:], uint32(n))
				all = append(all, Membership{link, netip.AddrFrom4(group)})
			}
		}
	}
	return all
}
