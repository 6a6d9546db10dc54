package commands

import (
	"errors"
	"slices"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/netcfg"
)

// A reader reads the named devices, or all.
type reader func(ns *netcfg.Namespace, names ...string) ([]*netcfg.Device, error)

// readDevices returns the devices that the names and patterns mean, or all if there are none, and an error for each
// that is absent or of another kind.
func readDevices(netns string, names []string, read reader) (devices []*netcfg.Device, missing []error, err error) {
	ns, err := netcfg.Open(netns)
	if err != nil {
		return nil, nil, err
	}
	defer ns.Close()
	return readIn(ns, names, read)
}

// readEverywhere returns the devices of all network namespaces as readDevices does, and an error for each name that no
// namespace has.
func readEverywhere(names []string, read reader) (devices []*netcfg.Device, missing []error, err error) {
	return readEach(names, func(string) reader { return read })
}

// readEach does the same with the reader for each namespace, which is given as --netns accepts it.
func readEach(
	names []string, read func(called string) reader,
) (devices []*netcfg.Device, missing []error, err error) {
	namespaces := 0
	var absences []error
	devices, err = everywhere(func(ns *netcfg.Namespace, called string) ([]*netcfg.Device, error) {
		namespaces++
		found, lacks, err := readIn(ns, names, read(called))
		absences = append(absences, lacks...)
		return found, err
	})
	count := map[string]int{}
	for _, absence := range absences {
		e := new(cause.Error)
		if !errors.As(absence, &e) {
			continue
		}
		if count[e.Device]++; count[e.Device] == namespaces {
			missing = append(missing, absence)
		}
	}
	return devices, append(missing, err), nil
}

func readIn(ns *netcfg.Namespace, names []string, read reader) (devices []*netcfg.Device, missing []error, err error) {
	asked := len(names)
	names, missing, err = matching(ns, names)
	if err != nil || asked > 0 && len(names) == 0 {
		return nil, missing, err
	}
	found, err := read(ns, names...)
	if err != nil {
		return nil, nil, err
	}
	devices, others := present(found, names)
	return devices, append(missing, others...), nil
}

// present returns the TUN/TAP devices among those that were read by name, and an error for each of the others.
func present(found []*netcfg.Device, names []string) (devices []*netcfg.Device, missing []error) {
	for i, d := range found {
		switch {
		case d == nil:
			missing = append(missing, &cause.Error{Device: names[i], Cause: cause.NoDevice})
		case d.Kind != "tun":
			missing = append(missing, d.NotOurs(names[i]))
		default:
			devices = append(devices, d)
		}
	}
	return slices.Clip(devices), missing
}
