package firewall

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// fib asks for the type of an address, or for the device of a route.
func fib(r *run, e expression) answer {
	flags, result := e.number(unix.NFTA_FIB_FLAGS), e.number(unix.NFTA_FIB_RESULT)
	source := flags&unix.NFTA_FIB_F_SADDR != 0
	l := label{text: "fib daddr", kind: hostNumber}
	if source {
		l.text, l.back = "fib saddr", true
	}
	v := unknown(4)
	switch result {
	case unix.NFT_FIB_RESULT_ADDRTYPE:
		l.text += " type"
		const bound = unix.NFTA_FIB_F_IIF | unix.NFTA_FIB_F_OIF
		if t := r.addressType(source); t != unix.RTN_UNSPEC && flags&bound == 0 {
			v = host(uint32(t))
		}
	case unix.NFT_FIB_RESULT_OIF:
		l.text += " oif"
		v = r.reverse(source, flags)
	default:
		l.text += " oifname"
		v = unknown(16)
	}
	r.store(e.number(unix.NFTA_FIB_DREG), v, l)
	return yes
}

// reverse returns the device of the route to the source of a packet that arrives, 0 if that is another device, or with
// NFTA_FIB_F_PRESENT whether there is a route.
func (r *run) reverse(source bool, flags uint32) value {
	const strict = unix.NFTA_FIB_F_IIF
	present := flags&unix.NFTA_FIB_F_PRESENT != 0
	size := 4
	if present {
		size = 1
	}
	if !source || !r.From.IsValid() || r.rules.Route == nil ||
		r.In == "" || r.InIndex == 0 || flags&unix.NFTA_FIB_F_OIF != 0 {
		return unknown(size)
	}
	p := r.Packet
	if p.Mark = 0; flags&unix.NFTA_FIB_F_MARK != 0 {
		if !r.mark.certain() {
			return unknown(size)
		}
		p.Mark = binary.NativeEndian.Uint32(r.mark.bits)
	}
	index, sure := r.rules.Route(p)
	if !sure {
		return unknown(size)
	}
	if flags&strict != 0 && index != r.InIndex {
		index = 0
	}
	if present {
		return known([]byte{byte(whether(index != 0) / yes)})
	}
	return host(uint32(index))
}

// matchReversePath is struct xt_rpfilter_info.
func matchReversePath(r *run, i info) answer {
	const loose, mark, inverted = 1, 2, 8 // XT_RPFILTER_*
	flags := uint32(unix.NFTA_FIB_F_PRESENT)
	if i.byte(0)&loose == 0 {
		flags |= unix.NFTA_FIB_F_IIF
	}
	if i.byte(0)&mark != 0 {
		flags |= unix.NFTA_FIB_F_MARK
	}
	is := r.reverse(true, flags).equals([]byte{1})
	if is == maybe {
		r.causes.back = true
	}
	return is.flip(i.byte(0)&inverted != 0)
}
