package netcfg

import (
	"fmt"

	"github.com/tunadm/tunadm/internal/rtnl"
	"golang.org/x/sys/unix"
)

// A Network is everything outside a device that decides where its packets go.
type Network struct {
	Links []*Device   // all links of the namespace, of every kind, with their addresses, without routes
	Rules []rtnl.Rule // in the kernel's order, IPv4 first
}

// Network reads the namespace. Complete adds to the TUN/TAP devices what is missing. Each function also gets the
// kernel's message of each link.
func (ns *Namespace) Network(each ...func(body []byte)) (*Network, error) {
	links, err := ns.dumpLinks(false, true, each...)
	if err != nil {
		return nil, fmt.Errorf("read links: %w", err)
	}
	if err := ns.ReadAddresses(links); err != nil {
		return nil, err
	}
	byIndex := indexed(links)
	for _, l := range links {
		l.joined(byIndex[l.masterIndex])
	}
	rules, err := ns.Rules()
	return &Network{Links: links, Rules: rules}, err
}

// Rules reads the policy rules in the kernel's order, IPv4 first.
func (ns *Namespace) Rules() ([]rtnl.Rule, error) { return rtnl.Rules(ns.socket) }

// AnyLink reads a link of any kind by its index, or by its name if that is 0, as [Network] has it. It returns nil if
// there is none.
func (ns *Namespace) AnyLink(index int, name string) (*Device, error) {
	found, err := ns.askLinks([]target{{name: name, index: index}}, true)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	d := found[0]
	if d.Kind == "tun" && !d.MultiQueue {
		d.Queues = ns.SingleQueue(d)
	}
	ns.readOwnDelay(d)
	if err := ns.readMasters(found); err != nil {
		return nil, err
	}
	return d, ns.ReadAddresses(found)
}

// RoutesThrough reads the routes through a link that the kernel did not derive from an address.
func (ns *Namespace) RoutesThrough(index int) (all []Route, err error) {
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		routes, err := ns.routesBy(decodeRoute, table{family: family}, unix.RTPROT_UNSPEC, index)
		if err != nil {
			return nil, fmt.Errorf("read routes: %w", err)
		}
		for _, r := range routes {
			all = append(all, r.Route)
		}
	}
	return all, nil
}
