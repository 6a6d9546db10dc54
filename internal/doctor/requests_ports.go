package doctor

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/words"
)

// apart finds a host that asks for one behind another port of the bridge, of which the bridge sends nothing there: one
// of the two hosts is behind the device.
func (j *journey) apart(r *request, asked []*request) []Finding {
	p, br := j.port()
	if p == nil || br == nil {
		return nil
	}
	near, far := j.heardAt(r.from, asked), j.heardAt(r.asks, asked)
	if near != p.Index {
		near, far = far, near
	}
	o := j.host.Ports()[far]
	b := j.host.Bridge(br.Index)
	if near != p.Index || o == nil || o.Index == p.Index || o.Index == br.Index || b == nil || r.passed {
		return nil
	}
	if p.Isolated && o.Isolated {
		return isolatedFrom(j, o, r)
	}
	found := j.closed(p, o, b, br)
	if found == nil {
		return nil
	}
	return found[:1]
}

// isolatedFrom reports that the ports of two hosts are isolated. Often that is intended, until they require each other.
func isolatedFrom(j *journey, o *evidence.Port, r *request) []Finding {
	host := r.asks
	if r.port != j.device.Name {
		host = r.from
	}
	return one(Warning, fmt.Sprintf("the port is isolated, like %s, the port of %s", j.nameOf(o.Index), host),
		"the bridge passes no frame between isolated ports",
		fix.Run(fix.InNamespace("bridge", "link", "set", "dev", j.device.Name, "isolated", "off")))
}

// heardAt returns the index of the port behind which a host is: it has just sent a request there, or the bridge has
// seen it; 0: not known.
func (j *journey) heardAt(host netip.Addr, asked []*request) int {
	for _, r := range asked {
		if l := j.link(r.port); r.from == host && l != nil {
			return l.Index
		}
	}
	return j.portOf(host)
}

// unjoined finds neighbour solicitations that the bridge sends to no port of a host that may be meant: with multicast
// snooping, it sends them only to hosts that reported their groups (MLD).
func (j *journey) unjoined(r *request) []Finding {
	p, br := j.port()
	if p == nil || br == nil || !r.group.IsMulticast() || !r.group.Is6() || r.passed || j.isOwn(r.asks) {
		return nil
	}
	b, groups := j.host.Bridge(br.Index), j.host.Groups()
	if b == nil || !b.MulticastSnooping || slices.ContainsFunc(groups, func(g evidence.Group) bool {
		return g.Bridge == br.Index && g.To == r.group
	}) {
		return nil
	}
	candidates := []*evidence.Port{p}
	if r.port == j.device.Name {
		candidates = j.otherPorts(p)
	}
	var silent []*evidence.Port
	for _, q := range candidates {
		if q.State == evidence.PortForwarding && len(j.behind(q)) > 0 && (b.Querier6 || !q.FloodMulticast) &&
			silentAt(q, b, groups) {
			silent = append(silent, q)
		}
	}
	if len(silent) == 0 {
		return nil
	}
	name, master := j.nameOf(silent[0].Index), words.Escape(br.Name)
	off := fix.Run(ip("link", "set", "dev", br.Name, "type", "bridge", "mcast_snooping", "0"))
	why := "a router or the bridge itself sends queries, so the bridge sends multicast only to ports of known groups"
	if !b.Querier6 {
		why = "mcast_flood is off at this port"
		off = fix.Run(fix.InNamespace("bridge", "link", "set", "dev", j.called(silent[0].Index), "mcast_flood", "on"))
	}
	return one(Warning, fmt.Sprintf("the bridge %s sends the neighbour solicitations for %s to no port of a host "+
		"(mcast_snooping 1): the host behind %s sends no MLD reports", master, r.asks, name),
		"IPv6 neighbour discovery does not reach that host; "+why, off,
		fix.Sentence("or let the MLD reports of that host pass its firewall"))
}

// silentAt reports whether the hosts behind a port have reported none of their groups of neighbour discovery, or none
// since this host and those behind all other ports answered a query.
func silentAt(q *evidence.Port, b *evidence.Bridge, groups []evidence.Group) bool {
	const margin = time.Second
	reported, latest, others, own := false, time.Duration(0), time.Duration(math.MaxInt64), false
	for _, g := range groups {
		switch {
		case g.Bridge != q.Bridge || !solicitedNode.Contains(g.To):
		case g.Port == q.Index:
			if reported, latest = true, max(latest, g.Left); g.Left == 0 {
				return false
			}
		case g.Left > 0:
			others, own = min(others, g.Left), own || g.Port == g.Bridge
		}
	}
	return !reported || own && others-latest > b.QueryResponse+margin
}

// solicitedNode has the groups of neighbour discovery.
var solicitedNode = netip.MustParsePrefix("ff02::1:ff00:0/104")
