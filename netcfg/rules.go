package netcfg

import (
	"errors"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/rtnl"
)

// TableLocal is the number of the kernel's table of the host's own addresses.
const TableLocal = tableLocal

// Rules are policy rules to add and to remove.
type Rules struct{ Add, Remove []rtnl.Rule }

// Reverse returns the Rules that undo r.
func (r Rules) Reverse() Rules { return Rules{Add: r.Remove, Remove: r.Add} }

// planRules returns the steps that change the rules of a namespace into want, in order. The namespace has a rule for
// its own addresses at any time: planRules adds rules before it removes others. It adds rules that look up the table of
// these addresses first, and removes them last. It ignores the protocol of a rule to add: if another program has
// restored the rule, it is kept.
func planRules(want Rules, have []rtnl.Rule) []Step {
	var steps []Step
	step := func(list []rtnl.Rule, kind StepKind, ph phase, local bool, there bool) {
		for _, r := range list {
			found := slices.ContainsFunc(have, func(o rtnl.Rule) bool { return r.Same(o, kind == StepRemoveRule) })
			if (r.Table == tableLocal) == local && found == there {
				steps = append(steps, Step{Kind: kind, Rule: r, phase: ph})
			}
		}
	}
	step(want.Add, StepAddRule, phaseAddRules, true, false)
	step(want.Add, StepAddRule, phaseAddRules, false, false)
	step(want.Remove, StepRemoveRule, phaseRemoveRules, false, true)
	step(want.Remove, StepRemoveRule, phaseRemoveRules, true, true)
	return steps
}

// reverseOf returns the Rules that undo the steps that were tried.
func reverseOf(tried []*task) *Rules {
	var done Rules
	for _, s := range tried {
		switch s.Kind {
		case StepAddRule:
			done.Add = append(done.Add, s.Rule)
		case StepRemoveRule:
			done.Remove = append(done.Remove, s.Rule)
		}
	}
	back := done.Reverse()
	return &back
}

// readRules reads the rules of both families in the kernel's order, IPv4 first.
func (ns *Namespace) readRules() ([]rtnl.Rule, error) {
	var all []rtnl.Rule
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		ask := rtnl.Request(unix.RTM_GETRULE, 0, &nl.RtMsg{RtMsg: unix.RtMsg{Family: uint8(family)}})
		rules, err := rtnl.Dump(ns.socket, ask, decodeRule)
		if err != nil && !errors.Is(err, unix.EOPNOTSUPP) {
			return nil, fmt.Errorf("read rules: %w", err)
		}
		all = append(all, rules...)
	}
	return all, nil
}

func decodeRule(body []byte) (r rtnl.Rule, ok bool) {
	ok = r.Unmarshal(body)
	return r, ok
}

// lookAtRules reads the rules for the jobs that change rules, if there are any.
func (ns *Namespace) lookAtRules(jobs []*job) error {
	if !slices.ContainsFunc(jobs, func(j *job) bool { return j.Rules != nil }) {
		return nil
	}
	rules, err := ns.readRules()
	for _, j := range jobs {
		if j.Rules != nil {
			j.rules = rules
		}
	}
	return err
}

// changeRules runs steps that add or remove a rule.
func (ns *Namespace) changeRules(steps []*task) []error {
	requests := make([]*nl.NetlinkRequest, len(steps))
	for i, s := range steps {
		requests[i] = s.Rule.Marshal(s.Kind == StepRemoveRule)
	}
	errs := ns.socket.Exchange(requests, nil)
	for i, err := range errs {
		gone := steps[i].Kind == StepRemoveRule && errors.Is(err, unix.ENOENT)
		if errs[i] = nil; err != nil && !gone {
			errs[i] = ns.explainStep(steps[i], err)
		}
	}
	return errs
}

// ruleCommand returns a step as a command of ip(8).
func ruleCommand(r rtnl.Rule, verb string) string {
	family := ""
	if r.IPv6 {
		family = "-6 "
	}
	words := r.Words()
	if r.Protocol == unix.RTPROT_STATIC {
		words += " protocol static"
	}
	return "ip " + family + "rule " + verb + " " + words
}

// EmptyTable returns the first table from first to last that has no routes and that none of the rules looks up. The
// error is a [*cause.Error].
func (ns *Namespace) EmptyTable(first, last uint32, rules []rtnl.Rule) (uint32, error) {
	for table := first; table <= last; table++ {
		if slices.ContainsFunc(rules, func(r rtnl.Rule) bool { return r.Table == table }) {
			continue
		}
		taken := false
		for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
			ask := rtnl.Request(unix.RTM_GETROUTE, 0, &nl.RtMsg{RtMsg: unix.RtMsg{Family: uint8(family)}},
				nl.NewRtAttr(unix.RTA_TABLE, nl.Uint32Attr(table)))
			found, err := rtnl.Dump(ns.socket, ask,
				func(body []byte) (bool, bool) { return true, rtnl.RouteTable(body) == table })
			missing := errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP) // no such table, or no IPv6
			if err != nil && !missing {
				return 0, &cause.Error{What: fmt.Sprintf("read routes of table %d", table), Err: err}
			}
			taken = taken || len(found) > 0
		}
		if !taken {
			return table, nil
		}
	}
	return 0, &cause.Error{Detail: fmt.Sprintf("no routing table from %d to %d is empty", first, last)}
}
