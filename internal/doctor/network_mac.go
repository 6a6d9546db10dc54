package doctor

import (
	"fmt"
	"slices"
	"time"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/words"
)

// hostMACOnly finds a host in the network behind another port of the bridge that answers this host, and is alive, but
// no frame from there answers the program, which asks for it again: that network may accept only the MAC address of
// this host.
func (j *journey) hostMACOnly(r *request) []Finding {
	p, br := j.port()
	if p == nil || br == nil || r.passed || r.port != j.device.Name || r.count < 2 || len(r.source) == 0 {
		return nil
	}
	mac := j.neighbourMAC(br.Index, r)
	at := j.seenSince(br.Index, mac, r.since)
	leads := func(o *evidence.Port) bool { return o.Index == at }
	if mac == nil || at == 0 || !slices.ContainsFunc(j.uplinks(p), leads) {
		return nil
	}
	if len(j.host.Filters(at, evidence.Ingress))+len(j.host.Filters(at, evidence.Egress)) > 0 {
		return nil // one of these may drop the frames
	}
	answers := func(f evidence.Neighbour) bool {
		return f.Index == at && len(f.MAC) == 6 && slices.Contains(j.sights.sources, [6]byte(f.MAC))
	}
	if slices.ContainsFunc(j.host.Frames(br.Index), answers) {
		return nil
	}
	name := j.nameOf(at)
	return one(Warning, fmt.Sprintf("the network behind %s answers this host (MAC address %s), but not the program "+
		"(%s): %s has told this host its MAC address, and sends frames now", name, br.MAC, r.source, r.asks),
		"a network that accepts only the MAC address of "+name+" does this: a virtual switch that rejects forged "+
			"transmits or promiscuous mode, a cloud that filters MAC addresses, port security, or a WLAN",
		fix.Sentence("allow promiscuous mode and forged transmits (other MAC addresses) for "+name+
			" at its hypervisor or switch"),
		fix.Sentence("or route instead: give the program a network of its own on "+words.Escape(br.Name)+
			" without "+name+", and masquerade it"))
}

// neighbourMAC returns the MAC address that the asked host has told this host; nil: none.
func (v *view) neighbourMAC(index int, r *request) link.MAC {
	for _, n := range v.host.Neighbours(index) {
		if n.To == r.asks && n.Confirmed() {
			return n.MAC
		}
	}
	return nil
}

// seenSince returns the port of the bridge at which a MAC address has sent frames since a time; 0: none.
func (j *journey) seenSince(bridge int, mac link.MAC, since time.Time) int {
	for _, f := range j.host.FramesNow(bridge) {
		if f.Bridge == bridge && !f.Static() && slices.Equal(f.MAC, mac) && f.Age < time.Since(since) {
			return f.Index
		}
	}
	return 0
}
