package netcfg

import (
	"slices"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/users"
	"golang.org/x/sys/unix"
)

// decodeLink returns the device of a link message, or nil if the message is too short.
func decodeLink(body []byte) *Device {
	l := rtnl.Link{}
	if !l.Unmarshal(body) {
		return nil
	}
	return DeviceOf(&l)
}

// DeviceOf returns the device that a link message describes.
func DeviceOf(l *rtnl.Link) *Device {
	d := &Device{
		Index: l.Index, Name: l.Name, AltNames: l.AltNames, Kind: l.Kind, Alias: l.Alias,
		Up: l.Flags&unix.IFF_UP != 0, Promisc: l.Flags&unix.IFF_PROMISC != 0,
		Multicast: l.Flags&unix.IFF_MULTICAST != 0, allMulti: l.Flags&unix.IFF_ALLMULTI != 0,
		arp: l.Flags&unix.IFF_NOARP == 0, qdisc: l.Qdisc,
		MTU: l.MTU, TxQueueLen: l.TxQueueLen, group: l.Group, masterIndex: l.Master,
		CarrierOn: l.Carrier, CarrierUps: l.CarrierUps, Carrier: l.Carrier && l.Flags&unix.IFF_UP != 0,
		Mode: link.Mode(l.Tun.Type), Access: users.Access{User: id(l.Tun.Owner), Group: id(l.Tun.Group)},
		PI: l.Tun.PI, VnetHdr: l.Tun.VnetHdr, Persist: l.Tun.Persist, MultiQueue: l.Tun.MultiQueue,
		Queues: l.Tun.Queues, DisabledQueues: l.Tun.DisabledQueues, Settings: l.Configured(), portNo: l.PortNo,
		byTree: l.ByTree, others: l.Beyond,
	}
	// The counters come in pairs, received and sent: packets, bytes, errors, dropped.
	n := &l.Counters
	d.Stats = Stats{
		RxPackets: n[0], TxPackets: n[1], RxBytes: n[2], TxBytes: n[3],
		RxErrors: n[4], TxErrors: n[5], RxDropped: n[6], TxDropped: n[7], RxOtherHost: n[24],
	}
	if l.Flags&unix.IFF_LOOPBACK != 0 {
		d.Kind = "loopback"
	}
	if d.Kind != "tun" || d.Mode == link.TAP {
		d.MAC = l.Address
	}
	return d
}

// id returns an owner or a group, or nil if none is set.
func id(number *uint32) *users.ID {
	if number == nil {
		return nil
	}
	return &users.ID{Number: *number}
}

// An ownedAddress is an address with the index of its device.
type ownedAddress struct {
	Address
	index int
}

// decodeAddress returns false if the message has no address.
func decodeAddress(body []byte) (ownedAddress, bool) {
	a := rtnl.Address{}
	ok := a.Unmarshal(body)
	return ownedAddress{Address: Address{Address: a.Address, kept: kept{
		message:   a.Message,
		origin:    a.Origin,
		tentative: a.Flags&unix.IFA_F_TENTATIVE != 0,
		duplicate: a.Flags&unix.IFA_F_DADFAILED != 0,
		routeless: a.Flags&unix.IFA_F_NOPREFIXROUTE != 0,
		foreign:   a.Flags&unix.IFA_F_PERMANENT == 0 || a.Local.IsLinkLocalUnicast() && a.Local.Is6(),
	}}, index: a.Index}, ok
}

// An ownedRoute is a route with the index of its device, or with the indexes of all devices if it has several next
// hops.
type ownedRoute struct {
	Route
	index  int
	hops   []int
	kernel bool // its protocol is the kernel's, which other programs use too
}

// through returns the first of the devices through which the route goes, or nil.
func (r ownedRoute) through(devices map[int]*Device) *Device {
	for _, hop := range r.hops {
		if d := devices[hop]; d != nil {
			return d
		}
	}
	return devices[r.index]
}

// decodeRoute returns false for routes of another family, and for routes that the kernel adds with addresses and links.
func decodeRoute(body []byte, family int) (ownedRoute, bool) {
	r := rtnl.Route{}
	if !r.Unmarshal(body) || r.Protocol == unix.RTPROT_KERNEL {
		return ownedRoute{}, false
	}
	return routeOf(r, family)
}

// decodeAnyRoute returns also the routes of the kernel's protocol that may be another program's, in IPv4, or that IPv6
// derived from addresses.
func decodeAnyRoute(body []byte, family int) (ownedRoute, bool) {
	r := rtnl.Route{}
	if !r.Unmarshal(body) {
		return ownedRoute{}, false
	}
	host := r.Family == unix.AF_INET6 && (r.To.Bits() == 128 || r.To.Addr().IsMulticast())
	if r.Protocol == unix.RTPROT_KERNEL && (r.Type != unix.RTN_UNICAST || host) {
		return ownedRoute{}, false
	}
	return routeOf(r, family)
}

// derives reports whether the kernel added the IPv4 route with an address of the device. Scripts for several tables
// often copy such a route, with its protocol, into another table.
func (d *Device) derives(r Route) bool {
	return !r.Via.IsValid() && (r.table() == link.TableMain || d.MasterKind == "vrf") &&
		slices.ContainsFunc(d.Addresses, func(a Address) bool {
			return a.Local == r.Source && a.Subnet() == r.To && !a.kept.routeless
		})
}

func routeOf(r rtnl.Route, family int) (ownedRoute, bool) {
	cached := r.Flags&unix.RTM_F_CLONED != 0 // of a redirect, or of a path's MTU
	plain := r.Type == unix.RTN_UNICAST && r.TOS == 0 && !r.Special
	ours := r.Protocol == unix.RTPROT_BOOT || r.Protocol == unix.RTPROT_STATIC
	to := Route{To: r.To, Via: r.Via, Source: r.Source, Metric: r.Metric, Table: r.Table, kept: kept{
		message: r.Message,
		plain:   plain && !r.Extra && r.Protocol == unix.RTPROT_STATIC,
		onlink:  r.Flags&unix.RTNH_F_ONLINK != 0,
		odd:     !plain && ours,
		foreign: !plain || !ours,
		metrics: r.Metrics,
		expires: r.Expires,
	}}
	owned := ownedRoute{Route: to, index: r.Index, hops: r.Hops, kernel: r.Protocol == unix.RTPROT_KERNEL}
	return owned, int(r.Family) == family && !cached
}
