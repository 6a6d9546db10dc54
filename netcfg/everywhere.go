package netcfg

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/netns"
	"github.com/tunadm/tunadm/internal/words"
	"golang.org/x/sys/unix"
)

// IsEverywhere reports whether a value of --netns means all network namespaces: the word all, unless a network
// namespace has this name.
func IsEverywhere(ns string) bool {
	if ns != "all" {
		return false
	}
	_, err := netns.Find(ns)
	return errors.Is(err, unix.ENOENT)
}

// Everywhere reads devices in this network namespace, and then in every other that this user may enter, sorted by the
// name of the namespace, and sets their Netns. The error is that of this namespace, or the errors of others beside the
// devices that could be read.
func Everywhere(read func(*Namespace) ([]*Device, error)) ([]*Device, error) {
	here, err := readIn("", read)
	if err != nil {
		return nil, err
	}
	var there []*Device
	var errs []error
	netns.Others(time.Time{}, func(called string) bool {
		found, err := readIn(called, read)
		if err != nil {
			errs = append(errs, fmt.Errorf("netns %s: %w", words.Escape(called), err))
		}
		there = append(there, found...)
		return err == nil
	})
	slices.SortStableFunc(there, func(a, b *Device) int { return link.CompareNames(*a.Netns, *b.Netns) })
	return slices.Concat(here, there), errors.Join(errs...)
}

// readIn reads devices in the network namespace of this thread, whose name is called.
func readIn(called string, read func(*Namespace) ([]*Device, error)) ([]*Device, error) {
	ns, err := Open("")
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	devices, err := read(ns)
	for _, d := range devices {
		d.Netns = &called
	}
	return devices, err
}
