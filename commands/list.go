package commands

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

var listVerb = verb{
	name: "list", aliases: []string{"ls"}, operands: "[NAME...]", operand: devicePattern, patterns: true,
	reads:   true,
	usage:   "list devices, one per line",
	command: func(p *program) command { return &listOptions{program: p} },
}

type listOptions struct {
	*program
	json, names, wide, stats, tree bool

	columns      []column
	sort         *column
	color, netns string

	everywhere bool    // --netns all
	roots      []*node // of --tree
}

func (o *listOptions) flags() []*option {
	netns := netnsFlag(&o.netns)
	netns.Usage += "; or all"
	return []*option{
		switchFlag("json", "print all details of each device as JSON", &o.json),
		switchFlag("names", "print the names only", &o.names),
		valueFlag("columns", "show the `COLUMN,...`: "+strings.Join(columnNames(), ", "), parseColumns, &o.columns),
		valueFlag("sort", "sort by `COLUMN`; with --tree, the devices below each master", parseColumn, &o.sort),
		switchFlag("stats", "show packets, bytes and drops in both directions", &o.stats),
		switchFlag("tree", "show devices below their masters, and programs below devices", &o.tree),
		switchFlag("wide", "hide no column on a narrow terminal", &o.wide),
		colorFlag(&o.color),
		netns,
	}
}

func (o *listOptions) run(names []string) error {
	o.everywhere = isEverywhere(o.netns)
	if err := o.exclude(); err != nil {
		return err
	}
	devices, missing, err := o.read(names)
	if err != nil {
		return err
	}
	if o.sort != nil {
		slices.SortStableFunc(devices, o.sort.compare)
	}
	switch {
	case o.json:
		err = renderJSON(o.stdout, devices)
	case o.names:
		err = renderNames(o.stdout, devices)
	case o.tree:
		err = renderTree(o.stdout, o.roots, inColor(o.color, o.stdout))
	default:
		err = o.table(devices)
	}
	return errors.Join(append(missing, err)...)
}

// read reads no more than is printed: shell completions wait for names.
func (o *listOptions) read(names []string) (devices []*netcfg.Device, missing []error, err error) {
	all := (*netcfg.Namespace).Summaries
	routes := func(c column) bool { return c.name == "routes" }
	if o.json || slices.ContainsFunc(o.columns, routes) || o.sort != nil && routes(*o.sort) {
		all = (*netcfg.Namespace).Devices
	}
	read := all
	switch {
	case o.tree:
		read = func(ns *netcfg.Namespace, matched ...string) (found []*netcfg.Device, err error) {
			if found, err = all(ns, matched...); err == nil {
				devices, _ := present(found, matched)
				o.roots, err = treeOf(ns, devices, len(names) == 0, cmp.Or(o.sort, &column{name: "name"}))
			}
			return found, err
		}
	case o.stats && !o.json && (o.sort == nil || o.sort.traffic), o.names && o.sort == nil:
		read = (*netcfg.Namespace).Counters
	}
	if o.everywhere {
		return readEverywhere(names, read)
	}
	return readDevices(o.netns, names, read)
}

// table prints the devices for people.
func (o *listOptions) table(devices []*netcfg.Device) error {
	chosen, on := o.columns, screen{color: inColor(o.color, o.stdout)}
	if chosen == nil && !o.wide {
		on.width, on.hint = terminalWidth(o.stdout), " (--wide shows all)"
	}
	switch {
	case o.stats:
		chosen = statsColumns()
	case chosen == nil:
		chosen = usualColumns()
	}
	if o.everywhere && o.columns == nil {
		netns, err := parseColumn("netns")
		if err != nil {
			return err
		}
		chosen = slices.Insert(chosen, 0, *netns)
	}
	return renderTable(o.stdout, devices, chosen, on)
}

// exclude returns an error for each pair of flags that contradict each other.
func (o *listOptions) exclude() error {
	return exclusive([]pair{
		{o.json && o.names, "--json", "--names"},
		{o.columns != nil && o.json, "--columns", "--json"},
		{o.columns != nil && o.names, "--columns", "--names"},
		{o.stats && o.names, "--stats", "--names"},
		{o.stats && o.columns != nil, "--stats", "--columns"},
		{o.tree && o.json, "--tree", "--json"},
		{o.tree && o.names, "--tree", "--names"},
		{o.tree && o.columns != nil, "--tree", "--columns"},
		{o.tree && o.stats, "--tree", "--stats"},
		{o.tree && o.everywhere, "--tree", "--netns all"},
		{o.names && o.everywhere, "--names", "--netns all"},
	})
}

// renderNames prints a name per line.
func renderNames(to io.Writer, devices []*netcfg.Device) error {
	out := bufio.NewWriter(to)
	for _, d := range devices {
		fmt.Fprintln(out, words.Escape(d.Name))
	}
	return out.Flush()
}
