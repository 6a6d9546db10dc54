package evidence

import (
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/rtnl"
)

// An Upper is a link on top of another one, such as a VLAN device or a macvlan.
type Upper struct {
	Index      int
	below      int
	Name, Kind string
	VLAN       uint16 // 0: no VLAN device
}

// Uppers returns the links of this network namespace on top of a link. It reads all links.
func (h *Host) Uppers(index int) (all []Upper) {
	for _, u := range h.related() {
		if u.below == index && u.Kind != "veth" {
			all = append(all, u)
		}
	}
	return all
}

// Peer returns the index of the other end of a veth; 0: it is in another network namespace.
func (h *Host) Peer(index int) int {
	for _, u := range h.related() {
		if u.Index == index && u.Kind == "veth" {
			return u.below
		}
	}
	return 0
}

// related returns the links that name another one of this network namespace.
func (h *Host) related() []Upper {
	return once(&h.uppers, dump(h, rtnl.AskLink(unix.NLM_F_DUMP, 0, "", false), decodeUpper))
}

// decodeUpper skips links whose other end is in another network namespace, where its index is another one.
func decodeUpper(body []byte) (u Upper, ok bool) {
	if len(body) < unix.SizeofIfInfomsg {
		return u, false
	}
	u.Index = int(rtnl.Uint32(body[4:]))
	elsewhere := false
	for kind, value := range rtnl.Attributes(body[unix.SizeofIfInfomsg:]) {
		switch kind {
		case unix.IFLA_LINK:
			u.below = int(rtnl.Uint32(value))
		case unix.IFLA_LINK_NETNSID:
			elsewhere = true
		case unix.IFLA_IFNAME:
			u.Name = strings.TrimRight(string(value), "\x00")
		case unix.IFLA_LINKINFO:
			u.decode(value)
		}
	}
	return u, u.below != 0 && !elsewhere
}

func (u *Upper) decode(info []byte) {
	for kind, value := range rtnl.Attributes(info) {
		switch kind {
		case nl.IFLA_INFO_KIND:
			u.Kind = strings.TrimRight(string(value), "\x00")
		case nl.IFLA_INFO_DATA:
			for kind, value := range rtnl.Attributes(value) {
				if u.Kind == "vlan" && kind == nl.IFLA_VLAN_ID {
					u.VLAN = rtnl.Uint16(value)
				}
			}
		}
	}
}
