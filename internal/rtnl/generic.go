package rtnl

import (
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A Family is a family of generic netlink.
type Family struct {
	ID     int
	Groups map[string]int // the multicast groups
}

// GenericHeader is the size of struct genlmsghdr, with which the messages of a family begin.
const GenericHeader = 4

// Generic returns a request of a family.
func Generic(family, command, flags int, attributes ...nl.NetlinkRequestData) *nl.NetlinkRequest {
	header := &nl.Genlmsg{Command: uint8(command), Version: 1}
	return Request(family, flags, append([]nl.NetlinkRequestData{header}, attributes...)...)
}

// Family returns a family by its name. The error is ENOENT if the kernel has none.
func (s *Socket) Family(name string) (Family, error) {
	f := Family{Groups: map[string]int{}}
	r := Generic(unix.GENL_ID_CTRL, unix.CTRL_CMD_GETFAMILY, unix.NLM_F_ACK,
		nl.NewRtAttr(unix.CTRL_ATTR_FAMILY_NAME, nl.ZeroTerminated(name)))
	err := s.Do(r, func(body []byte) {
		if len(body) < GenericHeader {
			return
		}
		for kind, value := range Attributes(body[GenericHeader:]) {
			switch kind {
			case unix.CTRL_ATTR_FAMILY_ID:
				f.ID = int(Uint16(value))
			case unix.CTRL_ATTR_MCAST_GROUPS:
				f.addGroups(value)
			}
		}
	})
	return f, err
}

func (f *Family) addGroups(list []byte) {
	for _, group := range Attributes(list) {
		name, number := "", 0
		for kind, value := range Attributes(group) {
			switch kind {
			case unix.CTRL_ATTR_MCAST_GRP_NAME:
				name = text(value)
			case unix.CTRL_ATTR_MCAST_GRP_ID:
				number = int(Uint32(value))
			}
		}
		f.Groups[name] = number
	}
}
