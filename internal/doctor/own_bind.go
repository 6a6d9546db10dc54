package doctor

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// ownBind finds an attached program with a socket at an address that this host does not have, such as an old one: no
// packet to another address reaches it. Programs that wait for a shared address are started with ip_nonlocal_bind.
func ownBind(v *view) []Finding {
	if !v.asked() {
		return nil
	}
	for _, h := range v.device.Holders {
		for _, s := range v.host.SocketsOf(h.PID) {
			if v.lacks(s) {
				return v.bindFinding(h, s)
			}
		}
	}
	return nil
}

// lacks reports whether the host does not have the local address of the socket.
func (v *view) lacks(s evidence.Socket) bool {
	ip := s.Local.Addr()
	if !s.Listens() || s.Local.Port() == 0 || s.Transparent || !oneHost(ip) || ip.IsLinkLocalUnicast() {
		return false
	}
	family := "ipv4"
	if ip.Is6() {
		family = "ipv6"
	}
	may, err := v.file("/proc/sys/net/" + family + "/ip_nonlocal_bind")
	if err != nil || strings.TrimSpace(string(may)) != "0" {
		return false
	}
	way, err := v.host.Find(flow.Packet{To: ip})
	return err == nil && !way.Local() && way.Type != unix.RTN_BROADCAST && !v.isOwn(ip)
}

func (v *view) bindFinding(h netcfg.Holder, s evidence.Socket) []Finding {
	what := fmt.Sprintf("%s (pid %d), which is attached to it, listens on %s, %s port %d, and this host does not have "+
		"that address", words.Escape(h.Command), h.PID, s.Local.Addr(), protocolName(s.Protocol), s.Local.Port())
	var own []string
	for index, a := range v.addressesOf(s.Local.Addr().Is6()) {
		if usable(a) && !a.Local.IsLoopback() && index != v.device.Index && len(own) < 2 {
			own = append(own, a.Local.String())
		}
	}
	how := "configure the program to listen on an address of this host"
	if len(own) > 0 {
		how += ", such as " + strings.Join(own, " or ")
	}
	return one(Warning, what, "packets to the other addresses of this host do not reach it", fix.Sentence(how))
}
