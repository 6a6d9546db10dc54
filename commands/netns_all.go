package commands

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/netns"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// isEverywhere reports whether a value of --netns means all network namespaces: the word all, unless a network
// namespace has this name.
func isEverywhere(ns string) bool {
	if ns != "all" {
		return false
	}
	_, err := netns.Find(ns)
	return errors.Is(err, os.ErrNotExist)
}

// everywhereHint returns the hint for --netns all of a verb that works in one network namespace, or "".
func (p *program) everywhereHint(err error) string {
	if cause.Of(err) != cause.NoNamespace || !isEverywhere(namespaceIn(p.line)) {
		return ""
	}
	return "only list and metrics accept --netns all"
}

// An inside reads devices in a network namespace, whose name is called, as --netns accepts it; "": this one.
type inside func(ns *netcfg.Namespace, called string) ([]*netcfg.Device, error)

// everywhere reads devices in this network namespace, and then in every other that this user may enter, sorted by the
// name of the namespace, and sets their Netns. The error is that of this namespace, or the errors of others beside the
// devices that could be read.
func everywhere(read inside) ([]*netcfg.Device, error) {
	here, err := readInside("", read)
	if err != nil {
		return nil, err
	}
	var there []*netcfg.Device
	var errs []error
	netns.Others(time.Time{}, func(called string) bool {
		found, err := readInside(called, read)
		if err != nil {
			errs = append(errs, fmt.Errorf("netns %s: %w", words.Escape(called), err))
		}
		there = append(there, found...)
		return err == nil
	})
	slices.SortStableFunc(there, func(a, b *netcfg.Device) int { return link.CompareNames(*a.Netns, *b.Netns) })
	return slices.Concat(here, there), errors.Join(errs...)
}

// readInside reads devices in the network namespace of this thread, whose name is called.
func readInside(called string, read inside) ([]*netcfg.Device, error) {
	ns, err := netcfg.Open("")
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	devices, err := read(ns, called)
	for _, d := range devices {
		d.Netns = &called
	}
	return devices, err
}
