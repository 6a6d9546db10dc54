package doctor

import (
	"net/netip"

	"github.com/tunadm/tunadm/netcfg"
)

// An index finds links without a walk through all of them.
type index struct {
	all     []*netcfg.Device          // every link, in the kernel's order; nil: only some are known
	names   map[string]*netcfg.Device // with alternative names; nil: there is none
	numbers map[int]*netcfg.Device    // nil: there is none
	subnets map[netip.Prefix][]*netcfg.Device
	macs    map[string][]*netcfg.Device // by master and MAC address
}

func newIndex() *index {
	return &index{names: map[string]*netcfg.Device{}, numbers: map[int]*netcfg.Device{},
		subnets: map[netip.Prefix][]*netcfg.Device{}, macs: map[string][]*netcfg.Device{}}
}

// indexOf returns the index of all links.
func indexOf(all []*netcfg.Device) *index {
	x := newIndex()
	x.all = all
	for _, l := range all {
		x.add(l)
		for _, a := range own(l) {
			s := a.Subnet() // thousands may have the same
			if with := x.subnets[s]; len(with) == 0 || with[len(with)-1] != l {
				x.subnets[s] = append(with, l)
			}
		}
		if l.Master != "" {
			key := l.Master + " " + l.MAC.String()
			x.macs[key] = append(x.macs[key], l)
		}
	}
	return x
}

// add adds a link by its index and its names.
func (x *index) add(l *netcfg.Device) {
	x.numbers[l.Index] = l
	for _, name := range append([]string{l.Name}, l.AltNames...) {
		x.names[name] = l
	}
}
