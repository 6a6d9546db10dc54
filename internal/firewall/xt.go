package firewall

import (
	"golang.org/x/sys/unix"
)

// xtMatch is a match of iptables(8).
func xtMatch(r *run, e expression) answer {
	switch e.text(unix.NFTA_MATCH_NAME) {
	case "comment":
		return yes
	}
	r.say("match " + e.text(unix.NFTA_MATCH_NAME))
	return r.wonder("match " + e.text(unix.NFTA_MATCH_NAME))
}

// xtTarget is a target of iptables(8).
func xtTarget(r *run, e expression) answer {
	name := e.text(unix.NFTA_TARGET_NAME)
	v := verdict{code: nfAccept, word: name}
	switch name {
	case "MASQUERADE", "SNAT", "NETMAP":
		r.translates(true)
	case "DNAT", "REDIRECT":
		r.translates(false)
	case "REJECT":
		v.code, v.action = nfDrop, Reject
	case "NFQUEUE", "TPROXY":
		v.action = MayDrop
		r.wonder("target " + name)
	case "LOG", "NFLOG", "TCPMSS", "CHECKSUM", "CLASSIFY", "TRACE", "ULOG", "TTL", "HL", "DSCP", "TOS", "SET", "AUDIT":
		r.say("target " + name)
		return yes
	case "MARK", "CONNMARK", "CT", "NOTRACK":
		r.mark, r.ctMark = unknown(4), unknown(4)
		r.say("target " + name)
		return yes
	default:
		r.say("target " + name)
		return r.wonder("target " + name)
	}
	r.verdicts = append(r.verdicts, v)
	return yes
}
