package rtnl

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// rtaNexthopID is RTA_NH_ID.
const rtaNexthopID = 30

// clockTicks is USER_HZ, the kernel's unit for the remaining lifetime of a route.
const clockTicks = 100

// A Route is an RTM_NEWROUTE or RTM_DELROUTE message.
type Route struct {
	Family, TOS, Protocol, Type byte
	Flags                       uint32
	To                          netip.Prefix
	Via, Source                 netip.Addr // invalid: none
	Metric, Table               uint32
	Index                       int    // of the link; 0: none, or several
	Hops                        []int  // of several hops, the indexes of their links
	Nexthop                     uint32 // the ID of the nexthop object; 0: none

	Metrics string // RTA_METRICS as the kernel sends it; "": none
	Expires bool   // the route has a lifetime
	Special bool   // a nexthop object, an encapsulation, or a gateway of another family
	Extra   bool   // a source, metrics, a realm or a lifetime
	Message []byte // the whole body, for [ResendRoute]
}

// Unmarshal reads the body of a message. It returns false if the body is too short.
func (r *Route) Unmarshal(body []byte) bool {
	if len(body) < unix.SizeofRtMsg {
		return false
	}
	*r = Route{Family: body[0], TOS: body[3], Table: uint32(body[4]), Protocol: body[5], Type: body[7],
		Flags: Uint32(body[8:])}
	to := netip.IPv4Unspecified()
	if r.Family == unix.AF_INET6 {
		to = netip.IPv6Unspecified()
	}
	for kind, value := range Attributes(body[unix.SizeofRtMsg:]) {
		switch kind {
		case unix.RTA_DST:
			to, _ = netip.AddrFromSlice(value)
		case unix.RTA_GATEWAY:
			r.Via, _ = netip.AddrFromSlice(value)
		case unix.RTA_OIF:
			r.Index = int(Uint32(value))
		case unix.RTA_PRIORITY:
			r.Metric = Uint32(value)
		case unix.RTA_TABLE:
			r.Table = Uint32(value)
		case unix.RTA_PREFSRC:
			r.Source, _ = netip.AddrFromSlice(value)
			r.Extra = true
		case unix.RTA_METRICS:
			r.Metrics, r.Extra = string(value), true
		case unix.RTA_CACHEINFO:
			r.Expires = lifetime(value) > 0
		case unix.RTA_FLOW, unix.RTA_EXPIRES:
			r.Extra = true
		case unix.RTA_MULTIPATH:
			for hop := range nexthops(value) {
				r.Hops = append(r.Hops, int(Uint32(hop[4:])))
			}
			r.Special = true
		case rtaNexthopID:
			r.Nexthop, r.Special = Uint32(value), true
		case unix.RTA_VIA, unix.RTA_ENCAP:
			r.Special = true
		}
	}
	r.To = netip.PrefixFrom(to, int(body[1]))
	r.Message = slices.Clone(body)
	return true
}

// lifetime returns how long a route has to live, in clock ticks, from an RTA_CACHEINFO. It is the third number of
// struct rta_cacheinfo.
func lifetime(cacheinfo []byte) int32 { return int32(Uint32(cacheinfo[min(8, len(cacheinfo)):])) }

// nexthops returns the struct rtnexthop of each hop in an RTA_MULTIPATH, as slices of b.
func nexthops(b []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) >= unix.SizeofRtNexthop {
			n := int(Uint16(b))
			if n < unix.SizeofRtNexthop || n > len(b) || !yield(b[:n]) {
				return
			}
			b = b[min(align(n), len(b)):]
		}
	}
}

// Marshal returns a request of that kind for a static unicast route with To, Via, Source, Metric and Table.
func (r *Route) Marshal(kind, flags int) *nl.NetlinkRequest {
	msg := &nl.RtMsg{RtMsg: unix.RtMsg{
		Family: unix.AF_INET, Dst_len: uint8(r.To.Bits()), Table: unix.RT_TABLE_UNSPEC,
		Protocol: unix.RTPROT_STATIC, Scope: unix.RT_SCOPE_LINK, Type: unix.RTN_UNICAST,
	}}
	to := Request(kind, unix.NLM_F_ACK|flags, msg,
		nl.NewRtAttr(unix.RTA_DST, r.To.Addr().AsSlice()),
		nl.NewRtAttr(unix.RTA_OIF, nl.Uint32Attr(uint32(r.Index))),
		nl.NewRtAttr(unix.RTA_TABLE, nl.Uint32Attr(r.Table)))
	if r.To.Addr().Is6() {
		msg.Family, msg.Scope = unix.AF_INET6, unix.RT_SCOPE_UNIVERSE
	}
	if r.Via.IsValid() {
		msg.Scope = unix.RT_SCOPE_UNIVERSE
		to.AddData(nl.NewRtAttr(unix.RTA_GATEWAY, r.Via.AsSlice()))
	}
	if r.Source.IsValid() {
		to.AddData(nl.NewRtAttr(unix.RTA_PREFSRC, r.Source.AsSlice()))
	}
	if r.Metric != 0 {
		to.AddData(nl.NewRtAttr(unix.RTA_PRIORITY, nl.Uint32Attr(r.Metric)))
	}
	return to
}

// ResendRoute returns a request of that kind with a route's Message, for the link index instead of the link through.
func ResendRoute(kind, flags int, message []byte, through, index int) *nl.NetlinkRequest {
	r := Request(kind, unix.NLM_F_ACK|flags)
	r.RawData = resendRoute(message, through, index)
	return r
}

// resendRoute returns the body of a route's message as the kernel takes it back: without the flags of its state, with
// the rest of its lifetime, and through the link index instead of the link through.
func resendRoute(message []byte, through, index int) []byte {
	const state = unix.RTNH_F_DEAD | unix.RTNH_F_LINKDOWN | unix.RTNH_F_OFFLOAD | unix.RTNH_F_UNRESOLVED |
		unix.RTNH_F_TRAP
	m := slices.Clone(message[:unix.SizeofRtMsg])
	binary.NativeEndian.PutUint32(m[8:], Uint32(m[8:])&0xff&^state)
	withNexthop := false
	for kind := range Attributes(message[unix.SizeofRtMsg:]) {
		withNexthop = withNexthop || kind == rtaNexthopID
	}
	for kind, value := range Attributes(message[unix.SizeofRtMsg:]) {
		switch kind {
		case unix.RTA_CACHEINFO:
			if left := lifetime(value); left > 0 {
				m = append(m, nl.NewRtAttr(unix.RTA_EXPIRES, nl.Uint32Attr(uint32(left)/clockTicks)).Serialize()...)
			}
			continue
		case unix.RTA_OIF, unix.RTA_GATEWAY, unix.RTA_VIA, unix.RTA_MULTIPATH, unix.RTA_ENCAP, unix.RTA_ENCAP_TYPE:
			if withNexthop {
				continue // the nexthop object has them
			}
		}
		value = slices.Clone(value)
		switch {
		case kind == unix.RTA_OIF && int(Uint32(value)) == through:
			binary.NativeEndian.PutUint32(value, uint32(index))
		case kind == unix.RTA_MULTIPATH:
			for hop := range nexthops(value) {
				hop[2] &^= state
				if int(Uint32(hop[4:])) == through {
					binary.NativeEndian.PutUint32(hop[4:], uint32(index))
				}
			}
		}
		m = append(m, nl.NewRtAttr(int(kind), value).Serialize()...)
	}
	return m
}
