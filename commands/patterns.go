package commands

import (
	"errors"
	"slices"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/netcfg"
)

// matching returns the names of the devices that operands mean, each once, and an error for each pattern that matches
// no name. If a device has exactly the name of an operand, the operand means that device alone.
func matching(ns *netcfg.Namespace, operands []string) (names []string, missing []error, err error) {
	if !slices.ContainsFunc(operands, link.IsPattern) {
		return operands, nil, nil
	}
	exact, err := exactNames(ns, operands)
	if err != nil {
		return nil, nil, err
	}
	live, err := ns.Counters()
	if err != nil {
		return nil, nil, err
	}
	for _, word := range operands {
		if exact[word] {
			names = append(names, word)
			continue
		}
		before := len(names)
		pattern, wrong := link.ParsePattern(word)
		for _, d := range live {
			if wrong == nil && pattern.Matches(d.Name) {
				names = append(names, d.Name)
			}
		}
		if len(names) == before {
			missing = append(missing, unmatched(word, wrong))
		}
	}
	return once(names), missing, nil
}

// exactNames returns the operands that are not patterns, and those that are the name of a device of any kind.
func exactNames(ns *netcfg.Namespace, operands []string) (map[string]bool, error) {
	exact := map[string]bool{}
	var doubtful []string
	for _, word := range operands {
		if !link.IsPattern(word) {
			exact[word] = true
		} else if link.CheckName(word) == nil {
			doubtful = append(doubtful, word)
		}
	}
	if len(doubtful) == 0 {
		return exact, nil
	}
	devices, err := ns.Counters(doubtful...)
	for i, d := range devices {
		exact[doubtful[i]] = d != nil
	}
	return exact, err
}

// unmatched returns the error for a pattern that matches no device, or that is wrong.
func unmatched(word string, wrong error) error {
	e := &cause.Error{Device: word, Cause: cause.NoDevice, Detail: "no device matches"}
	if wrong != nil {
		e.Detail, e.Fix = "", fix.Sentence(wrong.Error())
	}
	return e
}

// patternHint returns the hint for a pattern in place of a name, or "".
func (p *program) patternHint(err error) string {
	e, v := new(cause.Error), findVerb(p.verb)
	if v == nil || v.patterns || !errors.As(err, &e) || e.Cause != cause.NoDevice || !link.IsPattern(e.Device) {
		return ""
	}
	return v.name + " takes names only: list, show, top, set, delete, watch, doctor, metrics and export take patterns"
}

// once returns the words without repetitions.
func once(words []string) (all []string) {
	seen := map[string]bool{}
	return slices.DeleteFunc(words, func(word string) bool {
		again := seen[word]
		seen[word] = true
		return again
	})
}

// devices returns the names of the devices that the operands of a verb mean, and an error for each pattern that matches
// no name.
func (o *changeOptions) devices(operands []string) (names []string, missing []error, err error) {
	if !slices.ContainsFunc(operands, link.IsPattern) {
		return operands, nil, nil
	}
	ns, err := netcfg.Open(o.netns)
	if err != nil {
		return nil, nil, err
	}
	defer ns.Close()
	return matching(ns, operands)
}
