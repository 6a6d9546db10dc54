package firewall

import "golang.org/x/sys/unix"

// aside is an expression that changes nothing for the packet, except that it may lose its connection.
func aside(r *run, e expression) answer {
	switch e.name {
	case "notrack":
		r.untracks()
		r.say("notrack")
	case "log":
		r.say("log")
	}
	return yes
}

// untracks takes the packet out of connection tracking, unless that has seen it already.
func (r *run) untracks() {
	switch {
	case r.tracked() || r.untracked || r.always:
	case r.sure():
		r.untracked = true
		r.changes(Tracking)
	default:
		r.mayUntrack = true
	}
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
		r.translates(true, value{}, value{})
	case "redir":
		const low, high = 1, 2 // NFTA_REDIR_REG_PROTO_MIN, NFTA_REDIR_REG_PROTO_MAX
		v.word = "redirect"
		r.translates(false, r.redirects(), r.natRange(e, low, high, 2))
	case "nat":
		v.word = nat(r, e)
	}
	r.verdicts = append(r.verdicts, v)
	return yes
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
