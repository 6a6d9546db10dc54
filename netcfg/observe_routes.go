package netcfg

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// filters returns the indexes by which to request the addresses and routes of devices: their own for a few devices,
// else 0, which requests all in one dump.
func filters(devices []*Device) []int {
	const fewDumps = 4
	if len(devices) > fewDumps {
		return []int{0}
	}
	indexes := make([]int, len(devices))
	for i, d := range devices {
		indexes[i] = d.Index
	}
	return indexes
}

// ReadAddresses adds the addresses of the devices, foreign ones too.
func (ns *Namespace) ReadAddresses(devices []*Device) error {
	byIndex := indexed(devices)
	for _, index := range filters(devices) {
		msg := nl.NewIfAddrmsg(unix.AF_UNSPEC)
		msg.Index = uint32(index)
		found, err := rtnl.Dump(ns.socket, rtnl.Request(unix.RTM_GETADDR, 0, msg), decodeAddress)
		if err != nil && !errors.Is(err, unix.ENODEV) {
			return fmt.Errorf("read addresses: %w", err)
		}
		for _, a := range found {
			if d := byIndex[a.index]; d != nil {
				d.Addresses = append(d.Addresses, a.Address)
			}
		}
	}
	return nil
}

func indexed(devices []*Device) map[int]*Device {
	byIndex := make(map[int]*Device, len(devices))
	for _, d := range devices {
		byIndex[d.Index] = d
	}
	return byIndex
}

// readRoutes reads the routes through the devices. A deep read includes routes of every origin, and IPv4 routes of
// other devices whose source is an address of one of the devices. For a few devices the kernel selects the routes, even
// if there are very many. It cannot select by the source.
func (ns *Namespace) readRoutes(devices []*Device, how depth) error {
	for _, d := range devices {
		d.how = how
	}
	if how == bare {
		return nil
	}
	protocols, indexes, decode := []int{unix.RTPROT_BOOT, unix.RTPROT_STATIC}, filters(devices), decodeRoute
	if how > shallow {
		protocols, decode = []int{unix.RTPROT_UNSPEC}, decodeAnyRoute
	}
	byIndex, bySource := indexed(devices), map[netip.Addr]*Device{}
	if how == deep {
		bySource = sources(devices)
	}
	ours := func(body []byte, family int) (ownedRoute, bool) {
		e, ok := rtnl.Ends(body)
		if !ok || e.Index != 0 && byIndex[e.Index] == nil && bySource[e.Source] == nil {
			return ownedRoute{}, false // of the very many
		}
		return decode(body, family)
	}
	if how > shallow {
		if err := ns.readPrefixes(byIndex, indexes); err != nil {
			return err
		}
	}
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		selected := indexes
		if family == unix.AF_INET && len(bySource) > 0 {
			selected = []int{0}
		}
		for _, protocol := range protocols {
			for _, index := range selected {
				found, err := ns.routesBy(ours, family, protocol, index)
				if err != nil {
					return fmt.Errorf("read routes: %w", err)
				}
				for _, r := range found {
					r.record(index, byIndex, bySource)
				}
			}
		}
	}
	return nil
}

// record adds the route to the device through which it goes, or to the one that has its source. A route through several
// devices is found by the index of each.
func (r ownedRoute) record(index int, byIndex map[int]*Device, bySource map[netip.Addr]*Device) {
	if d := r.through(byIndex); d != nil {
		if index != 0 && d.Index != index {
			return
		}
		r.kept.through = d.Index
		if r.kernel && d.derives(r.Route) {
			d.prefixes = append(d.prefixes, r.Route)
		} else {
			d.Routes = append(d.Routes, r.Route)
		}
	} else if d := bySource[r.Source]; d != nil && !r.kernel {
		r.kept.foreign, r.kept.elsewhere = true, r.index
		d.Routes = append(d.Routes, r.Route)
	}
}

// readPrefixes reads the prefix routes that IPv6 derived from the addresses of the devices.
func (ns *Namespace) readPrefixes(devices map[int]*Device, indexes []int) error {
	for _, index := range indexes {
		found, err := rtnl.Dump(ns.socket, rtnl.AskRoutes(unix.AF_INET6, unix.RTPROT_KERNEL, index), decodePrefix)
		if err != nil && !errors.Is(err, unix.ENODEV) {
			return fmt.Errorf("read routes: %w", err)
		}
		for _, r := range found {
			if d := devices[r.index]; d != nil {
				r.kept.through = d.Index
				d.prefixes = append(d.prefixes, r.Route)
			}
		}
	}
	return nil
}

// sources returns the devices by their IPv4 addresses. The kernel removes an IPv4 route with its source address, but
// keeps an IPv6 route.
func sources(devices []*Device) map[netip.Addr]*Device {
	bySource := map[netip.Addr]*Device{}
	for _, d := range devices {
		for _, a := range d.Addresses {
			if a.Local.Is4() {
				bySource[a.Local] = d
			}
		}
	}
	return bySource
}

// routes reads the routes of a family. A protocol or an index other than 0 selects.
func (ns *Namespace) routes(family, protocol, index int) ([]ownedRoute, error) {
	return ns.routesBy(decodeRoute, family, protocol, index)
}

// routesBy reads the routes of a family that decode accepts.
func (ns *Namespace) routesBy(
	decode func(body []byte, family int) (ownedRoute, bool), family, protocol, index int,
) ([]ownedRoute, error) {
	found, err := rtnl.Dump(ns.socket, rtnl.AskRoutes(family, protocol, index), func(body []byte) (ownedRoute, bool) {
		return decode(body, family)
	})
	if errors.Is(err, unix.ENODEV) {
		return nil, nil
	}
	return found, err
}
