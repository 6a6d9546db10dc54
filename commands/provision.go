package commands

import (
	"context"
	"errors"
	"slices"

	"github.com/tunadm/tunadm/internal/state"
	"github.com/tunadm/tunadm/netcfg"
)

// A provision is one run of apply or teardown: what the files declare and what is remembered, in a namespace.
type provision struct {
	*program
	namespace *netcfg.Namespace
	memory    *state.Memory // what an earlier apply made; empty if nobody asked for it
	kept      []jsonResult  // devices that were left alone on purpose
}

// provision does what plan finds to be done, and keeps the memory of it. A plan that is only printed takes no lock and writes nothing.
func (p *program) provision(operands []string, needsMemory bool, o netcfg.Options, plan func(context.Context, *provision) ([]netcfg.Change, error)) error {
	ctx := signals()
	if !p.planOnly() {
		lock, err := state.Lock(ctx, func() { p.say("waits for another apply or teardown to end") })
		if err != nil {
			return err
		}
		defer lock.Close()
	}
	ns, err := netcfg.Open(p.netns)
	if err != nil {
		return err
	}
	defer ns.Close()
	run := &provision{program: p, namespace: ns, memory: &state.Memory{}}
	if needsMemory || !p.planOnly() {
		if err := run.recall(operands); err != nil {
			return err
		}
	}
	changes, err := plan(ctx, run)
	if err != nil {
		return err
	}
	return run.do(ctx, changes, o)
}

func (r *provision) recall(operands []string) error {
	namespace, err := r.namespace.Identity()
	if err != nil {
		return err
	}
	memory, warning, err := state.Recall(operands, namespace)
	if warning != "" {
		r.say("warning: " + warning)
	}
	r.memory = memory
	return err
}

func (r *provision) do(ctx context.Context, changes []netcfg.Change, o netcfg.Options) error {
	if !r.planOnly() {
		o.Reserve, o.Remember = r.memory.Reserve, r.memory.Remember
	}
	results, err := r.engage(ctx, r.namespace, changes, o)
	if r.planOnly() || results == nil {
		return err
	}
	if stuck := func(r netcfg.Result) bool { return r.UndoErr != nil }; o.Atomic && err != nil && !slices.ContainsFunc(results, stuck) {
		r.say("nothing is changed: all devices are as they were, since one failed")
	}
	err = errors.Join(err, r.forgetGone(results), r.memory.Settle(changes, results))
	if r.json {
		err = errors.Join(err, r.renderOutcomes(changes, results))
	}
	return err
}

// forgetGone forgets devices that others deleted, or that a killed run remembered and never made, and in whose place this
// run made others.
func (r *provision) forgetGone(results []netcfg.Result) error {
	made := map[string]bool{}
	for _, result := range results {
		made[result.Name] = made[result.Name] || result.Made
	}
	for index, name := range r.memory.Devices() {
		if made[name] {
			if d, err := r.namespace.Device(index); err != nil {
				return err
			} else if d == nil {
				r.memory.Forget(index)
			}
		}
	}
	return nil
}

// jsonResult is what became of one device, as promised to scripts.
type jsonResult struct {
	Device string     `json:"device"`
	Result string     `json:"result"` // created, changed, unchanged, deleted, kept, failed
	Steps  []jsonStep `json:"steps"`
	Error  *string    `json:"error"`
	Exit   int        `json:"exit"`
}

func (r *provision) renderOutcomes(changes []netcfg.Change, results []netcfg.Result) error {
	outcomes := make([]jsonResult, 0, len(results)+len(r.kept))
	for i, result := range results {
		steps := result.Steps
		if result.PutBack {
			steps = nil
		}
		one := jsonResult{Device: result.Name, Result: resultWord(changes[i], result), Steps: toSteps(steps)}
		if result.Err != nil {
			text := errors.Join(result.Err, result.UndoErr).Error()
			one.Error, one.Exit = &text, exitCode(result.Err)
		}
		outcomes = append(outcomes, one)
	}
	return encode(r.stdout, append(outcomes, r.kept...))
}

// resultWord is the one word for what became of a device.
func resultWord(c netcfg.Change, r netcfg.Result) string {
	switch e := new(netcfg.Error); {
	case errors.As(r.Err, &e) && e.Cause == netcfg.InUse && c.Want == nil:
		return "kept"
	case r.Err != nil:
		return "failed"
	case c.Want == nil && r.Before != 0:
		return "deleted"
	case r.Created:
		return "created"
	case len(r.Steps) > 0:
		return "changed"
	}
	return "unchanged"
}
