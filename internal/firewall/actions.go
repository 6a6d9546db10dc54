package firewall

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// aside is an expression that changes nothing for the packet, except that it may lose its connection.
func aside(r *run, e expression) answer {
	switch e.name {
	case "notrack":
		r.untracked = r.untracked || r.sure()
		r.say("notrack")
	case "log":
		r.say("log")
	}
	return yes
}

// action is an expression that ends the way through the chain.
func action(r *run, e expression) answer {
	v := verdict{code: nfAccept, word: e.name}
	switch e.name {
	case "reject":
		v.code, v.action = nfDrop, Reject
	case "queue":
		v.code, v.action = nfQueue, MayDrop
		r.wonder("a program decides (queue)")
	case "fwd", "synproxy":
		v.action = MayDrop
		r.wonder(e.name)
	case "masq":
		v.word = "masquerade"
		r.translates(true)
	case "redir":
		v.word = "redirect"
		r.translates(false)
	case "nat":
		const source = 0 // NFT_NAT_SNAT
		v.word = "dnat"
		if e.number(unix.NFTA_NAT_TYPE) == source {
			v.word = "snat"
		}
		r.translates(v.word == "snat")
		if _, given := e.attributes[unix.NFTA_NAT_REG_ADDR_MIN]; given && v.word == "dnat" {
			n := 4
			if e.number(unix.NFTA_NAT_FAMILY) == unix.NFPROTO_IPV6 {
				n = 16
			}
			to, _ := r.load(e.number(unix.NFTA_NAT_REG_ADDR_MIN), n)
			r.leads(to)
		}
	}
	r.verdicts = append(r.verdicts, v)
	return yes
}

// translates notes that the source or the destination of the packet changes.
func (r *run) translates(source bool) {
	is := maybe
	if r.sure() {
		is = yes
	}
	if source {
		r.source = max(r.source, is)
	} else {
		r.target = max(r.target, is)
	}
}

// leads notes the new destination of the packet.
func (r *run) leads(to value) {
	if r.sure() && to.certain() && !r.goal.IsValid() {
		r.goal, _ = netip.AddrFromSlice(to.bits)
	}
}

// object refers to a named object of the table.
func object(r *run, e expression) answer {
	const counter, quota, limit, connections = 1, 2, 4, 5 // NFT_OBJECT_*
	switch e.number(unix.NFTA_OBJREF_IMM_TYPE) {
	case quota, limit, connections, 0:
		return strange(r, e)
	}
	return yes
}

// dynset adds the packet to a set. The rule goes on unless the set is full, or unless there is a condition, such as a
// limit for each element.
func dynset(r *run, e expression) answer {
	const expressions = 10 // NFTA_DYNSET_EXPRESSIONS
	r.say("update @" + e.text(unix.NFTA_DYNSET_SET_NAME))
	if e.attributes[unix.NFTA_DYNSET_EXPR] != nil || e.attributes[expressions] != nil {
		return strange(r, e)
	}
	return yes
}
