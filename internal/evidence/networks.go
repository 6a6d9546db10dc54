package evidence

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/rtnl"
)

// few is how many routes of a family are read where the kernel can answer for each address instead. More are those of
// a routing daemon, or of thousands of addresses.
const few = 256

// A trie is the number of IPv4 routes in the kernel's memory of a table. The tables main and local share one until a
// policy rule is added.
type trie struct {
	keys   int // different first addresses of the destinations
	routes int
}

// tries returns the numbers of the tables, by "Main" and "Local". A table that was never used has none.
func (h *Host) tries() map[string]trie {
	if h.counted == nil {
		text, _ := h.file("/proc/thread-self/net/fib_triestat")
		h.counted = readTries(string(text))
	}
	return h.counted
}

// readTries reads the kernel's text: a line "Main:", "Local:" or "Id NUMBER:" for each table, and its numbers after it.
func readTries(text string) map[string]trie {
	found, table := map[string]trie{}, ""
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		n, err := strconv.Atoi(strings.TrimSpace(value))
		t := found[table]
		switch {
		case err != nil && line[0] > ' ':
			table, t = name, trie{}
		case name == "Leaves":
			t.keys = n
		case name == "Prefixes":
			t.routes = n
		}
		found[table] = t
	}
	return found
}

// manyRoutes reports whether there are surely very many IPv4 routes. It reads none of them.
func (h *Host) manyRoutes() bool {
	return h.tries()["Main"].routes >= few || h.tries()["Local"].routes >= few
}

// LinksIn returns the links that are up, belong to no VRF and have an address in one of these very IPv4 networks. There
// may be further ones among them. They are not known if there are few routes, which can be read instead, or if the
// kernel does not answer for each network. The first policy rule has to look up the table local.
//
// The kernel has a local route for the last address of the network of each address, even if the address has
// noprefixroute or a peer: a broadcast address. Networks of one or two addresses have none; there each local address is
// looked up. A look-up finds the first of several routes to one address, so it finds all if each is to another one.
func (h *Host) LinksIn(networks []netip.Prefix) (links []int, known bool) {
	local := h.tries()["Local"]
	if !h.manyRoutes() || local.keys != local.routes {
		return nil, false
	}
	var requests []*nl.NetlinkRequest
	for _, n := range networks {
		const two = 31
		if !n.Addr().Is4() {
			return nil, false
		}
		requests = append(requests, askRoute(flow.Packet{To: last(n)}, unix.RTM_F_FIB_MATCH))
		if n.Bits() == two {
			requests = append(requests, askRoute(flow.Packet{To: n.Masked().Addr()}, unix.RTM_F_FIB_MATCH))
		}
	}
	h.socket.Exchange(requests, func(_ int, body []byte) {
		var r rtnl.Route
		if r.Unmarshal(body) && (r.Type == unix.RTN_BROADCAST || r.Type == unix.RTN_LOCAL) &&
			!slices.Contains(links, r.Index) {
			links = append(links, r.Index)
		}
	})
	slices.Sort(links)
	return links, true
}

// last returns the last address of an IPv4 network.
func last(network netip.Prefix) netip.Addr {
	ip := network.Addr().As4()
	n := binary.BigEndian.Uint32(ip[:]) | uint32(1<<(32-network.Bits())-1)
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n)))
}

// UnicastThrough returns those of RoutesThrough that lead to other hosts.
func (h *Host) UnicastThrough(index int) []rtnl.Route {
	return h.through(selection{index: index, kind: unix.RTN_UNICAST})
}

// ConfiguredThrough returns those of RoutesThrough that ip(8) or another program added as an administrator's.
func (h *Host) ConfiguredThrough(index int) []rtnl.Route {
	return slices.Concat(h.through(selection{index: index, origin: unix.RTPROT_BOOT}),
		h.through(selection{index: index, origin: unix.RTPROT_STATIC}))
}

// through returns a part of the routes through a link. If there are very many routes, the kernel selects the part: it
// compares a type or an origin much faster than it finds the links of a route.
func (h *Host) through(s selection) []rtnl.Route {
	if !h.manyRoutes() {
		h.RoutesThrough(s.index)
	}
	return h.both(s)
}

// SomeRoutes returns routes of a family: all, or the first ones of all tables and of the main table if there are very
// many.
func (h *Host) SomeRoutes(ipv6 bool) (found []rtnl.Route, all bool) {
	s := selection{family: familyOf(ipv6), most: few}
	if found = h.selected(s); len(found) < few {
		return found, true
	}
	s.table = unix.RT_TABLE_MAIN
	if !slices.ContainsFunc(found, func(r rtnl.Route) bool { return r.Table != s.table }) {
		return found, false
	}
	return slices.Concat(found, h.selected(s)), false
}

// RoutesWithin returns the routes of the main table to parts of a network. If there are very many routes and the
// network is small, these are the routes that the kernel takes to each of its addresses.
func (h *Host) RoutesWithin(whole netip.Prefix) (found []rtnl.Route) {
	const small = 10 // bits: 1024 addresses
	ipv6 := whole.Addr().Is6()
	known, complete := h.SomeRoutes(ipv6)
	switch {
	case !complete && whole.Addr().BitLen()-whole.Bits() <= small:
		known = h.taken(whole)
	case !complete:
		known = h.selected(selection{family: familyOf(ipv6), table: unix.RT_TABLE_MAIN, within: whole})
	}
	for _, r := range known {
		if r.Table == unix.RT_TABLE_MAIN && r.To.Bits() > whole.Bits() && whole.Contains(r.To.Addr()) {
			found = append(found, r)
		}
	}
	return found
}

// taken returns the routes that the kernel takes to the addresses of a network.
func (h *Host) taken(to netip.Prefix) (found []rtnl.Route) {
	var requests []*nl.NetlinkRequest
	for ip := to.Addr(); to.Contains(ip); ip = ip.Next() {
		requests = append(requests, askRoute(flow.Packet{To: ip}, unix.RTM_F_FIB_MATCH))
	}
	h.socket.Exchange(requests, func(_ int, body []byte) {
		var r rtnl.Route
		if r.Unmarshal(body) && !slices.ContainsFunc(found, func(o rtnl.Route) bool { return o.To == r.To }) {
			found = append(found, r)
		}
	})
	return found
}
