package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// The routing tables that the kernel's own rules look up.
const (
	tableDefault = 253
	tableMain    = 254
	tableLocal   = 255
)

// target returns another address in the network of a. It is invalid if the network has no other address.
func target(a netcfg.Address) netip.Addr {
	subnet := a.Subnet()
	if a.Peer.IsValid() {
		return a.Peer
	}
	if subnet.IsSingleIP() {
		return netip.Addr{}
	}
	for ip := subnet.Addr(); subnet.Contains(ip); ip = ip.Next() {
		if ip != a.Local && (ip != subnet.Addr() || subnet.Bits() == ip.BitLen()-1) {
			return ip
		}
	}
	return netip.Addr{}
}

// routeElsewhere lets packets to the networks of an unnamed device pass the stage of the route.
func routeElsewhere(v *view) (found []Finding) {
	d := v.device
	if v.asked() || !d.Up || d.Master != "" {
		return nil // the stages of a named device have this one
	}
	for _, a := range own(d) {
		if to := target(a); to.IsValid() && !a.Tentative() && !a.Duplicate() {
			j := &journey{view: v, packet: flow.Packet{From: a.Local, To: to}, part: a.Subnet()}
			found = append(found, slices.DeleteFunc(route(j), func(f Finding) bool { return f.Level == OK })...)
		}
	}
	return found
}

// route finds the rule or the route that keeps a packet away from the device.
func route(j *journey) []Finding {
	way, err := j.host.Find(j.packet)
	if j.seen() {
		return nil
	}
	switch layer3 := j.layer3(); {
	case err != nil || way.Local():
		return nil
	case !layer3.Up:
		return nil // the check down reports it
	case way.Refusal == 0 && way.Index == layer3.Index && !j.asked():
		return nil
	case way.Refusal == 0 && way.Index == layer3.Index:
		if found := j.spread(); found != nil {
			return found
		}
		return j.parted()
	}
	if found := j.spread(); found != nil {
		return found
	}
	return j.astray(way)
}

// spread finds a route to a network of the device with several hops, some of which leave through another link. Such a
// route to a network that other routers lead to is intended.
func (j *journey) spread() []Finding {
	match, err := j.host.Match(j.packet)
	layer3 := j.layer3()
	subnet := j.part
	if err != nil || subnet.IsSingleIP() {
		return nil
	}
	var others []string
	through := j.host.Links(match.Route)
	for _, index := range through {
		if l := j.byIndex(index); l != nil && index != layer3.Index {
			others = append(others, words.Escape(l.Name))
		}
	}
	if len(others) == 0 || !slices.Contains(through, layer3.Index) {
		return nil
	}
	what := fmt.Sprintf("the route to %s spreads packets over several links: it and %s (multipath)", match.To,
		strings.Join(others, ", "))
	if !slices.ContainsFunc(own(layer3), func(a netcfg.Address) bool { return a.Subnet() == subnet }) {
		return ok(what)
	}
	back := append(family(subnet.Addr()), "route", "replace", match.To.String(), "dev", layer3.Name)
	if match.Metric != 0 {
		back = append(back, "metric", strconv.FormatUint(uint64(match.Metric), 10))
	}
	return one(Error, what, "the kernel selects one by the addresses, so some hosts behind it get no packet",
		fix.Run(ip(inTable(back, match.Table)...)))
}

// inTable appends the table of a route to a command, unless it is the main one.
func inTable(command []string, table uint32) []string {
	if table == tableMain || table == 0 {
		return command
	}
	return append(command, "table", tableWord(table))
}

// tableWord returns a table as ip(8) accepts it.
func tableWord(table uint32) string {
	if table == tableLocal {
		return "local"
	}
	return strconv.FormatUint(uint64(table), 10)
}

// astray names the rule or the route by which a packet leaves through another link, or not at all.
func (j *journey) astray(way evidence.Way) []Finding {
	steps := j.host.Explain(j.policies, j.packet)
	layer3 := j.layer3()
	mine := func(r *rtnl.Route) bool { return r != nil && slices.Contains(j.host.Links(*r), layer3.Index) }
	for _, s := range steps {
		switch {
		case s.Ignored && s.Route.Type == unix.RTN_THROW && j.hidden(s.Route, layer3):
			return j.barred(s.Route, "throw")
		case s.Ignored && mine(s.Route):
			return one(Error, fmt.Sprintf("a policy rule ignores the route to %s through it: %s", s.Route.To,
				s.Rule.Words()), "", s.Rule.Delete())
		}
	}
	if len(steps) == 0 || !steps[len(steps)-1].Decisive {
		return j.noRoute(way)
	}
	last := steps[len(steps)-1]
	other := j.byIndex(way.Index)
	if way.Refusal != 0 {
		other = nil
	}
	switch {
	case other != nil && (last.Route == nil || !slices.Contains(j.host.Links(*last.Route), way.Index)):
		return one(Error, fmt.Sprintf("packets to %s leave through %s, by table %s", j.packet.To,
			words.Escape(other.Name), tableWord(way.Table)),
			"a policy rule with a condition that is not known selects it",
			fix.Sentence("inspect the rules: ip rule show"))
	case last.Rule.Action != "":
		return one(Error, fmt.Sprintf("a policy rule forbids packets to %s: %s", j.packet.To, last.Rule.Words()),
			"sending fails, with an error such as \"permission denied\" or \"no route to host\"", last.Rule.Delete())
	case other == nil && j.blackhole(last.Route.Nexthop):
		return one(Error, fmt.Sprintf("the route to %s uses the nexthop object %d, a blackhole", last.Route.To,
			last.Route.Nexthop), "the kernel discards the packets without an error message",
			deleteRoute(last.Route, nil))
	case rtnl.Actions[last.Route.Type] != "":
		return j.forbidden(last)
	case other == nil && j.linkdown(j.packet.To):
		return nil // the check linkdown reports it
	case other == nil:
		return j.noRoute(way)
	case !ordinary(last.Rule.Table) && !j.hidden(&rtnl.Route{Table: last.Rule.Table, To: last.Route.To}, layer3):
		return one(Error, fmt.Sprintf("packets to %s leave through %s, because of a policy rule: %s", j.packet.To,
			words.Escape(other.Name), last.Rule.Words()),
			"the kernel evaluates the rule before the device's own routes",
			append(j.exempt(j.packet, last.Rule), last.Rule.Delete())...)
	case j.sameSubnetBy(other):
		return nil // the check subnet-twice reports it
	case last.Route.To.Bits() <= j.part.Bits() && !j.hidden(last.Route, layer3):
		return j.noRoute(way) // the device's own route would be more specific, or is a candidate
	}
	return []Finding{j.away(Error, last.Route, other)}
}
