package main

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"

	"github.com/containernetworking/cni/pkg/types"
	current "github.com/containernetworking/cni/pkg/types/100"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/sysctl"
	"github.com/tunadm/tunadm/netcfg"
)

// configure adds to a Spec the addresses and routes of an IPAM result, and the routes of the network. A route without a
// gateway goes through that of the first address of its family that has one.
func configure(s *netcfg.Spec, ips []*current.IPConfig, routes []*types.Route) error {
	var gateways []netip.Addr
	six := false
	for _, ip := range ips {
		a, err := netcfg.ParseAddress(ip.Address.String())
		if err != nil {
			return types.NewError(types.ErrInvalidNetworkConfig, "address "+ip.Address.String()+": "+err.Error(), "")
		}
		s.AddAddresses = append(s.AddAddresses, a)
		if via, ok := toAddr(ip.Gateway); ok {
			gateways = append(gateways, via)
		}
		six = six || a.Local.Is6()
	}
	for _, r := range routes {
		route, err := toRoute(r, gateways)
		if err != nil {
			subject := "route " + r.Dst.String()
			if r.Dst.IP == nil {
				subject = "routes"
			}
			return types.NewError(types.ErrInvalidNetworkConfig, subject+": "+err.Error(), "")
		}
		twice := func(other netcfg.Route) bool { return other.String() == route.String() }
		if !slices.ContainsFunc(s.AddRoutes, twice) {
			s.AddRoutes = append(s.AddRoutes, route)
		}
	}
	if len(ips) == 0 {
		return nil
	}
	return tune(s, six)
}

// toAddr converts an address. It reports false for none, and for the unspecified one, which means that there is none.
func toAddr(ip net.IP) (netip.Addr, bool) {
	a, ok := netip.AddrFromSlice(ip)
	a = a.Unmap()
	return a, ok && !a.IsUnspecified()
}

// toRoute converts a route. It refuses what the engine cannot express instead of leaving it out.
func toRoute(r *types.Route, gateways []netip.Addr) (route netcfg.Route, err error) {
	to, ok := netip.AddrFromSlice(r.Dst.IP)
	bits, _ := r.Dst.Mask.Size()
	if !ok {
		return route, errors.New("dst is missing")
	}
	route.To = netip.PrefixFrom(to.Unmap(), bits).Masked()
	onLink := r.Scope != nil && *r.Scope == unix.RT_SCOPE_LINK
	if via, ok := toAddr(r.GW); ok {
		route.Via = via
	} else if r.GW == nil && !onLink {
		i := slices.IndexFunc(gateways, func(via netip.Addr) bool { return via.Is4() == route.To.Addr().Is4() })
		if i >= 0 {
			route.Via = gateways[i]
		}
	}
	switch {
	case r.MTU != 0 || r.AdvMSS != 0:
		return route, errors.New("mtu and advmss of a route are not supported: set the mtu of the network")
	case route.Via.IsValid() && route.Via.Is4() != route.To.Addr().Is4():
		return route, fmt.Errorf("gateway %s is of the other family", route.Via)
	case r.Scope != nil && onLink == route.Via.IsValid() ||
		r.Scope != nil && !onLink && *r.Scope != unix.RT_SCOPE_UNIVERSE:
		return route, fmt.Errorf("scope %d is not that of a route with this gateway", *r.Scope)
	case r.Priority < 0 || int64(r.Priority) > math.MaxUint32:
		return route, fmt.Errorf("priority %d is not a number from 0 to %d", r.Priority, uint32(math.MaxUint32))
	}
	route.Metric = uint32(r.Priority)
	if r.Table != nil {
		if *r.Table < 1 || int64(*r.Table) > math.MaxUint32 {
			return route, fmt.Errorf("table %d is not a number from 1 to %d", *r.Table, uint32(math.MaxUint32))
		}
		route.Table = uint32(*r.Table)
	}
	return route, nil
}

// tune asks for the sysctls that CNI plugins set for addresses: the tap announces its IPv4 addresses when it comes up.
// Container runtimes may disable IPv6; a tap with an IPv6 address has it, and keeps the address while it is down.
func tune(s *netcfg.Spec, six bool) error {
	wanted := [][2]string{{"net.ipv4.conf.arp_notify", "1"}}
	if six {
		wanted = append(wanted, [2]string{"net.ipv6.conf.disable_ipv6", "0"},
			[2]string{"net.ipv6.conf.keep_addr_on_down", "1"})
	}
	for _, w := range wanted {
		setting, err := sysctl.Parse(w[0], w[1])
		if err != nil {
			return err
		}
		s.Sysctls = append(s.Sysctls, setting)
	}
	return nil
}
