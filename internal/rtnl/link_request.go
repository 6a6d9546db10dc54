package rtnl

import (
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
