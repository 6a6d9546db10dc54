package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/poll"
	"github.com/tunadm/tunadm/internal/trace"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// A claim is an IPv4 address, and the MAC address and the port from which it sends.
type claim struct {
	evidence.Sender
	port string
}

func (c claim) mac() link.MAC { return c.MAC[:] }

// noteClaim notes the IPv4 address that the sender of a frame has: that of an ARP packet, or of a packet that no router
// has forwarded.
func (v *view) noteClaim(e *trace.Event) {
	const most = 256
	c := claim{evidence.Sender{From: e.From, MAC: e.FromMAC}, e.Device}
	own := e.Asks.Is4() || e.Tells.Is4() || evidence.IsInitialTTL(e.TTL)
	if e.Passes() && !e.ToProgram && own && e.From.Is4() && oneHost(e.From) && e.FromMAC != [6]byte{} &&
		len(v.sights.claims) < most && !slices.Contains(v.sights.claims, c) {
		v.sights.claims = append(v.sights.claims, c)
	}
}

// claimedTwice finds an IPv4 address from which the program and a host behind another port of the bridge send; or which
// this host knows as the address of such a host, which sends now. A MAC address with several IP addresses is no
// evidence, see portIP, and neither is one program with two devices: a host with two links answers ARP through both.
func (v *view) claimedTwice() []Finding {
	recent := poll.Patient(4 * time.Second) // a little more than doctor watches
	j := &journey{view: v, course: bridged}
	p, br := j.port()
	if p == nil || br == nil || len(v.sights.claims) == 0 {
		return nil
	}
	if b := v.host.Bridge(br.Index); b == nil || b.VLANFiltering {
		return nil // networks of two VLANs may have the same addresses
	}
	known, frames := v.host.NeighboursNow(br.Index), v.host.FramesNow(br.Index)
	at := func(mac link.MAC) (found evidence.Neighbour) {
		i := slices.IndexFunc(frames, func(f evidence.Neighbour) bool {
			return f.Bridge == br.Index && !f.Static() && f.Index != br.Index && slices.Equal(f.MAC, mac)
		})
		if i >= 0 {
			found = frames[i]
		}
		return found
	}
	same := v.heldToo(v.device)
	twice := func(port int) bool {
		return slices.ContainsFunc(same, func(d *netcfg.Device) bool { return d.Index == port })
	}
	for _, c := range v.sights.claims {
		if c.port != v.device.Name || at(c.mac()).Index != p.Index || v.hasMore(c.mac(), c.From, known) {
			continue
		}
		for level, others := range [][]link.MAC{Error: v.claimants(c), Warning: c.known(known)} {
			for _, mac := range others {
				o := at(mac)
				if o.Index != 0 && o.Index != p.Index && o.Age < recent && !twice(o.Index) &&
					!v.hasMore(mac, c.From, known) {
					return j.twoOf(Level(level), c.From, o.Index, [2]string{c.mac().String(), mac.String()}, br)
				}
			}
		}
	}
	return nil
}

// claimants returns the MAC addresses behind other ports that send from the address of a claim.
func (v *view) claimants(c claim) (all []link.MAC) {
	for _, o := range v.sights.claims {
		if o.From == c.From && o.port != c.port && o.MAC != c.MAC {
			all = append(all, o.mac())
		}
	}
	return all
}

// known returns the other MAC addresses that the neighbour table has for the address of a claim.
func (c claim) known(table []evidence.Neighbour) (all []link.MAC) {
	for _, n := range table {
		if n.To == c.From && n.Confirmed() && !slices.Equal(n.MAC, c.mac()) {
			all = append(all, n.MAC)
		}
	}
	return all
}

// hasMore reports whether a MAC address is known to have another IPv4 address, too.
func (v *view) hasMore(mac link.MAC, ip netip.Addr, known []evidence.Neighbour) bool {
	return slices.ContainsFunc(known, func(n evidence.Neighbour) bool {
		return n.To.Is4() && n.To != ip && slices.Equal(n.MAC, mac)
	}) || slices.ContainsFunc(v.sights.claims, func(c claim) bool {
		return c.From != ip && slices.Equal(c.mac(), mac)
	})
}

// twoOf reports that the program has the IP address of another one, behind another port.
func (j *journey) twoOf(level Level, ip netip.Addr, port int, macs [2]string, br *netcfg.Device) []Finding {
	return one(level, fmt.Sprintf("two programs have the same IP address %s, one here and one behind %s: "+
		"packets from it come from %s and %s", ip, j.nameOf(port), macs[0], macs[1]),
		fmt.Sprintf("this host sends the packets to %s to one of the two, the one that answered ARP last on %s", ip,
			words.Escape(br.Name)),
		fix.Sentence("give one of the two programs, such as cloned virtual machines, another IP address"))
}
