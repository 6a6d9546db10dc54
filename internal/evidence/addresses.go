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
	most  int // how many; 0: all
}

// Addresses returns the addresses of a family that a link has.
func (h *Host) Addresses(index int, ipv6 bool) []rtnl.Address {
	return h.addressesOf(addressed{index: index, ipv6: ipv6})
}

func (h *Host) addressesOf(whose addressed) []rtnl.Address {
	return onceOf(h.addresses, whose, func() ([]rtnl.Address, error) {
		msg := nl.NewIfAddrmsg(familyOf(whose.ipv6))
		msg.Index = uint32(whose.index)
		return some(h, rtnl.Request(unix.RTM_GETADDR, 0, msg), whose.most, func(body []byte) (a rtnl.Address, ok bool) {
			ok = a.Decode(body)
			return a, ok
		})
	})
}

// AllAddresses returns the addresses of a family in the order of their links. To list them, the kernel looks at all
// links; if few links have any, it is asked for the addresses of each of these instead. An IPv4 address whose local
// route was removed may then be left out, unless it belongs to the link of an index; 0: none.
func (h *Host) AllAddresses(ipv6 bool, index int) (all []rtnl.Address) {
	links, few := h.fewAddressed(ipv6)
	if !few {
		return h.Addresses(0, ipv6)
	}
	if index != 0 {
		links[index] = true
	}
	for _, link := range slices.Sorted(maps.Keys(links)) {
		all = append(all, h.Addresses(link, ipv6)...)
	}
	return all
}

// SomeAddresses is AllAddresses, but if many links have addresses, it returns those of one link, and the first others.
func (h *Host) SomeAddresses(ipv6 bool, index int) (found []rtnl.Address) {
	const most = 256
	if _, few := h.fewAddressed(ipv6); few {
		return h.AllAddresses(ipv6, index)
	}
	if index != 0 {
		found = h.Addresses(index, ipv6)
	}
	for _, a := range h.addressesOf(addressed{ipv6: ipv6, most: most}) {
		if a.Index != index {
			found = append(found, a)
		}
	}
	return found
}

// fewAddressed returns the links that have addresses of a family, or false if these are many.
func (h *Host) fewAddressed(ipv6 bool) (links map[int]bool, few bool) {
	const most = 32
	links, known := h.addressedLinks(ipv6)
	return links, known && len(links) <= most
}

// addressedLinks returns the links that have addresses of a family: those in the kernel's list of IPv6 addresses, and
// those of IPv4 routes, because each IPv4 address has a local route. They are not known if there are very many routes.
func (h *Host) addressedLinks(ipv6 bool) (links map[int]bool, known bool) {
	if !ipv6 && h.manyRoutes() {
		return nil, false
	}
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
