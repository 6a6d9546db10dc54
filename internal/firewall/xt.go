package firewall

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// A matcher evaluates the data of one match of iptables(8), a struct of linux/netfilter/xt_*.h in the byte order of
// this host. Data that is too short for the struct is answered with maybe.
type matcher func(r *run, info info) answer

// matcherOf returns the function of a match, or nil.
func matcherOf(name string, revision uint32) matcher {
	switch {
	case name == "rpfilter":
		return matchReversePath
	case name == "conntrack" && revision >= 2:
		return matchConntrack
	case name == "state":
		return func(r *run, i info) answer { return r.inStates(i.long(0)) }
	case name == "multiport" && revision == 1:
		return matchMultiport
	case name == "tcp" || name == "udp":
		return matchPorts
	case name == "icmp" || name == "icmp6":
		return matchICMP
	case name == "addrtype" && revision == 1:
		return matchAddressType
	case name == "mark" && revision == 1:
		return func(r *run, i info) answer { return i.masked(r.mark, 0, 4).flip(i.byte(8) != 0) }
	case name == "pkttype":
		return func(r *run, i info) answer {
			return r.packetType().equals([]byte{byte(i.long(0))}).flip(i.long(4) != 0)
		}
	}
	return nil
}

// xtMatch is a match of iptables(8).
func xtMatch(r *run, e expression) answer {
	word := e.text(unix.NFTA_MATCH_NAME)
	if word == "comment" {
		return yes
	}
	r.say("match " + word)
	is := maybe
	if match := matcherOf(word, e.number(unix.NFTA_MATCH_REV)); match != nil {
		is = match(r, info(e.attributes[unix.NFTA_MATCH_INFO]))
	}
	if is == maybe {
		return r.wonder("match " + word)
	}
	return is
}

// flip returns the opposite answer if the match is inverted.
func (a answer) flip(inverted bool) answer {
	if inverted {
		return a.not()
	}
	return a
}

// info is the data of a match. What is beyond its end is 0.
type info []byte

func (i info) byte(at int) byte { return byteAt(i, at) }

func (i info) short(at int) uint16 {
	return binary.NativeEndian.Uint16([]byte{i.byte(at), i.byte(at + 1)})
}

func (i info) long(at int) uint32 {
	return binary.NativeEndian.Uint32([]byte{i.byte(at), i.byte(at + 1), i.byte(at + 2), i.byte(at + 3)})
}

// masked compares a value of 4 bytes with a number, of the bits of a mask.
func (i info) masked(v value, number, mask int) answer {
	if len(i) < mask+4 {
		return maybe
	}
	return v.and(i[mask:mask+4], nil).equals(i[number : number+4])
}

// inStates reports whether the state of the connection is one of XT_CONNTRACK_STATE_*.
func (r *run) inStates(mask uint32) answer {
	bits := map[uint32]uint32{stateInvalid: 1 << 0, stateEstablished: 1 << 1, stateRelated: 1 << 2, stateNew: 1 << 3,
		stateUntracked: 1 << 8}
	return whether(bits[r.state()]&mask != 0)
}

// matchConntrack is struct xt_conntrack_mtinfo2 and 3, of which states are understood.
func matchConntrack(r *run, i info) answer {
	const state, states = 1 << 0, 1<<0 | 1<<13 // XT_CONNTRACK_STATE, XT_CONNTRACK_STATE_ALIAS
	flags, inverted, mask := i.short(146), i.short(148), i.short(150)
	const snat, dnat = 1 << 6, 1 << 7
	if len(i) < 152 || flags&^states != 0 || flags&state == 0 {
		return maybe
	}
	is := r.inStates(uint32(mask))
	if mask&(snat|dnat) != 0 && is == no {
		is = r.translatedState(mask&snat != 0, mask&dnat != 0)
	}
	return is.flip(inverted&state != 0)
}

// translatedState reports whether the source or the destination of the connection is translated.
func (r *run) translatedState(source, target bool) answer {
	const known = statusSource | statusTarget
	s := r.status()
	bits, sure := binary.NativeEndian.Uint32(s.bits), binary.NativeEndian.Uint32(s.known)
	asked := uint32(0)
	if source {
		asked |= statusSource
	}
	if target {
		asked |= statusTarget
	}
	switch {
	case bits&asked&known != 0:
		return yes
	case sure&asked == asked:
		return no
	}
	return maybe
}

// matchMultiport is struct xt_multiport_v1.
func matchMultiport(r *run, i info) answer {
	const most, source, either = 15, 0, 2
	from, to := r.ports()
	sides := []value{to}
	switch i.byte(0) {
	case source:
		sides = []value{from}
	case either:
		sides = []value{from, to}
	}
	if len(i) < 2+most*3+1 {
		return maybe
	}
	is := no
	for n := 0; n < min(int(i.byte(1)), most); n++ {
		low := i.short(2 + 2*n)
		high := low
		if i.byte(2+2*most+n) != 0 { // the first of a range
			n++
			high = i.short(2 + 2*n)
		}
		for _, side := range sides {
			is = max(is, inRange(side, low, high))
		}
	}
	return is.flip(i.byte(2+3*most) != 0)
}

// inRange reports whether a port is in a range.
func inRange(v value, low, high uint16) answer {
	return v.within(binary.BigEndian.AppendUint16(nil, low), binary.BigEndian.AppendUint16(nil, high))
}

// matchPorts is struct xt_tcp and struct xt_udp, whose first members are the same.
func matchPorts(r *run, i info) answer {
	if len(i) < 9 {
		return maybe
	}
	inverted := i.byte(8)
	from, to := r.ports()
	if low := i.short(4); low != 0 {
		r.wants(label{text: "th dport"}, binary.BigEndian.AppendUint16(nil, low))
	}
	if r.Protocol == unix.IPPROTO_TCP {
		inverted = i.byte(11)
		if i.byte(8) != 0 {
			return maybe // an option
		}
	}
	is := min(inRange(from, i.short(0), i.short(2)).flip(inverted&1 != 0),
		inRange(to, i.short(4), i.short(6)).flip(inverted&2 != 0))
	if r.Protocol == unix.IPPROTO_TCP {
		flags := r.transport().part(13, 1)
		is = min(is, flags.and([]byte{i.byte(9)}, nil).equals([]byte{i.byte(10)}).flip(inverted&4 != 0))
	}
	return is
}

// matchICMP is struct ipt_icmp and struct ip6t_icmp.
func matchICMP(r *run, i info) answer {
	const anyType = 0xff
	if len(i) < 4 {
		return maybe
	}
	t := r.transport()
	kind, code := t.part(0, 1), t.part(1, 1)
	is := min(kind.equals(i[:1]), code.within(i[1:2], i[2:3]))
	if i.byte(0) == anyType && !r.IPv6() {
		is = yes
	}
	return is.flip(i.byte(3) != 0)
}

// matchAddressType is struct xt_addrtype_info_v1. A type is a bit whose place is the number RTN_*.
func matchAddressType(r *run, i info) answer {
	const invertFrom, invertTo, limits = 1, 2, 4 | 8 // XT_ADDRTYPE_*
	flags := i.long(4)
	if len(i) < 8 || flags&limits != 0 {
		return maybe
	}
	is := yes
	if from := i.short(0); from != 0 {
		is = min(is, r.addressType(true).in(from, r.IPv6()).flip(flags&invertFrom != 0))
	}
	if to := i.short(2); to != 0 {
		is = min(is, r.addressType(false).in(to, r.IPv6()).flip(flags&invertTo != 0))
	}
	return is
}

// An addressType is an RTN_* number; 0: not known.
type addressType uint32

// in reports whether a type is one of a mask. For IPv6 an address of this host is also unicast, and each bit is a
// condition.
func (t addressType) in(mask uint16, ipv6 bool) answer {
	const unicast, local = 1 << unix.RTN_UNICAST, 1 << unix.RTN_LOCAL
	switch {
	case t == unix.RTN_UNSPEC:
		return maybe
	case !ipv6:
		return whether(mask&(1<<t) != 0)
	case mask&^(unicast|local) != 0 || t == unix.RTN_MULTICAST:
		return maybe
	}
	return whether(mask&local == 0 || t == unix.RTN_LOCAL)
}

// addressType returns the kind of an address: one of this host has type local.
func (w *Walk) addressType(source bool) addressType {
	ip, here := w.To, w.Out == "" && w.In != ""
	switch {
	case source:
		ip, here = w.From, w.In == ""
	case w.target != no:
		ip, here = w.goal.Addr(), false
	}
	switch {
	case source && w.In != "" && w.Protocol != 0 && ip == netip.IPv4Unspecified() && !w.rewritten:
		return unix.RTN_BROADCAST // that of a host without an address
	case !ip.IsValid() || ip.IsUnspecified() || w.rewritten || w.hook >= BridgePrerouting:
		return unix.RTN_UNSPEC
	case ip.IsMulticast():
		return unix.RTN_MULTICAST
	case ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return unix.RTN_BROADCAST
	case here:
		return unix.RTN_LOCAL
	case w.rules.Own != nil && w.rules.Own(ip):
		return unix.RTN_LOCAL
	}
	return unix.RTN_UNICAST
}
