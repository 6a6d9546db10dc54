package firewall

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

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
	case "MARK":
		r.marks(info(e.attributes[unix.NFTA_TARGET_INFO]))
		r.say("MARK")
		return yes
	case "CONNMARK":
		r.mark, r.ctMark = unknown(4), unknown(4)
		r.say("CONNMARK")
		return yes
	case "CT", "NOTRACK":
		return strange(r, expression{name: name})
	case "LOG", "NFLOG", "TCPMSS", "CHECKSUM", "CLASSIFY", "TRACE", "TTL", "HL", "DSCP", "TOS", "SET", "AUDIT":
		r.say(name)
		return yes
	default:
		return strange(r, expression{name: "target " + name})
	}
	r.verdicts = append(r.verdicts, v)
	return yes
}

// marks carries out struct xt_mark_tginfo2: mark = mark & ~mask ^ number.
func (r *run) marks(i info) {
	if len(i) < 8 {
		r.mark = unknown(4)
		return
	}
	mask := binary.NativeEndian.AppendUint32(nil, ^i.long(4))
	r.mark = r.written(r.mark, r.mark.and(mask, i[:4]))
}
