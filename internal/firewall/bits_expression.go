package firewall

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// The operations of bitwise that golang.org/x/sys/unix lacks, and their attributes.
const (
	bitwiseOp, bitwiseData, bitwiseSecond = 6, 7, 8 // NFTA_BITWISE_OP, NFTA_BITWISE_DATA, NFTA_BITWISE_SREG2
	shiftLeft, shiftRight                 = 1, 2    // NFT_BITWISE_*
	bitsAnd, bitsOr, bitsXor              = 3, 4, 5
)

// bitwise computes with the bits of registers.
func bitwise(r *run, e expression) answer {
	n := int(e.number(unix.NFTA_BITWISE_LEN))
	v, l := r.load(e.number(unix.NFTA_BITWISE_SREG), n)
	second, _ := r.load(e.number(bitwiseSecond), n)
	switch op := e.number(bitwiseOp); {
	case op == 0 && e.data(unix.NFTA_BITWISE_MASK) != nil:
		mask, flip := e.data(unix.NFTA_BITWISE_MASK), e.data(unix.NFTA_BITWISE_XOR)
		v, l = v.and(mask, flip), l.masked(mask, flip)
	case (op == shiftLeft || op == shiftRight) && n == 4 && len(e.data(bitwiseData)) == 4:
		by := binary.NativeEndian.Uint32(e.data(bitwiseData))
		v = v.shift(op == shiftLeft, by)
		l.text += map[uint32]string{shiftLeft: " << ", shiftRight: " >> "}[op] + decimal(uint64(by))
	case op >= bitsAnd && op <= bitsXor:
		v = v.with(op, second)
		l.text += [...]string{" & ", " | ", " ^ "}[op-bitsAnd] + "..."
	default:
		v = unknown(n)
		l.text += " shifted"
	}
	r.store(e.number(unix.NFTA_BITWISE_DREG), v, l)
	return yes
}

// shift shifts a number of 4 bytes in the byte order of this host.
func (v value) shift(left bool, by uint32) value {
	move := func(n uint32) uint32 {
		if left {
			return n << by
		}
		return n >> by
	}
	bits, sure := binary.NativeEndian.Uint32(v.bits), binary.NativeEndian.Uint32(v.known)
	sure = move(sure) | ^move(^uint32(0)) // zeros come in
	return value{binary.NativeEndian.AppendUint32(nil, move(bits)), binary.NativeEndian.AppendUint32(nil, sure)}
}

// with combines two values. A bit of the result may be known although one of the two is not.
func (v value) with(op uint32, o value) value {
	out := unknown(len(v.bits))
	for i := range v.bits {
		a, b, both := v.bits[i], o.bits[i], v.known[i]&o.known[i]
		switch op {
		case bitsAnd:
			out.bits[i], out.known[i] = a&b, both|v.known[i]&^a|o.known[i]&^b
		case bitsOr:
			out.bits[i], out.known[i] = a|b, both|a|b
		default:
			out.bits[i], out.known[i] = (a^b)&both, both
		}
	}
	return out
}
