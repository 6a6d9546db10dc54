package netcfg

import (
	"slices"

	"github.com/tunadm/tunadm/internal/link"
)

// A Node is a device with the devices whose master it is, sorted by name.
type Node struct {
	Device *Device
	Ports  []*Node
}

// Tree returns the devices below their masters, which can have masters themselves. The roots are sorted by name. With
// whole it adds the other ports of the masters, which are of any kind.
func (ns *Namespace) Tree(devices []*Device, whole bool) (roots []*Node, err error) {
	links, err := ns.dumpLinks(false, false)
	if err != nil {
		return nil, err
	}
	nodes := map[int]*Node{}
	for _, d := range slices.Concat(links, devices) { // those that were read before know their programs
		nodes[d.Index] = &Node{Device: d}
	}
	shown := map[*Node]bool{}
	for _, d := range devices {
		for n := nodes[d.Index]; n != nil && !shown[n]; n = nodes[n.Device.masterIndex] {
			shown[n] = true
		}
	}
	var sorted, ports []*Node
	for _, n := range nodes {
		if master := nodes[n.Device.masterIndex]; whole && master != nil && shown[master] && !shown[n] {
			ports = append(ports, n)
		} else if shown[n] {
			sorted = append(sorted, n)
		}
	}
	sorted = append(sorted, ports...)
	slices.SortFunc(sorted, func(a, b *Node) int { return link.CompareNames(a.Device.Name, b.Device.Name) })
	for _, n := range sorted {
		if master := nodes[n.Device.masterIndex]; master != nil {
			master.Ports = append(master.Ports, n)
		} else {
			roots = append(roots, n)
		}
	}
	return roots, nil
}
