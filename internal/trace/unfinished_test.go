package trace

import (
	"net/netip"
	"testing"
)

func TestUnfinishedChecksum(t *testing.T) {
	from, to := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	segment := func(sum uint16) []byte {
		return []byte{0x1b, 0x58, 0x1b, 0x58, 0, 12, byte(sum >> 8), byte(sum), 'p', 'i', 'n', 'g'}
	}
	const pseudo, finished = 0x1420, 0xd7d2
	for name, c := range map[string]struct {
		protocol uint8
		sum      uint16
		want     bool
	}{
		"left to the device": {17, pseudo, true}, "finished": {17, finished, false}, "none": {17, 0, false},
		"another protocol": {132, pseudo, false},
	} {
		s := segment(c.sum)
		if got := unfinished(from, to, c.protocol, s, len(s)); got != c.want {
			t.Errorf("%s: unfinished is %v, want %v", name, got, c.want)
		}
	}
}
