package doctor

import (
	"fmt"
	"slices"
	"time"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/poll"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// movingMAC finds a MAC address that two programs have: the bridge learns it now at one port, now at the other. It
// looks only if there is traffic, and if a port has sent frames and no address is known behind it; longer if two
// addresses of the neighbour table have one MAC address.
func (j *journey) movingMAC(p *evidence.Port, br *netcfg.Device) []Finding {
	const while, longer, pause, recent = 300 * time.Millisecond, 2500 * time.Millisecond, 3 * time.Millisecond,
		2 * time.Second
	silent := func(o *evidence.Port) bool {
		l := j.byIndex(o.Index)
		return l != nil && l.Up && l.Stats.RxPackets > 0 && o.Learning && len(j.behind(o)) == 0
	}
	current := func(n evidence.Neighbour) bool { return n.Bridge == br.Index && !n.Static() && n.Age < recent }
	if !silent(p) && !slices.ContainsFunc(j.otherPorts(p), silent) ||
		!slices.ContainsFunc(j.host.Frames(br.Index), current) {
		return nil
	}
	twin, limit := j.twins(br), poll.Patient(while)
	if twin != "" {
		limit = poll.Patient(longer)
	}
	at, moves := map[string]int{}, map[string]int{} // by MAC address and VLAN: its port; how often it came to or left p
	before, learned := j.host.Written(p.Index), false
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(pause) {
		for _, n := range j.host.FramesNow(br.Index) {
			key := fmt.Sprint(n.MAC, " ", n.VLAN)
			old := at[key]
			if !current(n) {
				continue
			}
			at[key] = n.Index
			learned = learned || n.Index == p.Index
			if old == 0 || old == n.Index || old != p.Index && n.Index != p.Index {
				continue
			}
			if moves[key]++; moves[key] > 1 {
				return j.twoPrograms(br, n.MAC.String(), old+n.Index-p.Index, fmt.Sprintf("its entry moves between "+
					"the two ports, %d times in %s", moves[key], limit-time.Until(end).Round(time.Millisecond)))
			}
		}
	}
	for key, port := range at {
		if wrote := j.host.Written(p.Index) - before; !learned && wrote > 0 && key[:len(twin)] == twin && twin != "" {
			return j.twoPrograms(br, twin, port, fmt.Sprintf("the bridge has learned no address of the last %s of "+
				"this program, and two IP addresses have this MAC address", packets(wrote)))
		}
	}
	return nil
}

// twins returns a MAC address that two neighbours of one family behind the bridge have, or "".
func (j *journey) twins(br *netcfg.Device) string {
	all := j.host.Neighbours(br.Index)
	for i, a := range all {
		if !a.Confirmed() || a.To.IsLinkLocalUnicast() {
			continue
		}
		for _, b := range all[:i] {
			if b.Confirmed() && b.To.Is6() == a.To.Is6() && !b.To.IsLinkLocalUnicast() && slices.Equal(a.MAC, b.MAC) {
				return a.MAC.String()
			}
		}
	}
	return ""
}

// twoPrograms reports that the program has the MAC address of another one, behind another port.
func (j *journey) twoPrograms(br *netcfg.Device, mac string, port int, evidence string) []Finding {
	return one(Error, fmt.Sprintf("two programs have the same MAC address %s, one here and one behind %s: %s", mac,
		j.nameOf(port), evidence), fmt.Sprintf("the bridge %s gives frames to this address only to the one that has "+
		"sent last", words.Escape(br.Name)),
		fix.Sentence("give one of the two programs, such as cloned virtual machines, another MAC address"))
}
