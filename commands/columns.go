package commands

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// A column is one row of the table of what list can show. Its name is the word for --columns and --sort.
type column struct {
	name    string
	values  func(*netcfg.Device) []string // the lines of the cell; none: absent
	number  func(*netcfg.Device) uint64   // for a column of numbers: the value that --sort compares
	hides   int                           // the order in which columns are hidden on a narrow terminal; 0: never
	extra   bool                          // shown only if --columns names it, or --stats
	traffic bool                          // a counter: aligned to the right, and the most first with --sort
}

// columns returns the table, in the order of the screen.
func columns() []column {
	one := func(text func(*netcfg.Device) string) func(*netcfg.Device) []string {
		return func(d *netcfg.Device) []string {
			if s := text(d); s != "" {
				return []string{words.Escape(s)}
			}
			return nil
		}
	}
	count := func(name string, of func(*netcfg.Device) uint64) column {
		show := one(func(d *netcfg.Device) string { return strconv.FormatUint(of(d), 10) })
		return column{name: name, values: show, number: of}
	}
	mtu := count("mtu", func(d *netcfg.Device) uint64 { return uint64(d.MTU) })
	mtu.hides = 2
	counter := func(name string, hides int, of func(*netcfg.Stats) uint64) column {
		c := count(name, func(d *netcfg.Device) uint64 { return of(&d.Stats) })
		c.hides, c.extra, c.traffic = hides, true, true
		return c
	}
	index := count("index", func(d *netcfg.Device) uint64 { return uint64(d.Index) })
	length := count("txqueuelen", func(d *netcfg.Device) uint64 { return uint64(d.TxQueueLen) })
	queues := count("queues", func(d *netcfg.Device) uint64 { return uint64(d.Queues + d.DisabledQueues) })
	for _, c := range []*column{&index, &length, &queues} {
		c.extra = true
	}
	return []column{
		{name: "name", values: one(func(d *netcfg.Device) string { return d.Name })},
		{name: "mode", values: one(func(d *netcfg.Device) string { return d.Mode.String() }), hides: 3},
		{name: "state", values: one((*netcfg.Device).State), hides: 8},
		{name: "access", values: one(func(d *netcfg.Device) string { return d.Access.String() }), hides: 5},
		mtu,
		{name: "mac", values: one(func(d *netcfg.Device) string { return d.MAC.String() }), hides: 1},
		{name: "master", values: one(func(d *netcfg.Device) string { return d.Master }), hides: 4},
		{name: "addresses", values: shownAddresses, hides: 7},
		{name: "in-use-by", values: usedBy, hides: 6},
		index, length, queues,
		{name: "alias", values: one(func(d *netcfg.Device) string { return d.Alias }), extra: true},
		{name: "routes", values: func(d *netcfg.Device) []string { return texts(d.Routes) }, extra: true},
		{name: "netns", values: one(func(d *netcfg.Device) string { return *cmp.Or(d.Netns, new(string)) }), hides: 15,
			extra: true},
		counter("rx-packets", 9, func(s *netcfg.Stats) uint64 { return s.RxPackets }),
		counter("rx-bytes", 13, func(s *netcfg.Stats) uint64 { return s.RxBytes }),
		counter("rx-dropped", 11, func(s *netcfg.Stats) uint64 { return s.RxDropped }),
		counter("tx-packets", 10, func(s *netcfg.Stats) uint64 { return s.TxPackets }),
		counter("tx-bytes", 14, func(s *netcfg.Stats) uint64 { return s.TxBytes }),
		counter("tx-dropped", 12, func(s *netcfg.Stats) uint64 { return s.TxDropped }),
	}
}

// heading returns the name as the first line of the table has it.
func (c column) heading() string { return strings.ToUpper(strings.ReplaceAll(c.name, "-", " ")) }

// compare compares two devices by the column: names as people sort them, numbers, and texts.
func (c column) compare(a, b *netcfg.Device) int {
	switch {
	case c.traffic:
		return cmp.Compare(c.number(b), c.number(a))
	case c.number != nil:
		return cmp.Compare(c.number(a), c.number(b))
	case c.name == "name":
		return link.CompareNames(a.Name, b.Name)
	}
	return slices.Compare(c.values(a), c.values(b))
}

// columnNames returns the names of all columns.
func columnNames() (names []string) {
	for _, c := range columns() {
		names = append(names, c.name)
	}
	return names
}

// parseColumn returns the column of a name, in lower or upper case.
func parseColumn(name string) (*column, error) {
	for _, c := range columns() {
		if c.name == strings.ToLower(name) {
			return &c, nil
		}
	}
	if near := words.Nearest(name, columnNames()); near != "" {
		return nil, fmt.Errorf("%q is not a column; did you mean %s?", name, near)
	}
	return nil, fmt.Errorf("%q is not a column; the columns are %s", name, strings.Join(columnNames(), ", "))
}

// parseColumns returns the columns of names that are separated by commas.
func parseColumns(names string) (chosen []column, err error) {
	for name := range strings.SplitSeq(names, ",") {
		c, err := parseColumn(name)
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, *c)
	}
	return chosen, nil
}

// usualColumns returns the columns of a list without --columns.
func usualColumns() []column {
	return slices.DeleteFunc(columns(), func(c column) bool { return c.extra })
}

// statsColumns returns the columns of list --stats.
func statsColumns() []column {
	return slices.DeleteFunc(columns(), func(c column) bool { return c.name != "name" && !c.traffic })
}
