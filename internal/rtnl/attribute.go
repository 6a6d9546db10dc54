package rtnl

import (
	"encoding/binary"
	"iter"
	"strings"

	"golang.org/x/sys/unix"
)

// Attributes returns the type and the value of each attribute in b, which is the part of a message behind its header.
// The values are slices of b. The walk ends at the first malformed attribute.
func Attributes(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= unix.SizeofRtAttr {
			n := int(binary.NativeEndian.Uint16(b))
			kind := binary.NativeEndian.Uint16(b[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
			if n < unix.SizeofRtAttr || n > len(b) || !yield(kind, b[unix.SizeofRtAttr:n]) {
				return
			}
			b = b[min(align(n), len(b)):]
		}
	}
}

// align rounds a length up to a multiple of 4 bytes, at which the next attribute or message begins.
func align(n int) int { return (n + 3) &^ 3 }

// text returns a string attribute without its final zero.
func text(value []byte) string { return strings.TrimRight(string(value), "\x00") }

// firstByte returns the number in an attribute of one byte. It returns 0 if the attribute is empty.
func firstByte(b []byte) uint8 {
	if len(b) < 1 {
		return 0
	}
	return b[0]
}

// Uint16 returns the number in an attribute of two bytes. It returns 0 if the attribute is shorter.
func Uint16(b []byte) uint16 {
	if len(b) < 2 {
		return 0
	}
	return binary.NativeEndian.Uint16(b)
}

// Uint32 returns the number in an attribute of four bytes. It returns 0 if the attribute is shorter.
func Uint32(b []byte) uint32 {
	if len(b) < 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(b)
}
