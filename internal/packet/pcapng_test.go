package packet

import (
	"encoding/binary"
	"io"
	"testing"
	"time"

	"github.com/tunadm/tunadm/internal/link"
)

// kept keeps what each write wrote.
type kept [][]byte

func (w *kept) Write(b []byte) (int, error) {
	*w = append(*w, append([]byte(nil), b...))
	return len(b), nil
}

// blocks takes a file of pcapng apart, as its specification has it.
func blocks(t *testing.T, b []byte) (kinds []uint32, bodies [][]byte) {
	t.Helper()
	for len(b) > 0 {
		length := binary.LittleEndian.Uint32(b[4:])
		if length%4 != 0 || int(length) > len(b) || binary.LittleEndian.Uint32(b[length-4:]) != length {
			t.Fatalf("a block of %d bytes: %x", length, b)
		}
		kinds, bodies = append(kinds, binary.LittleEndian.Uint32(b)), append(bodies, b[8:length-4])
		b = b[length:]
	}
	return kinds, bodies
}

func TestPcapng(t *testing.T) {
	for mode, link := range map[link.Mode]uint16{link.TUN: 101, link.TAP: 1} {
		var written kept
		w, err := NewWriter(&written, "tun7", mode, "tunadm")
		if err != nil {
			t.Fatal(err)
		}
		at := time.Unix(1700000000, 123456789)
		for _, p := range []string{"hello", ""} {
			if err := w.Write([]byte(p), at); err != nil {
				t.Fatal(err)
			}
		}
		if len(written) != 3 {
			t.Fatalf("%d writes", len(written))
		}
		kinds, bodies := blocks(t, written[0])
		if len(kinds) != 2 || kinds[0] != 0x0a0d0d0a || kinds[1] != 1 || binary.LittleEndian.Uint16(bodies[1]) != link {
			t.Errorf("%s: begins with %x %x", mode, kinds, bodies)
		}
		kinds, bodies = blocks(t, written[1])
		high, low := binary.LittleEndian.Uint32(bodies[0][4:]), binary.LittleEndian.Uint32(bodies[0][8:])
		stamp := uint64(high)<<32 | uint64(low)
		if len(kinds) != 1 || kinds[0] != 6 || stamp != uint64(at.UnixNano()) ||
			string(bodies[0][12:]) != "\x05\x00\x00\x00\x05\x00\x00\x00hello\x00\x00\x00" {
			t.Errorf("packet: %x %x", kinds, bodies)
		}
	}
	if _, err := NewWriter(gone{}, "tun7", link.TUN, ""); err != io.ErrClosedPipe {
		t.Error(err)
	}
}

// gone is a pipe without a reader.
type gone struct{}

func (gone) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
