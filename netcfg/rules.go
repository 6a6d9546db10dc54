package netcfg

import (
	"errors"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/rtnl"
)

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
			if (r.Table == link.TableLocal) == local && found == there {
				steps = append(steps, Step{Kind: kind, Rule: &r, phase: ph})
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
			done.Add = append(done.Add, *s.Rule)
		case StepRemoveRule:
			done.Remove = append(done.Remove, *s.Rule)
		}
	}
	back := done.Reverse()
	return &back
}

// lookAtRules reads the rules for the jobs that change rules, if there are any.
func (ns *Namespace) lookAtRules(jobs []*job) error {
	if !slices.ContainsFunc(jobs, func(j *job) bool { return j.Rules != nil }) {
		return nil
	}
	rules, err := rtnl.Rules(ns.socket)
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

// EmptyTable returns the first table from first to last that has no routes and that none of the rules looks up. The
// error is a [*cause.Error].
func (ns *Namespace) EmptyTable(first, last uint32, rules []rtnl.Rule) (uint32, error) {
	for table := first; table <= last; table++ {
		if slices.ContainsFunc(rules, func(r rtnl.Rule) bool { return r.Table == table }) {
			continue
		}
		if taken, err := rtnl.HasRoutes(ns.socket, table); err != nil {
			return 0, &cause.Error{Err: err}
		} else if !taken {
			return table, nil
		}
	}
	return 0, &cause.Error{Detail: fmt.Sprintf("no routing table from %d to %d is empty", first, last)}
}
