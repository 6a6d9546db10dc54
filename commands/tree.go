package commands

import (
	"bufio"
	"cmp"
	"io"
	"os"
	"strings"

	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

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
func renderTree(to io.Writer, roots []*netcfg.Node, color bool) error {
	out := bufio.NewWriter(to)
	lines := localBranches()
	for _, root := range roots {
		lines.write(out, root, "", "", color)
	}
	return out.Flush()
}

// write prints a node after the lines that lead to it; below stands before its children.
func (b branches) write(out *bufio.Writer, n *netcfg.Node, before, below string, color bool) {
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
