package firewall

import (
	"bytes"
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
		if name == "DNAT" {
			r.destination(e)
		}
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

// destination reads the addresses of struct nf_nat_range, or of struct nf_nat_ipv4_multi_range_compat.
func (r *run) destination(e expression) {
	const addresses = 1 // NF_NAT_RANGE_MAP_IPS
	i, n := info(e.attributes[unix.NFTA_TARGET_INFO]), 4
	if r.IPv6() {
		n = 16
	}
	at, after := 4, 20
	if e.number(unix.NFTA_TARGET_REV) == 0 && !r.IPv6() {
		at, after = 8, 12
	}
	flags := i.long(at - 4)
	if len(i) < after+n || flags&addresses == 0 || !bytes.Equal(i[at:at+n], i[after:after+n]) {
		return
	}
	r.leads(known(i[at : at+n]))
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
