package commands

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/declare"
	"github.com/tunadm/tunadm/internal/link"
)

// deviceName checks the name of a device that may exist.
func deviceName(name string) error {
	err := link.CheckName(name)
	if err != nil && link.IsPattern(name) {
		return fmt.Errorf("%q is a pattern or a range: one name is required", name)
	}
	return nameError(name, err)
}

// deviceTemplate checks the name of a new device, in which %d is a free number.
func deviceTemplate(name string) error { return nameError(name, link.CheckTemplate(name)) }

func nameError(name string, err error) error {
	if err != nil {
		err = fmt.Errorf("%q is not a device name: %w", name, err)
	}
	return err
}

// wrongOperands returns an error for each operand that the check refuses, and for each that is repeated.
func wrongOperands(operands []string, check func(word string) error) (errs []error) {
	seen := map[string]int{}
	for _, word := range operands {
		seen[word]++
		if seen[word] == 2 {
			errs = append(errs, usagef("%q is named twice", word))
		} else if err := check(word); err != nil && seen[word] == 1 {
			errs = append(errs, usagef("%v", err))
		}
	}
	return errs
}

// devicePattern checks an operand that is the name of an existing device, or a pattern.
func devicePattern(word string) error {
	if _, err := link.ParsePattern(word); err == nil && link.IsPattern(word) {
		return nil
	}
	return deviceName(word)
}

// inputOnce returns an error if several operands are standard input, which can be read only once.
func inputOnce(operands []string) error {
	first := slices.Index(operands, declare.Stdin)
	if first >= 0 && slices.Contains(operands[first+1:], declare.Stdin) {
		return usagef("%q is named twice: standard input can be read only once", declare.Stdin)
	}
	return nil
}

// newDevices checks an operand that is the name of a new device, or a range of names.
func newDevices(word string) error {
	if strings.ContainsAny(word, "*?") {
		return fmt.Errorf("%q is a pattern, and not the name of a new device; a range is 'vm[0-3]'", word)
	}
	r, err := link.ParseRange(word)
	if err != nil {
		return nameError(word, err)
	}
	if err := deviceTemplate(r.Name(r.First)); err != nil {
		return err
	}
	return deviceTemplate(r.Name(r.Last)) // the longest name
}

// newNames returns the names of new devices, with the names of each range in its place.
func newNames(operands []string) (names []string, err error) {
	for _, word := range operands {
		r, err := link.ParseRange(word)
		if err != nil {
			return nil, err
		}
		names = append(names, r.Names()...)
	}
	return names, errors.Join(wrongOperands(names, deviceTemplate)...)
}
