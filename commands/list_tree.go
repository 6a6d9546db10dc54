package commands

import (
	"bufio"
	"cmp"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// A node is a device with the devices whose master it is, sorted by name.
type node struct {
	Device *netcfg.Device
	Ports  []*node
}

// treeOf returns the devices below their masters, which can have masters themselves. The roots and the ports of each
// master are sorted by a column, and then by name. With whole it adds the other ports of the masters, of any kind.
func treeOf(ns *netcfg.Namespace, devices []*netcfg.Device, whole bool, by *column) (roots []*node, err error) {
	links, err := ns.AllLinks()
	if err != nil {
		return nil, err
	}
	nodes := map[int]*node{}
	for _, d := range slices.Concat(links, devices) { // those that were read before know their programs
		nodes[d.Index] = &node{Device: d}
	}
	shown := map[*node]bool{}
	for _, d := range devices {
		for n := nodes[d.Index]; n != nil && !shown[n]; n = nodes[n.Device.MasterIndex()] {
			shown[n] = true
		}
	}
	var sorted, ports []*node
	for _, n := range nodes {
		if master := nodes[n.Device.MasterIndex()]; whole && master != nil && shown[master] && !shown[n] {
			ports = append(ports, n)
		} else if shown[n] {
			sorted = append(sorted, n)
		}
	}
	sorted = append(sorted, ports...)
	slices.SortFunc(sorted, func(a, b *node) int {
		return cmp.Or(by.compare(a.Device, b.Device), link.CompareNames(a.Device.Name, b.Device.Name))
	})
	for _, n := range sorted {
		if master := nodes[n.Device.MasterIndex()]; master != nil {
			master.Ports = append(master.Ports, n)
		} else {
			roots = append(roots, n)
		}
	}
	return roots, nil
}

// branches are the lines of a tree: before a child, before the last child, and below each of them.
type branches struct{ child, last, below, belowLast string }

// localBranches returns lines of characters that the locale has.
func localBranches() branches {
	locale := cmp.Or(os.Getenv("LC_ALL"), os.Getenv("LC_CTYPE"), os.Getenv("LANG"))
	if strings.Contains(strings.ReplaceAll(strings.ToLower(locale), "-", ""), "utf8") {
		return branches{"├─ ", "└─ ", "│  ", "   "}
	}
	return branches{"|- ", "`- ", "|  ", "   "}
}

// renderTree prints a device per line, with its ports and the attached programs below it.
func renderTree(to io.Writer, roots []*node, color bool) error {
	out := bufio.NewWriter(to)
	lines := localBranches()
	for _, root := range roots {
		lines.write(out, root, "", "", color)
	}
	return out.Flush()
}

// write prints a node after before, the lines above it, and its children after below.
func (b branches) write(out *bufio.Writer, n *node, before, below string, color bool) {
	d := n.Device
	out.WriteString(before + words.Escape(d.Name))
	kind, state := words.Escape(d.Kind), d.State()
	if d.Kind == "tun" {
		kind = d.Mode.String()
	}
	if kind != "" { // a network card has none
		out.WriteString("  " + kind)
	}
	if color {
		state = paint(state)
	}
	out.WriteString("  " + state + "\n")
	programs := usedBy(d)
	for i, p := range programs {
		line, _ := b.at(i, len(programs)+len(n.Ports))
		out.WriteString(below + line + p + "\n")
	}
	for i, port := range n.Ports {
		line, next := b.at(len(programs)+i, len(programs)+len(n.Ports))
		b.write(out, port, below+line, below+next, color)
	}
}

// at returns the lines before and below the i-th of n children.
func (b branches) at(i, n int) (before, below string) {
	if i == n-1 {
		return b.last, b.belowLast
	}
	return b.child, b.below
}
