package loop

import (
	"context"
	"fmt"
	"slices"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/netcfg"
)

// Plan returns the steps of Make and Divert.
func (l *Loop) Plan(ctx context.Context) (steps []fmt.Stringer, err error) {
	changes, err := l.changes()
	if err != nil {
		return nil, err
	}
	network, err := l.Namespace.Network()
	if err != nil {
		return nil, err
	}
	taken := map[string]bool{"": true}
	for _, l := range network.Links {
		for _, name := range append(l.AltNames, l.Name) {
			taken[name] = true
		}
	}
	number := 0
	for i := range changes {
		if !link.IsTemplate(changes[i].Name) {
			continue
		}
		name := ""
		for ; taken[name]; number++ { // the kernel takes the first free number too
			name = fmt.Sprintf("tun%d", number)
		}
		changes[i].Name, changes[i].Want.Name, l.Ends[i].Device = name, name, name
	}
	results, err := l.run(ctx, append(changes, l.diversion()...), netcfg.Options{DryRun: true, Atomic: true})
	var all []netcfg.Step
	for _, r := range results {
		all = append(all, r.Steps...)
	}
	slices.SortStableFunc(all, func(a, b netcfg.Step) int { return place(a) - place(b) })
	for _, s := range all {
		steps = append(steps, s)
	}
	return steps, err
}

// place returns the place of a step in a printed plan: the devices, then the routes and rules of each family. So a new
// IPv6 address has time to settle before a command needs it as a source.
func place(s netcfg.Step) int {
	ipv6, n := false, 0
	switch s.Kind {
	case netcfg.StepAddRoute:
		ipv6, n = s.Route.To.Addr().Is6(), 1
	case netcfg.StepAddRule, netcfg.StepRemoveRule:
		ipv6, n = s.Rule.IPv6, 2
	}
	if ipv6 {
		n += 2
	}
	return n
}
