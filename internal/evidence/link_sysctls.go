package evidence

import (
	"strconv"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/rtnl"
)

// The attributes of IFLA_AF_SPEC.
const (
	inetConf     = 1 // IFLA_INET_CONF
	inet6Conf    = 2 // IFLA_INET6_CONF
	inet6GenMode = 8 // IFLA_INET6_ADDR_GEN_MODE
)

// A configuration is the sysctls of a link as the kernel's arrays of numbers.
type configuration struct {
	index          int
	inet, inet6    []byte
	addressGenMode string
}

// position returns the place of a sysctl in the array of its family (IPV4_DEVCONF_* less 1, DEVCONF_*).
func position(family, name string) (at int, known bool) {
	at, known = map[string]int{
		"ipv4/forwarding": 0, "ipv4/rp_filter": 7, "ipv4/accept_local": 22, "ipv4/ignore_routes_with_linkdown": 28,
		"ipv6/forwarding": 0, "ipv6/disable_ipv6": 26, "ipv6/accept_dad": 27, "ipv6/ignore_routes_with_linkdown": 39,
	}[family+"/"+name]
	return at, known
}

// LinkSysctl returns a sysctl below /proc/sys/net/FAMILY/conf of a link. It reads those of all links at once. ok is
// false if it does not know the sysctl.
func (h *Host) LinkSysctl(index int, family, name string) (value string, ok bool) {
	if h.configurations == nil {
		add := h.LinkSysctls()
		_, _ = rtnl.Dump(h.socket, rtnl.AskLink(0, 0, "", false), func(body []byte) (none struct{}, ok bool) {
			add(body)
			return none, false
		})
	}
	c := h.configurations[index]
	if c == nil {
		return "", false
	}
	if family == "ipv6" && name == "addr_gen_mode" {
		return c.addressGenMode, c.addressGenMode != ""
	}
	list := c.inet
	if family == "ipv6" {
		list = c.inet6
	}
	at, known := position(family, name)
	if !known || len(list) < 4*at+4 {
		return "", false
	}
	return strconv.Itoa(int(int32(rtnl.Uint32(list[4*at:])))), true
}

// LinkSysctls forgets the sysctls of all links. It returns a function that adds those of the link of a message of the
// kernel, so that who reads the links reads the sysctls, too.
func (h *Host) LinkSysctls() (add func(body []byte)) {
	all := map[int]*configuration{}
	h.configurations = all
	return func(body []byte) {
		if c, ok := decodeConfiguration(body); ok {
			all[c.index] = &c
		}
	}
}

func decodeConfiguration(body []byte) (c configuration, ok bool) {
	if len(body) < unix.SizeofIfInfomsg {
		return c, false
	}
	c.index = int(rtnl.Uint32(body[4:]))
	for kind, families := range rtnl.Attributes(body[unix.SizeofIfInfomsg:]) {
		if kind != unix.IFLA_AF_SPEC {
			continue
		}
		for family, list := range rtnl.Attributes(families) {
			for kind, value := range rtnl.Attributes(list) {
				switch {
				case family == nl.FAMILY_V4 && kind == inetConf:
					c.inet = append([]byte{}, value...)
				case family == nl.FAMILY_V6 && kind == inet6Conf:
					c.inet6 = append([]byte{}, value...)
				case family == nl.FAMILY_V6 && kind == inet6GenMode && len(value) > 0:
					c.addressGenMode = strconv.Itoa(int(value[0]))
				}
			}
		}
	}
	return c, true
}
