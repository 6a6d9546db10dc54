package firewall

import (
	"bytes"
	"encoding/binary"
)

// An answer is what is known of a condition.
type answer uint8

const (
	no answer = iota
	maybe
	yes
)

// not returns the answer to the opposite condition.
func (a answer) not() answer { return yes - a }

// whether returns the answer for a condition that is known.
func whether(b bool) answer {
	if b {
		return yes
	}
	return no
}

// A value is bytes of a packet or of its circumstances, as far as they are known: a bit is known if that bit of known
// is 1. A bit that is not known is 0 in bits.
type value struct{ bits, known []byte }

// known returns a value whose bits are all known.
func known(b []byte) value { return value{b, bytes.Repeat([]byte{0xff}, len(b))} }

// unknown returns a value of n bytes of which nothing is known.
func unknown(n int) value { return value{make([]byte, n), make([]byte, n)} }

// host returns a number of 4 bytes in the byte order of this host.
func host(n uint32) value { return known(binary.NativeEndian.AppendUint32(nil, n)) }

// network returns a number of 2 bytes in network byte order.
func network(n uint16) value { return known(binary.BigEndian.AppendUint16(nil, n)) }

// name returns the name of a link as the kernel compares it: 16 bytes.
func name(s string) value {
	b := make([]byte, 16)
	copy(b, s)
	return known(b)
}

// certain reports whether all bits are known.
func (v value) certain() bool {
	for _, k := range v.known {
		if k != 0xff {
			return false
		}
	}
	return true
}

// equals compares a value with bytes.
func (v value) equals(b []byte) answer {
	if len(b) != len(v.bits) {
		return maybe
	}
	for i, k := range v.known {
		if v.bits[i] != b[i]&k {
			return no
		}
	}
	if v.certain() {
		return yes
	}
	return maybe
}

// order compares a value with bytes as memcmp(3): less and more are the answers to v < b and v > b.
func (v value) order(b []byte) (less, more answer) {
	most := make([]byte, len(v.bits))
	for i, k := range v.known {
		most[i] = v.bits[i] | ^k
	}
	atLeast, atMost := bytes.Compare(v.bits, b), bytes.Compare(most, b)
	span := func(low, high bool) answer {
		switch {
		case low && high:
			return yes
		case low || high:
			return maybe
		}
		return no
	}
	return span(atLeast < 0, atMost < 0), span(atLeast > 0, atMost > 0)
}

// within reports whether a value lies between two others, both included.
func (v value) within(from, to []byte) answer {
	less, _ := v.order(from)
	_, more := v.order(to)
	return min(less.not(), more.not())
}

// and returns v & mask ^ flip.
func (v value) and(mask, flip []byte) value {
	out := unknown(len(v.bits))
	for i := range v.bits {
		m, x := byteAt(mask, i), byteAt(flip, i)
		out.known[i] = v.known[i] | ^m
		out.bits[i] = (v.bits[i]&m ^ x) & out.known[i]
	}
	return out
}

// swap reverses the bytes of each number of size bytes.
func (v value) swap(size int) value {
	out := value{bytes.Clone(v.bits), bytes.Clone(v.known)}
	for start := 0; start+size <= len(v.bits); start += size {
		for i := range size {
			out.bits[start+i], out.known[start+i] = v.bits[start+size-1-i], v.known[start+size-1-i]
		}
	}
	return out
}

func byteAt(b []byte, i int) byte {
	if i < len(b) {
		return b[i]
	}
	return 0
}

// join returns a value in which only those bits are known that are equal in both.
func (v value) join(o value) value {
	out := unknown(len(v.bits))
	for i := range v.bits {
		if i < len(o.bits) {
			out.known[i] = v.known[i] & o.known[i] &^ (v.bits[i] ^ o.bits[i])
		}
		out.bits[i] = v.bits[i] & out.known[i]
	}
	return out
}

// registers are the registers of a rule: 16 of 4 bytes, or 4 of 16 bytes.
type registers struct {
	value
	label [16]label // what each register holds
}

// offset returns the place of a register; -1 for one that holds no data.
func offset(register uint32) int {
	const first, last = 8, 23 // NFT_REG32_00, NFT_REG32_15
	switch {
	case register >= 1 && register <= 4:
		return int(register-1) * 16
	case register >= first && register <= last:
		return int(register-first) * 4
	}
	return -1
}

// store puts a value into a register, filled with zeros to a multiple of 4 bytes.
func (r *registers) store(register uint32, v value, l label) {
	at := offset(register)
	if at < 0 || at+len(v.bits) > len(r.bits) {
		return
	}
	copy(r.bits[at:], v.bits)
	copy(r.known[at:], v.known)
	for i := at + len(v.bits); i%4 != 0; i++ {
		r.bits[i], r.known[i] = 0, 0xff
	}
	r.label[at/4] = l
}

// load returns the first n bytes of a register.
func (r *registers) load(register uint32, n int) (value, label) {
	at := offset(register)
	if at < 0 || at+n > len(r.bits) {
		return unknown(n), label{}
	}
	return value{bytes.Clone(r.bits[at : at+n]), bytes.Clone(r.known[at : at+n])}, r.label[at/4]
}
