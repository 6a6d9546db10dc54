package link

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Routing tables that have a name everywhere.
const (
	tableDefault = unix.RT_TABLE_DEFAULT
	TableMain    = unix.RT_TABLE_MAIN
	TableLocal   = unix.RT_TABLE_LOCAL // the kernel's table of the host's own addresses
)

// ParseTable parses "main", "default" or the number of a routing table, which must not be the kernel's own.
func ParseTable(s string) (uint32, error) {
	switch s {
	case "main":
		return TableMain, nil
	case "default":
		return tableDefault, nil
	case "local":
		return 0, fmt.Errorf("table local is the kernel's")
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("table %q is neither main, default nor a number from 1 to 4294967295", s)
	}
	if n == TableLocal {
		return 0, fmt.Errorf("table %s is the kernel's local table", s)
	}
	return uint32(n), nil
}

// CheckHost returns an error if no device can have this address.
func CheckHost(ip netip.Addr) error {
	switch {
	case ip.IsUnspecified():
		return fmt.Errorf("%s is the unspecified address", ip)
	case ip == netip.IPv6Loopback():
		return fmt.Errorf("%s is the address of the loopback device", ip)
	case ip.IsMulticast() || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return fmt.Errorf("%s is not a unicast address", ip)
	case ip.Zone() != "":
		return fmt.Errorf("%s has a zone: remove it, the device is the zone", ip)
	case ip.Is4In6():
		return fmt.Errorf("%s is an IPv4-mapped IPv6 address: write %s", ip, ip.Unmap())
	}
	return nil
}

// ParsePrefix parses an address with or without a prefix length.
func ParsePrefix(s string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p, nil
	}
	if host, bits, ok := strings.Cut(s, "/"); ok {
		if ip, err := netip.ParseAddr(host); err == nil && ip.Zone() == "" {
			return netip.Prefix{}, fmt.Errorf("%q is not a prefix length from 0 to %d", bits, ip.BitLen())
		}
	}
	ip, err := netip.ParseAddr(s)
	if strings.Contains(s, "%") {
		return netip.Prefix{}, fmt.Errorf("%q has a zone: remove it, the device is the zone", s)
	}
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not an IP address", s)
	}
	return netip.PrefixFrom(ip, ip.BitLen()), nil
}

// PrefixRoute returns the prefix to which the kernel adds a route for an address of a device that is up, and false if
// it adds none. An invalid peer is none.
func PrefixRoute(local, peer netip.Addr, bits int) (to netip.Prefix, added bool) {
	if local.Is6() || !peer.IsValid() {
		to = netip.PrefixFrom(local, bits).Masked()
	} else {
		to = netip.PrefixFrom(peer, bits).Masked()
	}
	alone := bits == local.BitLen() && !peer.IsValid()
	return to, local.Is6() || !alone && to.Addr().As4()[0] != 0
}

// The scopes of addresses. Within one scope, their order decides which address the kernel chooses as source.
const (
	ScopeV4 = iota
	scopeLink
	scopeSite
	scopeGlobal
)

// Scopes are all scopes.
var Scopes = []int{ScopeV4, scopeLink, scopeSite, scopeGlobal}

// siteLocal is the prefix of the site-local addresses. RFC 3879 deprecates them, but the kernel still knows them.
var siteLocal = netip.PrefixFrom(netip.AddrFrom16([16]byte{0: 0xfe, 1: 0xc0}), 10)

// ScopeOf returns the scope of an address.
func ScopeOf(ip netip.Addr) int {
	switch {
	case ip.Is4():
		return ScopeV4
	case ip.IsLinkLocalUnicast():
		return scopeLink
	case siteLocal.Contains(ip):
		return scopeSite
	}
	return scopeGlobal
}

// Networks is a set of networks.
type Networks map[netip.Prefix]struct{}

// Add adds a network.
func (n Networks) Add(p netip.Prefix) { n[p] = struct{}{} }

// Contains reports whether an address is in one of the networks. There may be tens of thousands of them.
func (n Networks) Contains(ip netip.Addr) bool {
	for bits := ip.BitLen(); bits >= 0; bits-- {
		p, err := ip.Prefix(bits)
		if _, found := n[p]; err == nil && found {
			return true
		}
	}
	return false
}
