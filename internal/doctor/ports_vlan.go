package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/words"
)

// portVLAN finds a port whose frames go nowhere because the bridge filters VLANs.
func portVLAN(j *journey) []Finding {
	p, br := j.port()
	if p == nil || br == nil {
		return nil
	}
	b, self := j.host.Bridge(br.Index), j.host.Ports()[br.Index]
	if b == nil || !b.VLANFiltering || self == nil {
		return nil
	}
	name, master := j.device.Name, words.Escape(br.Name)
	others := j.otherPorts(p)
	usual := usualVLAN(self, others)
	join := fix.Run(fix.InNamespace("bridge", "vlan", "add", "dev", name, "vid", usual, "pvid", "untagged"))
	if len(p.VLANs) == 0 {
		return one(Error, "the bridge "+master+" filters VLANs, and the port is in none",
			"the bridge drops every frame from and to it", join)
	}
	for _, v := range p.VLANs {
		if v.PVID && !v.Untagged {
			return one(Warning, fmt.Sprintf("frames without a tag from the program are in VLAN %d, "+
				"but frames of this VLAN to the program have a tag", v.ID),
				"the program drops them if it expects no tag",
				fix.Run(fix.InNamespace("bridge", "vlan", "add", "dev", name, "vid", strconv.Itoa(int(v.ID)), "pvid",
					"untagged")))
		}
	}
	switch {
	case !p.Shares(self) && !slices.ContainsFunc(others, p.Shares) && (len(others) > 0 || len(own(br)) > 0):
		return one(Error, fmt.Sprintf("the port is in %s, which neither another port of the bridge %s nor the bridge "+
			"itself is in", vlanWords(p.VLANs), master),
			"the bridge filters VLANs, so frames from the program reach neither this host nor another port", join)
	case len(own(br)) > 0 && !slices.ContainsFunc(append(others, p), self.Shares):
		return one(Error, fmt.Sprintf("the bridge %s is in %s, which no port is in", master, vlanWords(self.VLANs)),
			"the bridge filters VLANs, so its address "+own(br)[0].Local.String()+" is not reached from any port",
			fix.Run(fix.InNamespace("bridge", "vlan", "add", "dev", br.Name, "vid", usualVLAN(p, nil), "pvid",
				"untagged", "self")))
	}
	return ok("the port is in " + vlanWords(p.VLANs))
}

// otherPorts returns the other ports of the bridge of a port.
func (j *journey) otherPorts(p *evidence.Port) (others []*evidence.Port) {
	for _, o := range j.host.Ports() {
		if o.Bridge == p.Bridge && o.Index != p.Index && o.Index != p.Bridge {
			others = append(others, o)
		}
	}
	slices.SortFunc(others, func(a, b *evidence.Port) int { return a.Index - b.Index })
	return others
}

// usualVLAN returns the VLAN of frames without a tag of the bridge itself, or of another port, as a word.
func usualVLAN(self *evidence.Port, others []*evidence.Port) string {
	for _, p := range append([]*evidence.Port{self}, others...) {
		for _, v := range p.VLANs {
			if v.PVID {
				return strconv.Itoa(int(v.ID))
			}
		}
	}
	return "1"
}

// vlanWords returns the VLANs of a port in words; of many, the first ones.
func vlanWords(all []evidence.VLAN) string {
	const most = 8
	if len(all) == 0 {
		return "no VLAN"
	}
	var list []string
	for _, v := range all[:min(most, len(all))] {
		list = append(list, strconv.Itoa(int(v.ID)))
	}
	if len(all) > most {
		list = append(list, "...")
	}
	return "VLAN " + strings.Join(list, ", ")
}
