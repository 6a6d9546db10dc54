package trace

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// unfinished reports whether the checksum of a TCP or UDP packet is the sum of its pseudo header alone, as the kernel
// hands it to a device that finishes it.
func unfinished(from, to netip.Addr, protocol uint8, segment []byte, length int) bool {
	at := map[uint8]int{unix.IPPROTO_TCP: 16, unix.IPPROTO_UDP: 6}[protocol]
	if at == 0 || len(segment) < at+2 || length < len(segment) {
		return false
	}
	sum := uint32(protocol) + uint32(length)
	for _, address := range [][]byte{from.AsSlice(), to.AsSlice()} {
		for i := 0; i+1 < len(address); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(address[i:]))
		}
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return binary.BigEndian.Uint16(segment[at:]) == uint16(sum)
}
