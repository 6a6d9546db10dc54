package packet

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestChecksum compares the checksum with that of the definition, for each length and for sums with many carries.
func TestChecksum(t *testing.T) {
	noise := make([]byte, 300)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(noise)
	for _, b := range [][]byte{noise, bytes.Repeat([]byte{0xff}, 300), make([]byte, 300)} {
		for n := range len(b) + 1 {
			for _, sum := range []uint32{0, 1, 0xffff, 0xffffffff} {
				wide := uint64(sum)
				for i, one := range b[:n] {
					wide += uint64(one) << (8 * (1 - i%2))
				}
				for wide > 0xffff {
					wide = wide>>16 + wide&0xffff
				}
				if got := checksum(sum, b[:n]); got != ^uint16(wide) {
					t.Fatalf("%d bytes and %#x: %#x, want %#x", n, sum, got, ^uint16(wide))
				}
			}
		}
	}
}

func BenchmarkChecksum(b *testing.B) {
	p := make([]byte, 1400)
	b.SetBytes(int64(len(p)))
	for range b.N {
		checksum(0, p)
	}
}
