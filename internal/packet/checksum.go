package packet

import (
	"encoding/binary"
	"math/bits"
)

// checksum returns the Internet checksum of a sum and of bytes. It is 0 for bytes that contain their checksum.
func checksum(sum uint32, b []byte) uint16 {
	// The byte order matters only at the end, and a sum of 64-bit words folds to the same 16 bits (RFC 1071).
	var wide, carry uint64
	for ; len(b) >= 64; b = b[64:] {
		wide, carry = bits.Add64(wide, binary.LittleEndian.Uint64(b), carry)
		wide, carry = bits.Add64(wide, binary.LittleEndian.Uint64(b[8:]), carry)
		wide, carry = bits.Add64(wide, binary.LittleEndian.Uint64(b[16:]), carry)
		wide, carry = bits.Add64(wide, binary.LittleEndian.Uint64(b[24:]), carry)
		wide, carry = bits.Add64(wide, binary.LittleEndian.Uint64(b[32:]), carry)
		wide, carry = bits.Add64(wide, binary.LittleEndian.Uint64(b[40:]), carry)
		wide, carry = bits.Add64(wide, binary.LittleEndian.Uint64(b[48:]), carry)
		wide, carry = bits.Add64(wide, binary.LittleEndian.Uint64(b[56:]), carry)
	}
	for ; len(b) >= 8; b = b[8:] {
		wide, carry = bits.Add64(wide, binary.LittleEndian.Uint64(b), carry)
	}
	var rest [8]byte
	copy(rest[:], b)
	wide, carry = bits.Add64(wide, binary.LittleEndian.Uint64(rest[:]), carry)
	wide, carry = bits.Add64(wide, carry, 0)
	narrow := bits.ReverseBytes16(fold(wide>>32 + wide&0xffffffff + carry))
	return ^fold(uint64(sum) + uint64(narrow))
}

// fold returns a sum of 16-bit words with the carries added.
func fold(sum uint64) uint16 {
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}
