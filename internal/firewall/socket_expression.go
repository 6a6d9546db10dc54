package firewall

import (
	"golang.org/x/sys/unix"
)

// socket asks for the socket of this host that receives the packet. A packet for another host has none.
func socket(r *run, e expression) answer {
	if to := r.To; r.hook <= Forward && to.IsValid() && !to.IsUnspecified() && r.Out != "" && r.target == no &&
		(r.rules.Own == nil || !r.rules.Own(to)) {
		r.say("socket")
		return no
	}
	return strange(r, e)
}

// tproxy gives the packet to a program of this host. Without such a program the rule does not apply.
func tproxy(r *run, _ expression) answer {
	r.say("tproxy")
	return r.wonder("it depends on a program of this host (tproxy)")
}

// routing asks for a property of the route.
func routing(r *run, e expression) answer {
	const key, register, maximum = 2, 1, 16 // NFTA_RT_KEY, NFTA_RT_DREG
	words := []string{"classid", "nexthop", "nexthop", "mtu", "ipsec"}
	l := label{text: "rt"}
	if k := int(e.number(key)); k < len(words) {
		l.text += " " + words[k]
	}
	r.store(e.number(register), unknown(maximum), l)
	return yes
}

// owner returns a property of the program that sends the packet. Packets that are forwarded, and those that the kernel
// sends itself, have none.
func (w *Walk) owner(key uint32) (v value, exists bool) {
	icmp := w.Protocol == unix.IPPROTO_ICMP || w.Protocol == unix.IPPROTO_ICMPV6
	switch {
	case w.hook == Prerouting || w.In != "" && w.hook != Input, w.Resolves || w.TooBig || icmp && w.Established:
		return v, false
	case w.Sender && w.In == "" && key == unix.NFT_META_SKUID:
		return host(w.UID), true
	case w.Sender && w.In == "" && key == unix.NFT_META_SKGID:
		return host(w.GID), true
	}
	return unknown(4), true
}
