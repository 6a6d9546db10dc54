package netcfg

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Decoding is pure: a message in, a value out. Bodies are only lent, so all that is kept is copied. A body that
// is too short gives no value.

// rtaNexthopID is RTA_NH_ID, which x/sys/unix does not have.
const rtaNexthopID = 30

func decodeLink(body []byte) *Device {
	if len(body) < unix.SizeofIfInfomsg {
		return nil
	}
	linkFlags := rtnl.Uint32(body[8:])
	d := &Device{
		Index:     int(rtnl.Uint32(body[4:])),
		Up:        linkFlags&unix.IFF_UP != 0,
		Promisc:   linkFlags&unix.IFF_PROMISC != 0,
		Multicast: linkFlags&unix.IFF_MULTICAST != 0,
	}
	var mac MAC
	for kind, value := range rtnl.Attributes(body[unix.SizeofIfInfomsg:]) {
		switch kind {
		case unix.IFLA_IFNAME:
			d.Name = rtnl.Text(value)
		case unix.IFLA_ADDRESS:
			mac = slices.Clone(value)
		case unix.IFLA_MTU:
			d.MTU = int(rtnl.Uint32(value))
		case unix.IFLA_TXQLEN:
			d.TxQueueLen = int(rtnl.Uint32(value))
		case unix.IFLA_IFALIAS:
			d.Alias = rtnl.Text(value)
		case unix.IFLA_GROUP:
			d.group = rtnl.Uint32(value)
		case unix.IFLA_MASTER:
			d.masterIndex = int(rtnl.Uint32(value))
		case unix.IFLA_CARRIER:
			d.carrierOn = rtnl.Uint8(value) != 0
			d.Carrier = d.Up && d.carrierOn
		case unix.IFLA_CARRIER_UP_COUNT:
			d.carrierUps = rtnl.Uint32(value)
		case unix.IFLA_STATS64:
			d.Stats = decodeStats(value)
		case unix.IFLA_LINKINFO:
			d.decodeInfo(value)
		case unix.IFLA_PROP_LIST:
			for _, alt := range rtnl.Attributes(value) {
				d.AltNames = append(d.AltNames, rtnl.Text(alt))
			}
		}
	}
	if linkFlags&unix.IFF_LOOPBACK != 0 {
		d.Kind = "loopback"
	}
	if d.Kind != "tun" || d.Mode == TAP {
		d.MAC = mac
	}
	return d
}

// moved tells the announcement of a device that joins or leaves the network namespace from one that is made or deleted.
// A device that is made is not persistent yet, has no owner, and never had its carrier switched; one that joins, only
// if it is its first program's alone.
func moved(d *Device, body []byte) (joined, left bool) {
	joined = d.Persist || d.Access != Access{}
	for kind, value := range rtnl.Attributes(body[unix.SizeofIfInfomsg:]) {
		switch kind {
		case unix.IFLA_CARRIER_CHANGES:
			joined = joined || rtnl.Uint32(value) > 0
		case unix.IFLA_NEW_NETNSID:
			left = true
		}
	}
	return joined, left
}

func (d *Device) decodeInfo(info []byte) {
	for kind, value := range rtnl.Attributes(info) {
		switch kind {
		case nl.IFLA_INFO_KIND:
			d.Kind = rtnl.Text(value)
		case nl.IFLA_INFO_DATA:
			if d.Kind == "tun" {
				d.decodeTun(value)
			}
		}
	}
}

func (d *Device) decodeTun(data []byte) {
	for kind, value := range rtnl.Attributes(data) {
		on := rtnl.Uint8(value) != 0
		switch kind {
		case nl.IFLA_TUN_OWNER:
			d.Access.User = &ID{Number: rtnl.Uint32(value)}
		case nl.IFLA_TUN_GROUP:
			d.Access.Group = &ID{Number: rtnl.Uint32(value)}
		case nl.IFLA_TUN_TYPE:
			d.Mode = Mode(rtnl.Uint8(value))
		case nl.IFLA_TUN_PI:
			d.PI = on
		case nl.IFLA_TUN_VNET_HDR:
			d.VnetHdr = on
		case nl.IFLA_TUN_PERSIST:
			d.Persist = on
		case nl.IFLA_TUN_MULTI_QUEUE:
			d.MultiQueue = on
		case nl.IFLA_TUN_NUM_QUEUES:
			d.Queues = int(rtnl.Uint32(value))
		case nl.IFLA_TUN_NUM_DISABLED_QUEUES:
			d.DisabledQueues = int(rtnl.Uint32(value))
		}
	}
}

func decodeStats(b []byte) Stats {
	var n [25]uint64
	for i := range n {
		if len(b) >= 8*(i+1) {
			n[i] = binary.NativeEndian.Uint64(b[8*i:])
		}
	}
	// struct rtnl_link_stats64: rx and tx packets, bytes, errors, dropped, by turns; the last is from Linux 5.19 on
	return Stats{
		RxPackets: n[0], TxPackets: n[1], RxBytes: n[2], TxBytes: n[3],
		RxErrors: n[4], TxErrors: n[5], RxDropped: n[6], TxDropped: n[7], RxOtherHost: n[24],
	}
}

// An ownedAddress is an address with the index of its device.
type ownedAddress struct {
	Address
	index int
}

func decodeAddress(body []byte) (ownedAddress, bool) {
	if len(body) < unix.SizeofIfAddrmsg {
		return ownedAddress{}, false
	}
	a := ownedAddress{index: int(rtnl.Uint32(body[4:]))}
	a.Bits = int(body[1])
	flags := uint32(body[2])
	var local, address netip.Addr
	for kind, value := range rtnl.Attributes(body[unix.SizeofIfAddrmsg:]) {
		switch kind {
		case unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(value)
		case unix.IFA_ADDRESS:
			address, _ = netip.AddrFromSlice(value)
		case unix.IFA_FLAGS:
			flags = rtnl.Uint32(value)
		}
	}
	a.Local = address
	if local.IsValid() {
		a.Local = local
		if address.IsValid() && address != local {
			a.Peer = address
		}
	}
	a.kept = kept{
		message:   slices.Clone(body),
		tentative: flags&unix.IFA_F_TENTATIVE != 0,
		duplicate: flags&unix.IFA_F_DADFAILED != 0,
		foreign:   flags&unix.IFA_F_PERMANENT == 0 || a.Local.IsLinkLocalUnicast() && a.Local.Is6(),
	}
	return a, a.Local.IsValid()
}

// An ownedRoute is a route with the index of its device, or those of its hops where it has several.
type ownedRoute struct {
	Route
	index int
	hops  []int
}

// through is the first of the devices that the route goes through, or nil.
func (r ownedRoute) through(devices map[int]*Device) *Device {
	for _, hop := range r.hops {
		if d := devices[hop]; d != nil {
			return d
		}
	}
	return devices[r.index]
}

// decodeHops gives the indexes of an RTA_MULTIPATH attribute's struct rtnexthop.
func decodeHops(b []byte) (hops []int) {
	for len(b) >= unix.SizeofRtNexthop {
		n := int(rtnl.Uint16(b))
		if n < unix.SizeofRtNexthop || n > len(b) {
			break
		}
		hops = append(hops, int(rtnl.Uint32(b[4:])))
		b = b[min(rtnl.Align(n), len(b)):]
	}
	return hops
}

// decodeRoute gives false for the kernel's own routes, which come and go with addresses and links.
func decodeRoute(body []byte, family int) (ownedRoute, bool) {
	if len(body) < unix.SizeofRtMsg || body[5] == unix.RTPROT_KERNEL {
		return ownedRoute{}, false
	}
	return decodeAnyRoute(body, family)
}

// decodePrefix gives false for all but the routes that IPv6 makes of the prefixes of addresses.
func decodePrefix(body []byte) (ownedRoute, bool) {
	if len(body) < unix.SizeofRtMsg || body[5] != unix.RTPROT_KERNEL || body[7] != unix.RTN_UNICAST || body[1] == 128 {
		return ownedRoute{}, false
	}
	r, ok := decodeAnyRoute(body, unix.AF_INET6)
	return r, ok && !r.To.Addr().IsMulticast()
}

func decodeAnyRoute(body []byte, family int) (ownedRoute, bool) {
	if len(body) < unix.SizeofRtMsg || int(body[0]) != family {
		return ownedRoute{}, false
	}
	protocol, routeType, flags := body[5], body[7], rtnl.Uint32(body[8:])
	if protocol == unix.RTPROT_REDIRECT || flags&unix.RTM_F_CLONED != 0 {
		return ownedRoute{}, false
	}
	r := ownedRoute{Route: Route{Table: uint32(body[4])}}
	to := netip.IPv4Unspecified()
	if family == unix.AF_INET6 {
		to = netip.IPv6Unspecified()
	}
	bare := true
	plain := routeType == unix.RTN_UNICAST && body[3] == 0 // no type of service
	for kind, value := range rtnl.Attributes(body[unix.SizeofRtMsg:]) {
		switch kind {
		case unix.RTA_DST:
			to, _ = netip.AddrFromSlice(value)
		case unix.RTA_GATEWAY:
			r.Via, _ = netip.AddrFromSlice(value)
		case unix.RTA_OIF:
			r.index = int(rtnl.Uint32(value))
		case unix.RTA_PRIORITY:
			r.Metric = rtnl.Uint32(value)
		case unix.RTA_TABLE:
			r.Table = rtnl.Uint32(value)
		case unix.RTA_PREFSRC:
			r.Source, _ = netip.AddrFromSlice(value)
			bare = false
		case unix.RTA_METRICS:
			r.kept.metrics, bare = string(value), false
		case unix.RTA_CACHEINFO: // struct rta_cacheinfo: the third number is what is left
			r.kept.expires = int32(rtnl.Uint32(value[min(8, len(value)):])) > 0
		case unix.RTA_FLOW, unix.RTA_EXPIRES:
			bare = false
		case unix.RTA_MULTIPATH:
			r.hops, plain = decodeHops(value), false
		case unix.RTA_VIA, rtaNexthopID, unix.RTA_ENCAP:
			plain = false
		}
	}
	r.To = netip.PrefixFrom(to, int(body[1]))
	r.kept.message = slices.Clone(body)
	r.kept.plain = plain && bare && protocol == unix.RTPROT_STATIC
	r.kept.bare = bare
	r.kept.onlink = flags&unix.RTNH_F_ONLINK != 0
	r.kept.odd = !plain && (protocol == unix.RTPROT_BOOT || protocol == unix.RTPROT_STATIC)
	r.kept.foreign = !plain || protocol != unix.RTPROT_BOOT && protocol != unix.RTPROT_STATIC
	return r, true
}
