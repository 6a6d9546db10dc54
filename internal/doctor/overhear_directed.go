package doctor

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/trace"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// isDirected reports whether the program sends a packet to the broadcast address of another network of this host, as
// programs do that wake machines there.
func (v *view) isDirected(e trace.Event) bool {
	const group = 1 // the bit of an Ethernet address for several hosts
	return !e.ToProgram && e.ToMAC[0]&group == 0 && v.broadcastLink(flow.Packet{To: e.To}) != nil
}

// broadcastLink returns the link, other than that of the device, whose broadcast address the packet has.
func (v *view) broadcastLink(p flow.Packet) *netcfg.Device {
	way, err := v.host.Find(flow.Packet{To: p.To})
	if err != nil || way.Refusal != 0 || way.Type != unix.RTN_BROADCAST || way.Index == v.layer3().Index {
		return nil
	}
	return v.byIndex(way.Index)
}

// directedBroadcast finds broadcasts to another network, which the kernel forwards only if it is told to.
func (v *view) directedBroadcast(c *conversation) []Finding {
	l, in := v.broadcastLink(c.Packet), v.layer3().Name
	if l == nil {
		return nil
	}
	var set []fix.Command
	for _, where := range []string{"all", in} {
		if value, _ := v.setting("ipv4", where, "bc_forwarding"); value == "0" {
			set = append(set, fix.Sysctl("ipv4", where, "bc_forwarding", "1"))
		}
	}
	if len(set) == 0 {
		return nil
	}
	return one(Warning, "this host does not forward broadcasts of the program to the network of "+words.Escape(l.Name)+
		" (bc_forwarding)", fmt.Sprintf("%s is the broadcast address there", c.To), fix.Run(set...))
}
