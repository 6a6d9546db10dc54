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
	case "MASQUERADE", "NETMAP":
		r.translates(true, value{}, value{})
	case "SNAT", "DNAT":
		to, port := r.natTarget(e)
		r.translates(name == "SNAT", to, port)
		if to.certain() && len(to.bits) > 0 {
			v.word += " to " + label{kind: address}.format(nil, to.bits)
		}
	case "REDIRECT":
		_, port := r.natTarget(e)
		r.translates(false, r.redirects(), port)
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
		r.connectionMarks(info(e.attributes[unix.NFTA_TARGET_INFO]), e.number(unix.NFTA_TARGET_REV))
		return yes
	case "CT", "NOTRACK":
		const notrack = 1 // XT_CT_NOTRACK
		if name == "NOTRACK" || info(e.attributes[unix.NFTA_TARGET_INFO]).short(0)&notrack != 0 {
			r.untracks()
			name = "NOTRACK"
		}
		r.say(name)
		return yes
	case "TTL", "HL":
		r.hopsTarget(name, info(e.attributes[unix.NFTA_TARGET_INFO]))
		return yes
	case "LOG", "NFLOG", "TCPMSS", "CHECKSUM", "CLASSIFY", "TRACE", "DSCP", "TOS", "SET", "AUDIT":
		r.say(name)
		if name == "DSCP" || name == "TOS" {
			r.write(unix.NFT_PAYLOAD_NETWORK_HEADER, ipv4TOS-int(whether(r.IPv6())/yes), unknown(1))
		}
		return yes
	default:
		return strange(r, expression{name: "target " + name})
	}
	r.verdicts = append(r.verdicts, v)
	return yes
}

// natTarget reads the address and the port of struct nf_nat_range, or of struct nf_nat_ipv4_multi_range_compat.
func (r *run) natTarget(e expression) (to, port value) {
	const addresses, protocols = 1, 2 // NF_NAT_RANGE_*
	i, n := info(e.attributes[unix.NFTA_TARGET_INFO]), 4
	if r.IPv6() {
		n = 16
	}
	at, after, ports := 4, 20, 36
	if e.number(unix.NFTA_TARGET_REV) == 0 && !r.IPv6() {
		at, after, ports = 8, 12, 16
	}
	if len(i) < ports+4 {
		return unknown(n), unknown(2)
	}
	flags := i.long(at - 4)
	exactly := func(from, to []byte) value {
		if bytes.Equal(from, to) {
			return known(from)
		}
		return unknown(len(from))
	}
	if flags&addresses != 0 {
		to = exactly(i[at:at+n], i[after:after+n])
	}
	if flags&protocols != 0 {
		port = exactly(i[ports:ports+2], i[ports+2:ports+4])
	}
	return to, port
}

// hopsTarget carries out struct ipt_TTL_info and struct ip6t_HL_info.
func (r *run) hopsTarget(name string, i info) {
	const set, increase = 0, 1
	hops, sure := r.Hops()
	after := known([]byte{i.byte(1)})
	switch {
	case i.byte(0) == set:
	case !sure:
		after = unknown(1)
	case i.byte(0) == increase:
		after.bits[0] = byte(min(mostHops, int(hops)+int(i.byte(1))))
	default:
		after.bits[0] = hops - min(hops, i.byte(1))
	}
	if at := r.hopsAt(); at >= 0 {
		r.write(unix.NFT_PAYLOAD_NETWORK_HEADER, at, after)
	}
	r.say(name)
	if after.certain() && after.bits[0] != hops {
		r.say("set " + decimal(uint64(after.bits[0])))
		r.changes(Hops)
	}
}

// connectionMarks carries out struct xt_connmark_tginfo1 and 2. That of a shift is not known afterwards.
func (r *run) connectionMarks(i info, revision uint32) {
	const set, save, restore = 0, 1, 2 // XT_CONNMARK_*
	r.say("CONNMARK")
	if len(i) < 13 || revision >= 2 && i.byte(14) != 0 {
		r.mark, r.ctMark = unknown(4), unknown(4)
		return
	}
	number, ours, packets := i[:4], i[4:8], i[8:12]
	without := func(v value, mask []byte) value {
		return v.and(binary.NativeEndian.AppendUint32(nil, ^info(mask).long(0)), nil)
	}
	switch i.byte(12) {
	case set:
		r.ctMark = r.written(r.ctMark, without(r.ctMark, ours).with(bitsXor, known(number)))
	case save:
		r.ctMark = r.written(r.ctMark, without(r.ctMark, ours).with(bitsXor, r.mark.and(packets, nil)))
	case restore:
		r.setMark(without(r.mark, packets).with(bitsXor, r.ctMark.and(ours, nil)))
	}
}

// marks carries out struct xt_mark_tginfo2: mark = mark & ~mask ^ number.
func (r *run) marks(i info) {
	if len(i) < 8 {
		r.mark = unknown(4)
		return
	}
	mask := binary.NativeEndian.AppendUint32(nil, ^i.long(4))
	r.setMark(r.mark.and(mask, i[:4]))
}
