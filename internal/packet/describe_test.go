package packet

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/link"
)

// Parts of packets, in hexadecimal.
const (
	from6to6 = "fd000000000000000000000000000001 fd000000000000000000000000000002"
	frame    = "020000000002 020000000001"
)

// bytes reads hexadecimal.
func raw(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(s, err)
	}
	return b
}

// described are packets, and what they are.
var described = []struct {
	mode link.Mode
	hex  string
	want string
}{
	{link.TUN, "45000054abcd40004001 0000 0a000001 0a000002 0800 0000 0001 0001" + strings.Repeat("00", 56),
		"84 bytes  10.0.0.1 > 10.0.0.2  ICMP echo request"},
	{link.TUN, "4500001cabcd40004001 0000 0a000001 0a000002 0303 0000 0000 0000",
		"28 bytes  10.0.0.1 > 10.0.0.2  ICMP port unreachable"},
	{link.TUN, "4500001cabcd40004001 0000 0a000001 0a000002 2a07 0000 0000 0000",
		"28 bytes  10.0.0.1 > 10.0.0.2  ICMP type 42, code 7"},
	{link.TUN, "45000028abcd40004006 0000 0a000001 0a000002 9c40 0050 00000000 00000000 5002 ffff 0000 0000",
		"40 bytes  10.0.0.1:40000 > 10.0.0.2:80  TCP SYN"},
	{link.TUN, "4500002babcd40004006 0000 0a000001 0a000002 9c40 0050 00000000 00000000 5018 ffff 0000 0000 616263",
		"43 bytes  10.0.0.1:40000 > 10.0.0.2:80  TCP PSH ACK, 3 bytes"},
	{link.TUN, "45000028abcd40004006 0000 0a000001 0a000002 9c40 0050 00000000 00000000 f010 ffff 0000 0000",
		"40 bytes  10.0.0.1:40000 > 10.0.0.2:80  TCP ACK, malformed"},
	{link.TUN, "4500001fabcd40004011 0000 0a000001 0a000002 9c40 0035 000b 0000 616263",
		"31 bytes  10.0.0.1:40000 > 10.0.0.2:53  UDP, 3 bytes"},
	{link.TUN, "4500001aabcd40004011 0000 0a000001 0a000002 9c40 0035 0000",
		"26 bytes  10.0.0.1 > 10.0.0.2  UDP, cut off"},
	{link.TUN, "4500001cabcd20004001 0000 0a000001 0a000002 0800 0000 0000 0000",
		"28 bytes  10.0.0.1 > 10.0.0.2  ICMP echo request, first fragment"},
	{link.TUN, "4500001cabcd00b94001 0000 0a000001 0a000002 0000 0000 0000 0000",
		"28 bytes  10.0.0.1 > 10.0.0.2  ICMP, fragment from byte 1480"},
	{link.TUN, "45000054abcd40004001 0000 0a000001 0a000002 0800",
		"22 bytes  10.0.0.1 > 10.0.0.2  IPv4, malformed: its header says 20 of 84 bytes"},
	{link.TUN, "44000014abcd40004001 0000 0a000001 0a000002",
		"20 bytes  10.0.0.1 > 10.0.0.2  IPv4, malformed: its header says 16 of 20 bytes"},
	{link.TUN, "45", "1 bytes  IPv4, cut off or malformed"},
	{link.TUN, "", "0 bytes  neither IPv4 nor IPv6"},
	{link.TUN, "1b5b324a", "4 bytes  neither IPv4 nor IPv6"},
	{link.TUN, "60000000 0008 3a 40" + from6to6 + "8000 0000 0001 0001",
		"48 bytes  fd00::1 > fd00::2  ICMPv6 echo request"},
	{link.TUN, "60000000 0014 06 40" + from6to6 + "9c40 0050 00000000 00000000 5012 ffff 0000 0000",
		"60 bytes  [fd00::1]:40000 > [fd00::2]:80  TCP SYN ACK"},
	{link.TUN, "60000000 0010 2c 40" + from6to6 + "3a00 0001 00000001 8000 0000 0001 0001",
		"56 bytes  fd00::1 > fd00::2  ICMPv6 echo request, first fragment"},
	{link.TUN, "60000000 0010 2c 40" + from6to6 + "3a00 05a8 00000001 8000 0000 0001 0001",
		"56 bytes  fd00::1 > fd00::2  ICMPv6, fragment from byte 1448"},
	{link.TUN, "60000000 0008 00 40" + from6to6 + "3aff 0502 00000000",
		"48 bytes  fd00::1 > fd00::2  IPv6, cut off in extension header 0"},
	{link.TUN, "60000000 0010 00 40" + from6to6 + "3a00 0502 00000000 8f00 0000 0000 0000",
		"56 bytes  fd00::1 > fd00::2  ICMPv6 multicast listener"},
	{link.TUN, "60000000 0100 3a 40" + from6to6 + "8000",
		"42 bytes  fd00::1 > fd00::2  IPv6, malformed: its header says 296 bytes"},
	{link.TUN, "60000000 0000 3b 40" + from6to6, "40 bytes  fd00::1 > fd00::2  no next header"},
	{link.TAP, frame + "0806 0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002",
		"42 bytes  10.0.0.1 > 10.0.0.2  ARP request: who has 10.0.0.2?"},
	{link.TAP, frame + "0806 0001 0800 06 04 0002 020000000001 0a000001 020000000002 0a000002",
		"42 bytes  10.0.0.1 > 10.0.0.2  ARP reply: 10.0.0.1 is at 02:00:00:00:00:01"},
	{link.TAP, frame + "0806 0001", "16 bytes  ARP, cut off or not for IPv4"},
	{link.TAP, frame + "8100 6005 0800 4500001cabcd40004001 0000 0a000001 0a000002 0800 0000 0000 0000",
		"46 bytes  VLAN 5  10.0.0.1 > 10.0.0.2  ICMP echo request"},
	{link.TAP, frame + "88a8 0007 8100 0005 1234",
		"22 bytes  02:00:00:00:00:01 > 02:00:00:00:00:02  VLAN 7  VLAN 5  Ethernet type 0x1234"},
	{link.TAP, frame + "8100 60", "15 bytes  02:00:00:00:00:01 > 02:00:00:00:00:02  VLAN, cut off"},
	{link.TAP, frame + "0026 4242 03", "17 bytes  02:00:00:00:00:01 > 02:00:00:00:00:02  802.3"},
	{link.TAP, frame, "12 bytes  Ethernet, cut off"},
	{link.TAP, frame + "86dd 60000000 0018 3a ff" + from6to6 + "8700 0000 00000000 fd000000000000000000000000000002",
		"78 bytes  fd00::1 > fd00::2  ICMPv6 neighbour solicitation: who has fd00::2"},
	{link.TAP, frame + "86dd 60000000 0004 3a ff" + from6to6 + "8800 0000",
		"58 bytes  fd00::1 > fd00::2  ICMPv6 neighbour advertisement, cut off"},
	{link.TAP, frame + "0800 60", "15 bytes  IPv4, cut off or malformed"},
}

func TestDescribe(t *testing.T) {
	for _, c := range described {
		if got := Describe(raw(t, c.hex), c.mode); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.hex, got, c.want)
		}
	}
}

// FuzzDescribe expects of any packet one line of printable ASCII.
func FuzzDescribe(f *testing.F) {
	for _, c := range described {
		f.Add(raw(f, c.hex), c.mode == link.TAP)
	}
	f.Fuzz(func(t *testing.T, p []byte, tap bool) {
		mode := link.TUN
		if tap {
			mode = link.TAP
		}
		line := Describe(p, mode)
		if i := strings.IndexFunc(line, func(r rune) bool { return r < ' ' || r > '~' }); i >= 0 {
			t.Errorf("%q has %q", line, line[i:])
		}
		control := func(r rune) bool { return r != '\n' && r < ' ' || r > '~' }
		if text := string(AppendHex(nil, p)); strings.IndexFunc(text, control) >= 0 {
			t.Errorf("%q", text)
		}
	})
}

func TestHex(t *testing.T) {
	p := append([]byte("E\x00\x1b[2J~\x7f"), "0123456789"...)
	want := "    0000  45 00 1b 5b 32 4a 7e 7f  30 31 32 33 34 35 36 37  E..[2J~.01234567\n" +
		"    0010  38 39                                             89\n"
	if got := string(AppendHex(nil, p)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	got := string(AppendHex(nil, make([]byte, 1<<16+1)))
	if !strings.Contains(got, "\n    fff0  ") || !strings.Contains(got, "\n    010000  00 ") {
		t.Errorf("long: ...%s", got[len(got)-200:])
	}
}
