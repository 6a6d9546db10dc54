package doctor

import (
	"net/netip"
	"slices"
	"time"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/poll"
	"github.com/tunadm/tunadm/netcfg"
)

// portIP finds an IPv4 address that two programs have, one of them here: packets from it come from two MAC addresses.
// It listens only if this host talks to the network of the bridge, and knows no IP address of a MAC address that sends
// now: an entry of the neighbour table has room for one of the two. A MAC address with several IP addresses is no
// evidence: a host with several links answers ARP for each of its addresses through all of them.
func portIP(j *journey) []Finding {
	const while = 500 * time.Millisecond
	p, br := j.port()
	if p == nil || br == nil || !br.Up || len(own(br)) == 0 {
		return nil
	}
	at, stranger := j.sendingNow(br)
	if len(at) < 2 || !stranger {
		return nil
	}
	type claim struct {
		ip   netip.Addr
		macs [2]string // the first ones heard
	}
	var claims []*claim
	uses := map[string]map[netip.Addr]bool{}
	use := func(mac string, ip netip.Addr) {
		if uses[mac] == nil {
			uses[mac] = map[netip.Addr]bool{}
		}
		uses[mac][ip] = true
	}
	for _, n := range j.host.Neighbours(br.Index) {
		if n.To.Is4() && n.MAC != nil {
			use(n.MAC.String(), n.To)
		}
	}
	j.host.Senders(br.Index, poll.Patient(while), func(s evidence.Sender) {
		mac := link.MAC(s.MAC[:]).String()
		if at[mac] == 0 || !j.onSubnet(br, s.From) {
			return
		}
		use(mac, s.From)
		i := slices.IndexFunc(claims, func(c *claim) bool { return c.ip == s.From })
		switch {
		case i < 0:
			claims = append(claims, &claim{s.From, [2]string{mac}})
		case claims[i].macs[0] != mac && at[claims[i].macs[0]] != at[mac]:
			claims[i].macs[1] = mac
		}
	})
	for _, c := range claims {
		here, there := at[c.macs[0]], at[c.macs[1]]
		if there == 0 || here != p.Index && there != p.Index || len(uses[c.macs[0]])+len(uses[c.macs[1]]) > 2 {
			continue
		}
		return j.twoOf(Error, c.ip, here+there-p.Index, c.macs, br)
	}
	return nil
}

// sendingNow returns the ports of a bridge behind which MAC addresses were seen, and whether one of these sends now of
// which this host knows no IPv4 address.
func (j *journey) sendingNow(br *netcfg.Device) (at map[string]int, stranger bool) {
	const recent = 2 * time.Second
	known := j.host.Neighbours(br.Index)
	at = map[string]int{}
	for _, f := range j.host.FramesNow(br.Index) {
		if f.Bridge != br.Index || f.Static() || f.Index == br.Index {
			continue
		}
		at[f.MAC.String()] = f.Index
		stranger = stranger || f.Age < recent && !slices.ContainsFunc(known, func(n evidence.Neighbour) bool {
			return n.To.Is4() && slices.Equal(n.MAC, f.MAC)
		})
	}
	return at, stranger
}
