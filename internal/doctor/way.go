package doctor

import (
	"errors"
	"net/netip"
	"sync"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A way is where the kernel sends a packet of this host.
type way struct {
	Index   int          // of the outgoing link; 0: none
	Local   bool         // the destination is this host
	Match   netip.Prefix // the destination prefix of the route
	Table   uint32
	Foreign bool // the kernel or a daemon added the route
}

// A detour is an address in a network of the device that the host reaches through another device, or not at all.
type detour struct {
	from, to netip.Addr
	way      way
}

// detours asks the kernel for the route to each network of the device, once.
func (v *view) detours() []detour {
	if v.ways == nil {
		v.ways = append([]detour{}, v.askWays()...)
	}
	return v.ways
}

func (v *view) askWays() (found []detour) {
	d := v.device
	if !d.Up || d.Master != "" {
		return nil
	}
	for _, a := range own(d) {
		to := target(a)
		if !to.IsValid() || to.Is6() && (a.Tentative() || a.Duplicate()) {
			continue
		}
		way, err := findWay(a.Local, to)
		if err == nil && way.Index != d.Index && !way.Local {
			found = append(found, detour{a.Local, to, way})
		}
	}
	return found
}

// withWords makes the netlink library request the kernel's error messages.
var withWords = sync.OnceFunc(func() { nl.EnableErrorMessageReporting = true })

// findWay returns where the kernel sends a packet with these addresses in the thread's network namespace, by all rules
// and routes. A caller that changes something must not use it: the library starts the poller of the Go runtime, see
// internal/rtnl.
func findWay(from, to netip.Addr) (way, error) {
	withWords()
	options := &netlink.RouteGetOptions{SrcAddr: from.AsSlice(), FIBMatch: true}
	found, err := netlink.RouteGetWithOptions(to.AsSlice(), options)
	for _, none := range []error{unix.ENETUNREACH, unix.EACCES, unix.EHOSTUNREACH, unix.EINVAL} {
		if errors.Is(err, none) {
			return way{}, nil // there is no route, or a rule forbids it
		}
	}
	if err != nil || len(found) == 0 {
		return way{}, err
	}
	r := found[0]
	match, _ := netip.AddrFromSlice(r.Dst.IP) // the default route's IPv4 address has 16 bytes
	bits, _ := r.Dst.Mask.Size()
	return way{Index: r.LinkIndex, Local: r.Type == unix.RTN_LOCAL, Match: netip.PrefixFrom(match.Unmap(), bits),
		Table: uint32(r.Table), Foreign: r.Protocol != unix.RTPROT_BOOT && r.Protocol != unix.RTPROT_STATIC}, nil
}
