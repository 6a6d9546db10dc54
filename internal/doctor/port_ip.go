package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/words"
)

// portIP finds an IPv4 address that two programs have, one of them here: packets from it come from two MAC addresses.
// It listens only if this host talks to the network of the bridge, and knows no IP address of a MAC address that sends
// now: an entry of the neighbour table has room for one of the two.
func portIP(j *journey) []Finding {
	const while, recent = 500 * time.Millisecond, 2 * time.Second
	p, br := j.port()
	if p == nil || br == nil || !br.Up || len(own(br)) == 0 {
		return nil
	}
	known := j.host.Neighbours(br.Index)
	at := map[string]int{} // by MAC address: the port behind which it was seen
	stranger := false
	for _, f := range j.host.FramesNow(br.Index) {
		if f.Bridge != br.Index || f.Static() || f.Index == br.Index {
			continue
		}
		at[f.MAC.String()] = f.Index
		stranger = stranger || f.Age < recent && !slices.ContainsFunc(known, func(n evidence.Neighbour) bool {
			return n.To.Is4() && slices.Equal(n.MAC, f.MAC)
		})
	}
	if len(at) < 2 || !stranger {
		return nil
	}
	var found []Finding
	first := map[netip.Addr]string{}
	j.host.Senders(br.Index, while, func(s evidence.Sender) bool {
		mac := link.MAC(s.MAC[:]).String()
		other, heard := first[s.From]
		if !heard && j.onSubnet(br, s.From) {
			first[s.From] = mac
		}
		here, there := at[mac], at[other]
		if !heard || here == 0 || there == 0 || here == there || here != p.Index && there != p.Index {
			return true
		}
		found = one(Error, fmt.Sprintf("two programs have the same IP address %s, one here and one behind %s: "+
			"packets from it come from %s and %s", s.From, j.nameOf(here+there-p.Index), other, mac),
			fmt.Sprintf("this host sends the packets to %s to one of the two, the one that answered ARP last on %s",
				s.From, words.Escape(br.Name)),
			fix.Sentence("give one of the two programs, such as cloned virtual machines, another IP address"))
		return false
	})
	return found
}
