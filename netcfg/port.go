package netcfg

import (
	"slices"

	"github.com/tunadm/tunadm/internal/driver"
	"github.com/tunadm/tunadm/internal/rtnl"
)

// settings plans the settings of a bridge, or those of a port whose master stays the same.
func (p *planner) settings(l *Link) {
	for i, asked := range p.want.Settings {
		s, have := rtnl.Setting(i), p.have.Settings[i]
		ofOther := s.OfPort() && (p.joins() || p.have.MasterKind != Bridge)
		if have == nil && (s == rtnl.VLANFiltering || s == rtnl.VLANDefaultPVID) {
			have = new(s.New()) // a new bridge, or a kernel that cannot filter
		}
		if asked != nil && !ofOther && p.have.byTree[s] == "" && (have == nil || *have != *asked) {
			l.Settings[i] = asked
		}
	}
}

// joins reports whether the device changes its master.
func (p *planner) joins() bool {
	return p.want.Master != nil && p.want.Master.Name != p.have.Master
}

// port plans the settings and the VLANs of a port after it has joined its bridge.
func (p *planner) port() {
	have, joins := p.have.VLANs, p.joins()
	if joins {
		have = rtnl.NewPort(p.want.Master.pvid)
		var l Link
		l.Settings.SetPort(&p.want.Settings)
		if !l.Empty() {
			p.step(phaseMaster, Step{Kind: StepLink, link: &l})
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

// readVLANs fills in the VLANs of the ports of bridges. They are nil if the kernel does not filter VLANs.
func (ns *Namespace) readVLANs(devices []*Device) error {
	ports := matching(devices, func(d *Device) bool { return d.MasterKind == Bridge })
	if len(ports) == 0 {
		return nil
	}
	vlans, err := rtnl.PortVLANs(ns.socket)
	for _, d := range ports {
		if vlans != nil {
			d.VLANs = append([]rtnl.VLAN{}, vlans[d.Index]...)
		}
	}
	return err
}

// readOwnDelay reads the delay of a bridge for which netlink reports that of the root of the spanning tree.
func (ns *Namespace) readOwnDelay(d *Device) {
	if d.byTree[rtnl.ForwardDelay] == "" || ns.features&ownDelay == 0 {
		return
	}
	if delay, err := driver.ForwardDelay(ns.socket.FD(), d.Name); err == nil {
		d.Settings[rtnl.ForwardDelay] = &delay
		delete(d.byTree, rtnl.ForwardDelay)
	}
}
