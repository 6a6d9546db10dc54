package doctor

import (
	"slices"

	"github.com/tunadm/tunadm/internal/trace"
)

// The sights are what single packets show, besides conversations and requests, while doctor watches a device.
type sights struct {
	sources [][6]byte // the MAC addresses whose frames the program receives
	routers discovery
	groups  map[groupSender]int // the frames to link-local groups
	claims  []claim             // the hosts at the ports of the bridge, by what they send

	multicast map[groupUse]int // the packets of the program to multicast groups
}

// notice notes what one packet shows.
func (v *view) notice(e *trace.Event) {
	const most, group = 256, 1 // the bit of an Ethernet address for several hosts
	if e.Passes() && e.ToProgram && e.Device == v.device.Name && e.ToMAC[0]&group == 0 &&
		len(v.sights.sources) < most && !slices.Contains(v.sights.sources, e.FromMAC) {
		v.sights.sources = append(v.sights.sources, e.FromMAC)
	}
	v.noteDiscovery(e)
	v.noteGroup(e)
	v.noteClaim(e)
	v.noteMulticast(e)
}

// shown finds causes that single packets show, if nothing else explains what fails.
func (v *view) shown() []Finding {
	for _, cause := range []struct {
		check string
		look  func() []Finding
	}{
		{"advertisement", v.noRouter},
		{"port-ip", v.claimedTwice},
		{"port-flood", v.unforwarded},
		{"listener", v.joinedElsewhere},
	} {
		if found := v.complete(cause.check, cause.look()); len(found) > 0 {
			return found
		}
	}
	return nil
}
