package commands

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/netcfg"
)

var listVerb = verb{
	name: "list", aliases: []string{"ls"}, operands: "[NAME...]", operand: devicePattern, patterns: true,
	usage:   "list devices, one per line",
	command: func(p *program) command { return &listOptions{program: p} },
}

type listOptions struct {
	*program
	json, names, wide, stats bool

	columns      []column
	sort         *column
	color, netns string
}

func (o *listOptions) flags() []*option {
	return []*option{
		switchFlag("json", "print all details of each device as JSON", &o.json),
		switchFlag("names", "print the names only", &o.names),
		valueFlag("columns", "show `COLUMN,...` of "+strings.Join(columnNames(), ", "), parseColumns, &o.columns),
		valueFlag("sort", "sort by this `COLUMN`", parseColumn, &o.sort),
		switchFlag("stats", "show packets, bytes and drops in both directions", &o.stats),
		switchFlag("wide", "hide no column on a narrow terminal", &o.wide),
		colorFlag(&o.color),
		netnsFlag(&o.netns),
	}
}

func (o *listOptions) run(names []string) error {
	if err := o.exclude(); err != nil {
		return err
	}
	read := (*netcfg.Namespace).Devices
	switch { // shell completions wait for names: nothing is read that is not printed
	case o.stats && (o.sort == nil || o.sort.traffic):
		read = (*netcfg.Namespace).Counters
	case o.names && o.sort == nil:
		read = (*netcfg.Namespace).Links
	}
	devices, missing, err := readDevices(o.netns, names, read)
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
	default:
		err = o.table(devices)
	}
	return errors.Join(append(missing, err)...)
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
	return renderTable(o.stdout, devices, chosen, on)
}

// exclude returns an error for each pair of flags that contradict each other.
func (o *listOptions) exclude() error {
	return exclusive([]pair{
		{o.json && o.names, "--json", "--names"},
		{o.columns != nil && o.json, "--columns", "--json"},
		{o.columns != nil && o.names, "--columns", "--names"},
		{o.stats && o.json, "--stats", "--json"},
		{o.stats && o.names, "--stats", "--names"},
		{o.stats && o.columns != nil, "--stats", "--columns"},
	})
}

// readDevices returns the devices that the names and patterns mean, or all if there are none, and an error for each
// that is absent or of another kind.
func readDevices(
	netns string, names []string, read func(*netcfg.Namespace, ...string) ([]*netcfg.Device, error),
) (devices []*netcfg.Device, missing []error, err error) {
	ns, err := netcfg.Open(netns)
	if err != nil {
		return nil, nil, err
	}
	defer ns.Close()
	asked := len(names)
	names, missing, err = matching(ns, names)
	if err != nil || asked > 0 && len(names) == 0 {
		return nil, missing, err
	}
	found, err := read(ns, names...)
	if err != nil {
		return nil, nil, err
	}
	devices, others := present(found, names)
	return devices, append(missing, others...), nil
}

// present returns the TUN/TAP devices among those that were read by name, and an error for each of the others.
func present(found []*netcfg.Device, names []string) (devices []*netcfg.Device, missing []error) {
	for i, d := range found {
		switch {
		case d == nil:
			missing = append(missing, &cause.Error{Device: names[i], Cause: cause.NoDevice})
		case d.Kind != "tun":
			detail := fmt.Sprintf("it is %s, not a TUN/TAP device", d.KindWords())
			missing = append(missing, &cause.Error{Device: names[i], Cause: cause.OtherKind, Detail: detail})
		default:
			devices = append(devices, d)
		}
	}
	return slices.Clip(devices), missing
}
