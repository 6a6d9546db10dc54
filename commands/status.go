package commands

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/declare"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/state"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

var statusVerb = verb{
	name: "status", operands: "[FILE|DIR...]", page: "tunadm-doctor(8)",
	usage:   "compare the devices with the files that declare them",
	command: func(p *program) command { return &statusOptions{changeOptions: changeOptions{program: p}} },
}

type statusOptions struct{ changeOptions }

func (o *statusOptions) flags() []*option {
	return []*option{
		o.setFlag("use the record of the set `NAME`, not that of the operands"),
		switchFlag("json", "print the states as JSON", &o.json), netnsFlag(&o.netns),
	}
}

// The states of a device.
const (
	statusOK      = "ok"
	statusMissing = "missing" // declared, and does not exist
	statusChanged = "changed" // it differs from its declaration
	statusError   = "error"   // apply would fail
	statusLeft    = "left"    // an earlier apply created it, and it is not declared any more
	statusForeign = "foreign" // neither declared nor created by apply
)

// run prints the state of each device. Its exit code is 8 if apply --prune would change anything.
func (o *statusOptions) run(operands []string) error {
	if err := inputOnce(operands); err != nil {
		return err
	}
	ctx := o.signals()
	ns, err := netcfg.Open(o.netns)
	if err != nil {
		return err
	}
	defer ns.Close()
	run := &provision{changeOptions: &o.changeOptions, namespace: ns}
	declared, err := untilSignal(ctx, func() ([]declare.Declaration, error) { return run.read(operands) })
	if err != nil {
		return err
	}
	err = run.recall(operands)
	known := err == nil
	switch {
	case cause.Of(err) == cause.NotPermitted: // only root may read the record
		run.memory = &state.Memory{}
	case err != nil:
		return err
	}
	if known && o.set != "" && len(run.memory.Devices()) == 0 {
		o.say("warning: " + noSet(o.set).Error() + ": apply has recorded no device of it")
	}
	rows, err := run.compare(ctx, declared)
	if err != nil {
		return err
	}
	others, err := run.undeclaredRows(rows)
	if err != nil {
		return err
	}
	rows = append(rows, others...)
	if !known {
		for i := range rows {
			rows[i].Created = nil
		}
	}
	if err := o.render(rows); err != nil {
		return err
	}
	good := func(r jsonStatus) bool { return r.State == statusOK || r.State == statusForeign }
	if slices.ContainsFunc(rows, func(r jsonStatus) bool { return !good(r) }) {
		return errWouldChange
	}
	return nil
}

// compare returns a row for each declared device, and for each port of a declared bridge.
func (r *provision) compare(ctx context.Context, declared []declare.Declaration) ([]jsonStatus, error) {
	places := map[string]string{}
	for _, d := range declared {
		places[d.Spec.Name] = d.Where()
		for _, port := range d.Spec.Ports {
			places[port] = d.Where()
		}
	}
	changes := wanted(declared, &r.namespace.Directory, false)
	results, err := r.namespace.Run(ctx, changes, netcfg.Options{DryRun: true})
	if err != nil {
		return nil, err
	}
	rows := make([]jsonStatus, len(results))
	for i, result := range results {
		want, place, made := changes[i].Want, places[changes[i].Name], r.memory.Devices()[result.Before] == result.Name
		row := jsonStatus{Name: result.Name, Kind: cmp.Or(want.Kind, want.Mode.String()), State: statusOK,
			Created: &made, Declared: &place, Steps: toSteps(result.Steps)}
		switch {
		case result.Err != nil && (cause.Of(result.Err) != cause.OtherFailed || failedToo(result)):
			text := result.Err.Error()
			row.State, row.Error, row.absent = statusError, &text, result.Before == 0
		case result.Before == 0:
			row.State, row.absent = statusMissing, true
		case len(result.Steps) > 0:
			row.State = statusChanged
		}
		rows[i] = row
	}
	return rows, nil
}

// undeclaredRows returns a row for each device that is not declared.
func (r *provision) undeclaredRows(declared []jsonStatus) (rows []jsonStatus, err error) {
	made := r.memory.Devices()
	row := func(name, kind string, index int) {
		isDeclared := func(d jsonStatus) bool { return d.Name == name }
		created := made[index] == name
		if !slices.ContainsFunc(declared, isDeclared) {
			state := map[bool]string{true: statusLeft, false: statusForeign}[created]
			one := jsonStatus{Name: name, Kind: kind, State: state, Created: &created, Steps: toSteps(nil)}
			rows = append(rows, one)
		}
	}
	devices, err := r.namespace.Links()
	if err != nil {
		return nil, err
	}
	for _, d := range devices {
		row(d.Name, d.Mode.String(), d.Index)
	}
	links, err := r.namespace.AllLinks()
	for _, d := range links {
		if d.Kind == netcfg.Bridge && made[d.Index] == d.Name {
			row(d.Name, d.Kind, d.Index)
		}
	}
	slices.SortStableFunc(rows, func(a, b jsonStatus) int { return link.CompareNames(a.Name, b.Name) })
	return rows, err
}

func (o *statusOptions) render(rows []jsonStatus) error {
	if o.json {
		return encode(o.stdout, append([]jsonStatus{}, rows...))
	}
	if len(rows) == 0 {
		return nil
	}
	cells := [][]string{{"NAME", "KIND", "STATE", "CREATED BY", "DECLARED IN"}}
	for _, r := range rows {
		by := absent
		if r.Created != nil && !r.absent && r.Kind != netcfg.Port {
			by = map[bool]string{true: "apply", false: "others"}[*r.Created]
		}
		place := absent
		if r.Declared != nil {
			place = *r.Declared
		}
		cells = append(cells, []string{words.Escape(r.Name), r.Kind, r.State, by, place})
	}
	widths := make([]int, len(cells[0]))
	for _, line := range cells {
		for i, cell := range line {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	out := bufio.NewWriter(o.stdout)
	for n, line := range cells {
		var b strings.Builder
		for i, cell := range line {
			fmt.Fprintf(&b, "%-*s", widths[i]+gap, cell)
		}
		fmt.Fprintln(out, strings.TrimRight(b.String(), " "))
		if n > 0 {
			rows[n-1].details(out)
		}
	}
	return out.Flush()
}

// details prints the error of a device, or the steps that are missing.
func (r jsonStatus) details(out *bufio.Writer) {
	if r.Error != nil {
		fmt.Fprintf(out, "    %s\n", words.Printable(*r.Error))
	}
	for _, s := range r.Steps {
		if r.State == statusChanged {
			fmt.Fprintf(out, "    %s\n", s.Command)
		}
	}
}
