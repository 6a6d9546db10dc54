package evidence

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/rtnl"
)

// addressed is whose addresses to read.
type addressed struct {
	index int // of the link; 0: of all
	ipv6  bool
}

// Addresses returns the addresses of a family that a link has.
func (h *Host) Addresses(index int, ipv6 bool) []rtnl.Address {
	msg := nl.NewIfAddrmsg(familyOf(ipv6))
	msg.Index = uint32(index)
	ask := rtnl.Request(unix.RTM_GETADDR, unix.NLM_F_DUMP, msg)
	return onceOf(h.addresses, addressed{index, ipv6}, dump(h, ask, func(body []byte) (a rtnl.Address, ok bool) {
		ok = a.Decode(body)
		return a, ok
	}))
}

// AllAddresses returns the addresses of a family in the order of their links. To list them, the kernel looks at all
// links; if few links have any, it is asked for the addresses of each of these instead. An IPv4 address whose local
// route was removed may then be left out, unless it belongs to the link of an index.
func (h *Host) AllAddresses(ipv6 bool, index int) (all []rtnl.Address) {
	const few = 32
	links, known := h.addressedLinks(ipv6)
	if !known || len(links) > few {
		return h.Addresses(0, ipv6)
	}
	links[index] = true
	for _, link := range slices.Sorted(maps.Keys(links)) {
		all = append(all, h.Addresses(link, ipv6)...)
	}
	return all
}

// addressedLinks returns the links that have addresses of a family: those in the kernel's list of IPv6 addresses, and
// those of IPv4 routes, because each IPv4 address has a local route. They are not known if there are very many routes.
func (h *Host) addressedLinks(ipv6 bool) (links map[int]bool, known bool) {
	routes, known := h.SomeRoutes(ipv6)
	links = map[int]bool{}
	if !known || !ipv6 {
		for _, r := range routes {
			links[r.Index] = true
		}
		delete(links, 0)
		return links, known
	}
	list, err := h.file("/proc/thread-self/net/if_inet6") // ADDRESS INDEX ..., both hexadecimal
	for line := range strings.Lines(string(list)) {
		if words := strings.Fields(line); len(words) > 1 {
			index, _ := strconv.ParseInt(words[1], 16, 32)
			links[int(index)] = true
		}
	}
	return links, err == nil
}
