package netcfg

import (
	"fmt"
	"slices"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/rtnl"
	"golang.org/x/sys/unix"
)

// A Network is everything outside a device that decides where its packets go.
type Network struct {
	Links  []*Device   // all links of the namespace, of every kind, with their addresses, without routes
	Rules  []rtnl.Rule // in the kernel's order, IPv4 first
	Routes []NetworkRoute
}

// Network reads the namespace. It reuses the devices, which were read before, for their links.
func (ns *Namespace) Network(devices []*Device) (*Network, error) {
	links, err := ns.dumpLinks(false, true)
	if err != nil {
		return nil, fmt.Errorf("read links: %w", err)
	}
	if err := ns.readAddresses(links); err != nil {
		return nil, err
	}
	byIndex := indexed(links)
	known := indexed(devices)
	for i, l := range links {
		if m := byIndex[l.masterIndex]; m != nil {
			l.Master, l.MasterKind = m.Name, m.Kind
		}
		if d := known[l.Index]; d != nil {
			links[i] = d
		}
	}
	n := &Network{Links: links}
	if n.Rules, err = rtnl.Rules(ns.socket); err != nil {
		return nil, err
	}
	return n, n.readRoutes(ns)
}

// Link returns the link with a name or an alternative name, or nil.
func (n *Network) Link(name string) *Device {
	for _, l := range n.Links {
		if l.Name == name || slices.Contains(l.AltNames, name) {
			return l
		}
	}
	return nil
}

// A NetworkRoute is a route that the kernel did not derive from an address.
type NetworkRoute struct {
	Route
	Index int // of its link; 0: none, or several
}

// readRoutes reads the routes of both families.
func (n *Network) readRoutes(ns *Namespace) error {
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		routes, err := ns.routes(family, unix.RTPROT_UNSPEC, 0)
		if err != nil {
			return fmt.Errorf("read routes: %w", err)
		}
		for _, r := range routes {
			n.Routes = append(n.Routes, NetworkRoute{r.Route, r.index})
		}
	}
	return nil
}

// Main reports whether the route is in the main table.
func (r NetworkRoute) Main() bool { return r.table() == link.TableMain }
