package doctor

import (
	"fmt"
	"strconv"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/trace"
	"github.com/tunadm/tunadm/internal/words"
)

// A groupSender is a port that hands the kernel frames to a link-local group, 01:80:c2:00:00:00 to ...:0f, and the last
// byte of the group.
type groupSender struct {
	port  string
	group byte
}

// noteGroup adds a frame.
func (v *view) noteGroup(e *trace.Event) {
	const last = 0x0f
	to := e.ToMAC
	if !e.Passes() || e.ToProgram || [5]byte(to[:5]) != [5]byte{0x01, 0x80, 0xc2} || to[5] > last {
		return
	}
	if v.sights.groups == nil {
		v.sights.groups = map[groupSender]int{}
	}
	v.sights.groups[groupSender{e.Device, to[5]}]++
}

// unforwarded finds frames to a link-local group, such as those of LLDP, which the program sends and one behind another
// port too, and which the bridge does not forward. It leaves out bridges with an address or with other links than
// TUN/TAP devices: there, such frames are for the bridge or a program of this host.
func (v *view) unforwarded() []Finding {
	j := &journey{view: v, course: bridged}
	p, br := j.port()
	if p == nil || br == nil || len(own(br)) > 0 || !v.programsOnly() || v.host.Captured(p.Index) ||
		v.host.Captured(br.Index) {
		return nil
	}
	b := v.host.Bridge(br.Index)
	if b == nil {
		return nil
	}
	for l := range v.siblings() {
		const protocols = 2 // the first groups are those of STP and of flow control
		for group := byte(protocols); group < 16; group++ {
			here, there := groupSender{v.device.Name, group}, groupSender{l.Name, group}
			bit := 1 << group
			if v.sights.groups[here] == 0 || v.sights.groups[there] == 0 || (b.GroupForward|p.GroupForward)&bit != 0 ||
				v.host.Captured(l.Index) {
				continue
			}
			return v.unforwardedGroup(br.Name, l.Name, group, b.GroupForward|bit)
		}
	}
	return nil
}

// unforwardedGroup reports that a bridge forwards no frames to a link-local group.
func (v *view) unforwardedGroup(bridge, other string, group byte, mask int) []Finding {
	const lacp, dot1x, lldp = 0x02, 0x03, 0x0e
	address := link.MAC{0x01, 0x80, 0xc2, 0, 0, group}.String()
	kind := map[byte]string{lacp: ", such as those of LACP", dot1x: ", such as those of IEEE 802.1X",
		lldp: ", such as those of LLDP"}[group]
	forward := fix.Run(ip("link", "set", "dev", bridge, "type", "bridge", "group_fwd_mask",
		"0x"+strconv.FormatInt(int64(mask), 16)))
	if group == lacp { // only ports can be told to forward these
		bit := "0x" + strconv.FormatInt(1<<group, 16)
		port := func(name string) fix.Command {
			return ip("link", "set", "dev", name, "type", "bridge_slave", "group_fwd_mask", bit)
		}
		forward = fix.Run(port(v.device.Name), port(other))
	}
	here, there := v.sights.groups[groupSender{v.device.Name, group}], v.sights.groups[groupSender{other, group}]
	return one(Warning, fmt.Sprintf("the bridge %s does not forward frames to %s%s (group_fwd_mask)",
		words.Escape(bridge), address, kind), fmt.Sprintf("bridges keep frames to link-local groups for themselves; "+
		"seen just now: %s of the program, and %d of the one behind %s: neither receives those of the other",
		packets(uint64(here)), there, words.Escape(other)), forward)
}
