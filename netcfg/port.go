package netcfg

import (
	"fmt"
	"slices"

	"github.com/tunadm/tunadm/internal/rtnl"
	"golang.org/x/sys/unix"
)

// settings plans the settings of a bridge, or those of a port whose master stays the same.
func (p *planner) settings(l *Link) {
	for s := range p.want.Settings {
		if rtnl.Setting(s).OfPort() && (p.joins() || p.have.MasterKind != Bridge) {
			continue
		}
		if have := p.have.Settings[s]; have == nil {
			l.Settings[s] = p.want.Settings[s]
		} else {
			l.Settings[s] = change(p.want.Settings[s], *have)
		}
	}
}

// joins reports whether the device changes its master.
func (p *planner) joins() bool {
	return p.want.Master != nil && p.want.Master.Name != p.have.Master
}

// port plans the settings and the VLANs of a port after it has joined its bridge. A new port has only VLAN 1.
func (p *planner) port() {
	have, joins := p.have.VLANs, p.joins()
	if joins {
		have = rtnl.NewPort()
		var l Link
		l.Settings.SetPort(&p.want.Settings)
		if len(l.Split()) > 0 {
			p.step(phaseMaster, Step{Kind: StepLink, link: l})
		}
	}
	target := rtnl.Members(have, p.want.PVID, p.want.VLANs)
	if p.want.vlans != nil {
		target = *p.want.vlans
	}
	for _, v := range target {
		if !slices.Contains(have, v) {
			p.step(phaseMaster, Step{Kind: StepAddVLAN, vlan: v})
		}
	}
	for _, v := range have {
		if !slices.ContainsFunc(target, func(t rtnl.VLAN) bool { return t.ID == v.ID }) {
			p.step(phaseMaster, Step{Kind: StepRemoveVLAN, vlan: v})
		}
	}
}

// readVLANs fills in the VLANs of the ports of bridges.
func (ns *Namespace) readVLANs(devices []*Device) error {
	byIndex := map[int]*Device{}
	for _, d := range devices {
		if d.MasterKind == Bridge {
			byIndex[d.Index] = d
		}
	}
	if len(byIndex) == 0 {
		return nil
	}
	_, err := rtnl.Dump(ns.socket, rtnl.AskBridgePorts(), func(body []byte) (p rtnl.Port, ok bool) {
		if p.Unmarshal(body) && byIndex[p.Index] != nil {
			byIndex[p.Index].VLANs = p.VLANs
		}
		return p, false
	})
	if err == unix.EOPNOTSUPP {
		return nil
	}
	return err
}

// describePort adds the settings and the VLANs of a device that differ from those of a new one. It returns in sentences
// what a Spec cannot express.
func (s *Spec) describePort(d *Device) (more []string) {
	for i, value := range d.Settings {
		if value != nil && !rtnl.Setting(i).Usual(*value) {
			s.Settings[i] = value
		}
	}
	pvid, tagged, odd := rtnl.Membership(d.VLANs)
	for _, id := range odd {
		more = append(more, fmt.Sprintf("VLAN %d is only one of pvid and untagged", id))
	}
	if s.PVID = pvid; len(tagged) > 0 {
		s.VLANs = &tagged
	}
	return more
}
