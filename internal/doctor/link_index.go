package doctor

import (
	"net/netip"
	"slices"

	"github.com/tunadm/tunadm/netcfg"
)

// An index finds links without a walk through all of them.
type index struct {
	names   map[string]*netcfg.Device // with alternative names
	numbers map[int]*netcfg.Device
	subnets map[netip.Prefix][]*netcfg.Device // in the order of the links
	macs    map[string][]*netcfg.Device       // by master and MAC address
}

// index returns the index of the links of the network.
func (v *view) index() *index {
	if v.links != nil {
		return v.links
	}
	x := &index{map[string]*netcfg.Device{}, map[int]*netcfg.Device{}, map[netip.Prefix][]*netcfg.Device{},
		map[string][]*netcfg.Device{}}
	for _, l := range v.network.Links {
		x.numbers[l.Index] = l
		for _, name := range append([]string{l.Name}, l.AltNames...) {
			x.names[name] = l
		}
		for _, a := range own(l) {
			if s := a.Subnet(); !slices.Contains(x.subnets[s], l) {
				x.subnets[s] = append(x.subnets[s], l)
			}
		}
		if l.Master != "" {
			key := l.Master + " " + l.MAC.String()
			x.macs[key] = append(x.macs[key], l)
		}
	}
	v.links = x
	return x
}

// link returns the link with a name or an alternative name, or nil.
func (v *view) link(name string) *netcfg.Device { return v.index().names[name] }

// byIndex returns the link with an index, or nil.
func (v *view) byIndex(number int) *netcfg.Device { return v.index().numbers[number] }

// inSubnet returns the links with an address in this very network.
func (v *view) inSubnet(s netip.Prefix) []*netcfg.Device { return v.index().subnets[s] }

// sharing returns the ports of the master of a device that have its MAC address, with the device.
func (v *view) sharing(d *netcfg.Device) []*netcfg.Device {
	return v.index().macs[d.Master+" "+d.MAC.String()]
}
