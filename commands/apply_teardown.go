package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/declare"
	"github.com/tunadm/tunadm/internal/state"
	"github.com/tunadm/tunadm/netcfg"
)

// A provision is one run of apply or teardown in a namespace.
type provision struct {
	*changeOptions
	namespace *netcfg.Namespace
	memory    *state.Memory // the devices that earlier runs created; empty if the run does not need them
	kept      []jsonResult  // the devices that teardown does not delete
	start     time.Time
}

// provision does the changes that plan returns, and remembers created devices. A run that only prints the plan takes no
// lock and writes nothing.
func (o *changeOptions) provision(
	ctx context.Context, operands []string, needsMemory bool, options netcfg.Options,
	plan func(context.Context, *provision) ([]netcfg.Change, error),
) error {
	if err := inputOnce(operands); err != nil {
		return err
	}
	start := time.Now()
	if !o.planOnly() {
		lock, err := state.Run.Lock(ctx, func() { o.say("waiting for another apply or teardown to end") })
		if err != nil {
			return err
		}
		defer lock.Close()
	}
	ns, err := netcfg.Open(o.netns)
	if err != nil {
		return err
	}
	defer ns.Close()
	run := &provision{changeOptions: o, namespace: ns, memory: &state.Memory{}, start: start}
	if needsMemory || !o.planOnly() {
		if err := run.recall(operands); err != nil {
			return err
		}
	}
	changes, err := plan(ctx, run)
	if err != nil {
		return err
	}
	return run.execute(ctx, changes, options)
}

// setPrefix precedes the name of a set in the place of the operands of a record.
const setPrefix = "set "

// recall reads the memory of earlier runs with the same operands.
func (r *provision) recall(operands []string) error {
	namespace, err := r.namespace.Identity()
	if err != nil {
		return err
	}
	paths, err := declare.Absolute(operands)
	if err != nil {
		return err
	}
	if r.set != "" {
		paths = []string{setPrefix + r.set} // neither a path nor standard input
	}
	memory, warning, err := state.Run.Recall(paths, namespace)
	if warning != "" {
		r.say("warning: " + warning)
	}
	r.memory = memory
	return err
}

// execute runs the engine and updates the memory.
func (r *provision) execute(ctx context.Context, changes []netcfg.Change, o netcfg.Options) error {
	if !r.planOnly() {
		o.Reserve, o.Remember = r.memory.Reserve, r.memory.Remember
	}
	results, err := r.engage(ctx, r.namespace, changes, o)
	if r.planOnly() || results == nil {
		return err
	}
	stuck := slices.ContainsFunc(results, func(r netcfg.Result) bool { return r.UndoErr != nil })
	if o.Atomic && err != nil && !stuck {
		r.say("one device failed: all devices are as they were")
	}
	err = errors.Join(err, r.forgetGone(results), r.memory.Settle(changes, results))
	if r.json {
		err = errors.Join(err, r.renderOutcomes(changes, results, r.kept))
	} else if terminalWidth(r.stderr) > 0 {
		r.say(r.summary(changes, results))
	}
	return err
}

// summary returns how many devices have which result, and how long the run took.
func (r *provision) summary(changes []netcfg.Change, results []netcfg.Result) string {
	count := map[string]int{"kept": len(r.kept)}
	for i, result := range results {
		count[resultWord(changes[i], result)]++
	}
	usual := []string{"created", "changed", "unchanged"}
	if r.verb == teardownVerb.name {
		usual = []string{"deleted"}
	}
	var parts []string
	for _, word := range []string{"created", "changed", "unchanged", "deleted", "kept", "failed"} {
		if count[word] > 0 || slices.Contains(usual, word) {
			parts = append(parts, fmt.Sprintf("%d %s", count[word], word))
		}
	}
	return fmt.Sprintf("%s in %.1f s", strings.Join(parts, ", "), time.Since(r.start).Seconds())
}

// forgetGone removes from the memory the devices that this run replaced: other programs deleted them, or a killed run
// remembered them and never created them.
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

// renderOutcomes prints the results of the changes, and those of the devices that were kept without a change, as JSON.
func (o *changeOptions) renderOutcomes(changes []netcfg.Change, results []netcfg.Result, kept []jsonResult) error {
	outcomes := make([]jsonResult, 0, len(results)+len(kept))
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
	return encode(o.stdout, append(outcomes, kept...))
}

// resultWord returns the result of a change as one word.
func resultWord(c netcfg.Change, r netcfg.Result) string {
	switch e := new(cause.Error); {
	case errors.As(r.Err, &e) && e.Cause == cause.InUse && c.Want == nil:
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
