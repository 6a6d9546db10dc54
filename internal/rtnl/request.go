package rtnl

import (
	"errors"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// withoutStats is RTEXT_FILTER_SKIP_STATS: it requests links without their counters.
const withoutStats = 1 << 3

// AskLink returns a request for links, for one of them if there is an index or a name.
func AskLink(flags, index int, name string, stats bool) *nl.NetlinkRequest {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	r := Request(unix.RTM_GETLINK, flags, msg)
	if !stats {
		r.AddData(nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(withoutStats)))
	}
	if name != "" {
		kind := unix.IFLA_IFNAME
		if len(name) > link.NameMax {
			kind = unix.IFLA_ALT_IFNAME
		}
		r.AddData(nl.NewRtAttr(kind, nl.ZeroTerminated(name)))
	}
	return r
}

// ChangeLink returns a request to change attributes of one link.
func ChangeLink(index int, attributes ...nl.NetlinkRequestData) *nl.NetlinkRequest {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	return Request(unix.RTM_NEWLINK, unix.NLM_F_ACK, append([]nl.NetlinkRequestData{msg}, attributes...)...)
}

// AskRoutes returns a request for the routes of a family. A protocol or an index other than 0 selects.
func AskRoutes(family, protocol, index int) *nl.NetlinkRequest {
	msg := &nl.RtMsg{RtMsg: unix.RtMsg{Family: uint8(family), Protocol: uint8(protocol)}}
	r := Request(unix.RTM_GETROUTE, 0, msg)
	if index != 0 {
		r.AddData(nl.NewRtAttr(unix.RTA_OIF, nl.Uint32Attr(uint32(index))))
	}
	return r
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

// AddressMode returns how the kernel makes link-local addresses for the device of a link message; known is false if
// the device has no IPv6.
func AddressMode(body []byte) (mode uint8, known bool) {
	if len(body) < unix.SizeofIfInfomsg {
		return 0, false
	}
	for kind, families := range Attributes(body[unix.SizeofIfInfomsg:]) {
		if kind != unix.IFLA_AF_SPEC {
			continue
		}
		for family, settings := range Attributes(families) {
			for setting, value := range Attributes(settings) {
				if family == unix.AF_INET6 && setting == unix.IFLA_INET6_ADDR_GEN_MODE {
					mode, known = firstByte(value), true
				}
			}
		}
	}
	return mode, known
}

// ChangeAddressMode returns a request to change that mode.
func ChangeAddressMode(index int, mode uint8) *nl.NetlinkRequest {
	families := nl.NewRtAttr(unix.IFLA_AF_SPEC, nil)
	families.AddRtAttr(unix.AF_INET6, nil).AddRtAttr(unix.IFLA_INET6_ADDR_GEN_MODE, []byte{mode})
	return ChangeLink(index, families)
}
