package netcfg

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

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

// A table is a routing table of a family.
type table struct {
	family int
	number uint32
}

// readRoutes reads the routes through the devices. A deep read includes routes of every origin, and IPv4 routes of
// other devices whose source is an address of one of the devices. For a few devices the kernel selects the routes, even
// if there are very many. It cannot select by the source. If there are tables, a shallow read reads nothing but the
// routes that this program adds to these.
func (ns *Namespace) readRoutes(devices []*Device, how depth, tables []table) error {
	for _, d := range devices {
		d.how = how
	}
	if how == bare {
		return nil
	}
	indexes, byIndex, bySource := filters(devices), indexed(devices), map[netip.Addr]*Device{}
	if how == deep {
		bySource = sources(devices)
	}
	decode := decodeRoute
	if how > shallow {
		decode = decodeAnyRoute
	}
	ours := func(body []byte, family int) (ownedRoute, bool) {
		e, ok := rtnl.Ends(body)
		if !ok || e.Index != 0 && byIndex[e.Index] == nil && bySource[e.Source] == nil {
			return ownedRoute{}, false // of the very many
		}
		return decode(body, family)
	}
	if how > shallow || tables == nil {
		tables = []table{{family: unix.AF_INET}, {family: unix.AF_INET6}}
	}
	for _, t := range tables {
		selected := indexes
		if t.family == unix.AF_INET && len(bySource) > 0 {
			selected = []int{0}
		}
		for _, index := range selected {
			found, err := ns.routesOf(ours, t, how, index)
			if err != nil {
				return fmt.Errorf("read routes: %w", err)
			}
			for _, r := range found {
				r.record(index, byIndex, bySource)
			}
		}
	}
	return nil
}

// routesOf reads the routes of a table that decode accepts. For each request, the kernel walks through all its routes,
// so one request for all routes through a device replaces one for each protocol of the administrator, unless very many
// routes of routing daemons, or of addresses, go through the device.
func (ns *Namespace) routesOf(
	decode func(body []byte, family int) (ownedRoute, bool), t table, how depth, index int,
) (found []ownedRoute, err error) {
	const usual = 1024
	switch {
	case how > shallow:
		return ns.routesBy(decode, t, unix.RTPROT_UNSPEC, index)
	case t.number != 0:
		return ns.routesBy(decode, t, unix.RTPROT_STATIC, index)
	case index != 0:
		ask := rtnl.AskRoutes(t.family, 0, unix.RTPROT_UNSPEC, index)
		all, few, err := rtnl.DumpFew(ns.socket, ask, usual, func(body []byte) (ownedRoute, bool) {
			if p := rtnl.RouteProtocol(body); p != unix.RTPROT_BOOT && p != unix.RTPROT_STATIC {
				return ownedRoute{}, true // it counts
			}
			return decode(body, t.family)
		})
		if err = present(err); few || err != nil {
			all = slices.DeleteFunc(all, func(r ownedRoute) bool { return r.kept.message == nil })
			slices.SortStableFunc(all, func(a, b ownedRoute) int { // as below
				return rtnl.RouteProtocol(a.kept.message) - rtnl.RouteProtocol(b.kept.message)
			})
			return all, err
		}
	}
	for _, protocol := range []int{unix.RTPROT_BOOT, unix.RTPROT_STATIC} {
		more, err := ns.routesBy(decode, t, protocol, index)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return found, nil
}

// record adds the route to the device through which it goes, or to the one that has its source. A route through several
// devices is found by the index of each.
func (r ownedRoute) record(index int, byIndex map[int]*Device, bySource map[netip.Addr]*Device) {
	if d := r.through(byIndex); d != nil {
		if index != 0 && d.Index != index {
			return
		}
		r.kept.through = d.Index
		if r.kernel && (r.To.Addr().Is6() || d.derives(r.Route)) {
			d.prefixes = append(d.prefixes, r.Route)
		} else {
			d.Routes = append(d.Routes, r.Route)
		}
	} else if d := bySource[r.Source]; d != nil && !r.kernel {
		r.kept.foreign, r.kept.elsewhere = true, r.index
		d.Routes = append(d.Routes, r.Route)
	}
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

// routesBy reads the routes of a table that decode accepts. The number 0 means all tables. A protocol or an index other
// than 0 selects.
func (ns *Namespace) routesBy(
	decode func(body []byte, family int) (ownedRoute, bool), t table, protocol, index int,
) ([]ownedRoute, error) {
	ask := rtnl.AskRoutes(t.family, 0, protocol, index)
	if t.number != 0 {
		ask.AddData(nl.NewRtAttr(unix.RTA_TABLE, nl.Uint32Attr(t.number)))
	}
	found, err := rtnl.Dump(ns.socket, ask, func(body []byte) (ownedRoute, bool) { return decode(body, t.family) })
	return found, present(err)
}

// present returns the error of a read, or nil if it is only that the device, or the routing table, does not exist.
func present(err error) error {
	if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}
