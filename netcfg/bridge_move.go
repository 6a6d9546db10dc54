package netcfg

import (
	"slices"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/words"
)

// bridges prepares the changes of bridges in a run: who depends on them, what a new one is like, and the addresses that
// move between a bridge and its ports.
func (ns *Namespace) bridges(jobs []*job, masters map[string]*Master) {
	for _, j := range jobs {
		if j.kind() != Bridge {
			continue
		}
		var ports []*job
		for _, k := range jobs {
			switch {
			case k == j || k.Want == nil || k.Want.Master == nil || k.Want.Master.Name != j.Name:
			case k.kind() == Port:
				k.bridge, ports = j, append(ports, k)
			case j.now == nil || j.err != nil:
				k.bridge = j
			}
		}
		switch {
		case j.err != nil:
			continue
		case j.Want == nil:
			for _, k := range ports {
				if k.inherit(j.now); j.now == nil && !j.result.Renamed && k.Heir && k.now != nil {
					k.warn("its bridge %s no longer exists: no address moves back", words.Escape(j.Name))
				}
			}
			continue
		case j.Want.MoveAddresses || len(ports) > 0:
			want := *j.Want
			j.Want = &want
		}
		for _, k := range ports {
			if err := j.move(k); err != nil {
				k.err = err
			}
		}
		if j.now == nil {
			masters[j.Name] = j.newMaster(ports)
		} else if m, err := ns.cachedMaster(j.Name, masters); err == nil {
			j.declares(m)
		}
	}
}

// inherit adds the addresses and routes of a bridge that is deleted to those of its port.
func (j *job) inherit(bridge *Device) {
	want := *j.Want
	want.Master, want.MoveAddresses = nil, true // the port leaves the bridge when that is deleted
	if j.Want = &want; bridge == nil || j.now == nil || !j.Heir || j.now.masterIndex != bridge.Index {
		return
	}
	addresses, routes := bridge.movable()
	j.bridge.gives = matching(routes, func(r Route) bool { return r.move().merges() })
	for _, a := range addresses {
		want.AddAddresses = append(want.AddAddresses, a.move())
	}
	for _, r := range routes {
		want.AddRoutes = append(want.AddRoutes, r.move())
	}
}

// merges reports whether the kernel merges the moved route with the same one of the other link. The routes are moved
// in one request, so that no run meets the merged one.
func (r Route) merges() bool { return r.kept.moved && r.To.Addr().Is6() }

// give plans the removal of the routes that go to the heir of a bridge before it is deleted.
func (j *job) give() {
	var steps []Step
	for _, r := range j.gives {
		if j.now != nil && slices.ContainsFunc(j.now.Routes, r.same) {
			steps = append(steps, Step{Kind: StepRemoveRoute, Device: j.now.Name, Index: j.now.Index, Route: &r,
				phase: phaseReplace})
		}
	}
	j.steps = append(steps, j.steps...)
}

// movable returns the addresses and routes that are not the kernel's own for the link.
func (d *Device) movable() ([]Address, []Route) {
	return matching(d.Addresses, func(a Address) bool { return !a.Local.IsLinkLocalUnicast() || a.Local.Is4() }),
		matching(d.Routes, func(r Route) bool { return r.kept.elsewhere == 0 })
}

// movesAway reports whether the device is a port that loses its addresses to its bridge.
func (p *planner) movesAway() bool { return p.want.Kind == Port && !p.want.undo }

// order is the position of a step among those of its phase: the routes of a port go before the addresses, which would
// take them along.
func (p *planner) order(s Step) int {
	if !p.movesAway() {
		return 0
	}
	return map[StepKind]int{StepRemoveRoute: 1, StepRemoveAddress: 2}[s.Kind]
}

func (a Address) move() Address {
	a.kept.message, a.kept.moved = rtnl.MovedAddress(a.kept.message), true
	return a
}

func (r Route) move() Route {
	r.kept.moved = true
	return r
}

// move adds the addresses and routes of a port to those of its bridge, and to those that the port loses. It returns an
// error if the port may not lose them.
func (j *job) move(port *job) error {
	d := port.now
	if d == nil || port.err != nil {
		return nil
	}
	own, routes := d.movable()
	switch {
	case d.Kind == "loopback":
		return &cause.Error{Device: d.Name, What: "master " + words.Escape(j.Name),
			Detail: "the device cannot be a port of a bridge"}
	case d.masterIndex != 0 && (j.now == nil || d.masterIndex != j.now.Index): // names may change between two looks
		return &cause.Error{Device: d.Name, Cause: cause.InUse, Detail: "it is a port of " + words.Escape(d.Master),
			Fix: fix.Run(fix.InNamespace("ip", "link", "set", "dev", d.Name, "nomaster")), Err: errBusy}
	case len(own) == 0:
		return nil
	case !j.Want.MoveAddresses:
		return &cause.Error{Device: d.Name, Cause: cause.AddressTaken, What: "address " + own[0].String(),
			Detail: "the addresses of a port belong on the bridge",
			Fix: fix.Sentence("declare them below [bridge." + words.Escape(j.Name) +
				"], and write move_addresses = true there")}
	}
	if err := j.undeclared(d, own, routes); err != nil {
		return err
	}
	spec := *port.Want
	port.Want = &spec
	for _, a := range own {
		spec.RemoveAddresses = append(spec.RemoveAddresses, a)
		if a.Foreign() {
			j.warn("%s of %s has a lifetime: the program that renews it must do so on %s", a, words.Escape(d.Name),
				words.Escape(j.Name))
		}
		if j.Want.Addresses != nil {
			if setOfAddresses(*j.Want.Addresses).hasOther(a) {
				continue // the bridge declares another broadcast address
			}
			j.Want.Addresses = without(*j.Want.Addresses, a.same) // it is sent as the kernel has it
		}
		j.Want.AddAddresses = append(slices.Clip(j.Want.AddAddresses), a.move())
	}
	for _, r := range routes {
		spec.RemoveRoutes = append(spec.RemoveRoutes, r)
		if j.Want.AddRoutes = append(slices.Clip(j.Want.AddRoutes), r.move()); j.Want.Routes != nil {
			j.Want.Routes = without(*j.Want.Routes, r.alike)
		}
	}
	return nil
}

func without[T any](list []T, match func(T) bool) *[]T {
	rest := slices.DeleteFunc(slices.Clone(list), match)
	return &rest
}

// undeclared returns the error of an address or a route of a port that the next run would remove from the bridge,
// because the bridge declares others.
func (j *job) undeclared(port *Device, addresses []Address, routes []Route) error {
	missing := func(what string) error {
		return &cause.Error{Device: port.Name, Cause: cause.BadRequest, What: what,
			Detail: words.Escape(j.Name) + " declares others, without this one",
			Fix:    fix.Sentence("add it to the declaration of " + words.Escape(j.Name))}
	}
	for _, a := range addresses {
		if j.Want.Addresses != nil && !a.Foreign() && !slices.ContainsFunc(*j.Want.Addresses, func(b Address) bool {
			return a.Bare() == b.Bare()
		}) {
			return missing("address " + a.Words())
		}
	}
	for _, r := range routes {
		if j.Want.Routes != nil && !r.Foreign() && !slices.ContainsFunc(*j.Want.Routes, r.alike) {
			return missing("route " + r.String())
		}
	}
	return nil
}
