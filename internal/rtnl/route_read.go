package rtnl

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// AskRoutes returns a request for the routes of a family. A type (RTN_*), a protocol or an index other than 0 selects.
func AskRoutes(family, kind, protocol, index int) *nl.NetlinkRequest {
	msg := &nl.RtMsg{RtMsg: unix.RtMsg{Family: uint8(family), Type: uint8(kind), Protocol: uint8(protocol)}}
	r := Request(unix.RTM_GETROUTE, 0, msg)
	if index != 0 {
		r.AddData(nl.NewRtAttr(unix.RTA_OIF, nl.Uint32Attr(uint32(index))))
	}
	return r
}

// RouteEnds are the parts of a route's message that show whether it is one of those that the caller looks for.
type RouteEnds struct {
	To     netip.Prefix
	Index  int        // of the link; 0: none, or several
	Source netip.Addr // invalid: none
}

// Ends reads them and allocates nothing: there may be a million routes. It returns false if the body is too short.
func Ends(body []byte) (e RouteEnds, ok bool) {
	if len(body) < unix.SizeofRtMsg {
		return e, false
	}
	to := netip.IPv4Unspecified()
	if body[0] == unix.AF_INET6 {
		to = netip.IPv6Unspecified()
	}
	for kind, value := range Attributes(body[unix.SizeofRtMsg:]) {
		switch kind {
		case unix.RTA_DST:
			to, _ = netip.AddrFromSlice(value)
		case unix.RTA_OIF:
			e.Index = int(Uint32(value))
		case unix.RTA_PREFSRC:
			e.Source, _ = netip.AddrFromSlice(value)
		}
	}
	e.To = netip.PrefixFrom(to, int(body[1]))
	return e, true
}

// RouteProtocol returns the protocol in the message of a route, or RTPROT_UNSPEC if the body is too short.
func RouteProtocol(body []byte) int {
	if len(body) < unix.SizeofRtMsg {
		return unix.RTPROT_UNSPEC
	}
	return int(body[5])
}

// routeTable returns the number of the table in the message of a route, or 0 if the body is too short.
func routeTable(body []byte) uint32 {
	if len(body) < unix.SizeofRtMsg {
		return 0
	}
	for kind, value := range Attributes(body[unix.SizeofRtMsg:]) {
		if kind == unix.RTA_TABLE {
			return Uint32(value)
		}
	}
	return uint32(body[4])
}

// HasMulticastRoute reports whether a device has the kernel's own IPv6 multicast route.
func HasMulticastRoute(s *Socket, index int) (bool, error) {
	table := nl.NewRtAttr(unix.RTA_TABLE, nl.Uint32Attr(unix.RT_TABLE_LOCAL))
	ask := Request(unix.RTM_GETROUTE, 0, &nl.RtMsg{RtMsg: unix.RtMsg{Family: unix.AF_INET6}}, table)
	found, err := Dump(s, ask, func(body []byte) (bool, bool) {
		if len(body) < unix.SizeofRtMsg || body[1] != 8 || routeTable(body) != unix.RT_TABLE_LOCAL {
			return false, false
		}
		through, multicast := false, false
		for kind, value := range Attributes(body[unix.SizeofRtMsg:]) {
			switch {
			case kind == unix.RTA_OIF:
				through = Uint32(value) == uint32(index)
			case kind == unix.RTA_DST && len(value) == 16:
				multicast = value[0] == 0xff
			}
		}
		return true, through && multicast
	})
	if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) { // the kernel has no IPv6
		return false, nil
	}
	return len(found) > 0, err
}

// HasRoutes reports whether a routing table has routes of either family.
func HasRoutes(s *Socket, table uint32) (bool, error) {
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		ask := Request(unix.RTM_GETROUTE, 0, &nl.RtMsg{RtMsg: unix.RtMsg{Family: uint8(family)}},
			nl.NewRtAttr(unix.RTA_TABLE, nl.Uint32Attr(table)))
		found, err := Dump(s, ask, func(body []byte) (bool, bool) { return true, routeTable(body) == table })
		missing := errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP) // no such table, or no IPv6
		if err != nil && !missing {
			return false, fmt.Errorf("read routes of table %d: %w", table, err)
		}
		if len(found) > 0 {
			return true, nil
		}
	}
	return false, nil
}
