package netcfg

import (
	"net/netip"
	"slices"
)

// routeKey identifies a route in a network namespace.
type routeKey struct {
	to            netip.Prefix
	metric, table uint32
}

func (r Route) key() routeKey { return routeKey{r.To, r.metric(), r.table()} }

// yield removes a route, or the device that has it, before another device of the run gets the route. The kernel refuses
// the same route twice, and the order of the devices in a file is not the order of work.
func yield(jobs []*job) {
	wanted := map[routeKey][]*job{}
	for _, j := range jobs {
		for _, s := range j.steps {
			if j.err == nil && s.Kind == StepAddRoute {
				wanted[s.Route.key()] = append(wanted[s.Route.key()], j)
			}
		}
	}
	for _, j := range jobs {
		byOther := func(r Route) bool {
			return slices.ContainsFunc(wanted[r.key()], func(o *job) bool { return o != j }) && r.kept.elsewhere == 0
		}
		for i := range j.steps {
			switch s := &j.steps[i]; {
			case j.err != nil || len(wanted) == 0:
			case s.Kind == StepRemoveRoute && byOther(s.Route):
				s.phase = phaseYield
			case s.Kind == StepDelete && slices.ContainsFunc(s.Old.Routes, byOther):
				s.phase = phaseClear
			}
		}
	}
}
