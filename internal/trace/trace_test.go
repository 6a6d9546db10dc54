package trace

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/bpf"
	"github.com/tunadm/tunadm/internal/nstest"
)

func TestMain(m *testing.M) { os.Exit(nstest.Main(m)) }

// TestTheTablesAreComplete looks for rows that are never reached, and for placeholders that stay.
func TestTheTablesAreComplete(t *testing.T) {
	tr := &Trace{target: target{Device: Device{Name: "tun0", Index: 7}}}
	e := Event{at: 7, Device: "tun0"}
	e.In, e.InIndex, e.From, e.To = "tun0", 7, netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.1")
	seen := map[string]bool{}
	for _, rows := range [][]explanation{reasons[:], functions[:]} {
		for _, row := range rows {
			e.Reason, e.Function = strings.Replace(row.name, "*", "X", 1), ""
			if strings.ToLower(row.name) == row.name {
				e.Reason, e.Function = notSpecified, row.name
			}
			if got := tr.row(&e); got == nil || got.name != row.name {
				t.Errorf("%s is explained as %v", row.name, got)
			}
			means, fixes := tr.Explain(&e)
			for _, f := range fixes {
				means += f.String()
			}
			if strings.ContainsAny(means, "{}") || strings.Contains(means, "invalid IP") || means == "" {
				t.Errorf("%s: %q", row.name, means)
			}
			if half := len(row.means) / 2; row.means[:half] == row.means[len(row.means)-half:] {
				t.Errorf("%s says it twice: %s", row.name, row.means)
			}
			if seen[row.name] {
				t.Errorf("%s is explained twice", row.name)
			}
			seen[row.name] = true
		}
	}
	for _, c := range losses {
		if c.reason != "" && !seen[c.reason] {
			t.Errorf("the reason %[2]s of %[1]s is not explained", c.title(), c.reason)
		}
	}
}

// TestTheReasonsAreTheKernels compares the table with the kernel's enumeration: on Linux 6.18, each reason of the table
// is one of the kernel's, but for those that other versions have.
func TestTheReasonsAreTheKernels(t *testing.T) {
	types, err := bpf.KernelTypes()
	if err != nil {
		nstest.Skip(t, "the kernel does not describe its types")
	}
	var names []string
	for _, name := range types.Enumeration("skb_drop_reason") {
		names = append(names, strings.TrimPrefix(name, prefixReason))
	}
	if !slices.Contains(names, "MAX") {
		nstest.Skip(t, "the kernel gives no reasons for dropped packets")
	}
	missing := 0
	for _, row := range reasons {
		if !slices.ContainsFunc(names, func(name string) bool {
			return name == row.name || strings.HasSuffix(row.name, "*") &&
				strings.HasPrefix(name, strings.TrimSuffix(row.name, "*"))
		}) {
			missing++
			t.Logf("not of this kernel: %s", row.name)
		}
	}
	if missing > len(reasons)/2 {
		t.Errorf("%d of %d reasons are not of this kernel", missing, len(reasons))
	}
}

// TestFunctionsOfTheKernel looks up addresses: the first and the last of a function, and those that belong to none.
func TestFunctionsOfTheKernel(t *testing.T) {
	s := newSymbols([]byte("ffffffff81000100 T first\nffffffff81000200 d data\nffffffff81000300 t second.isra.0\n" +
		"ffffffffc0000000 t third\t[tun]\n0000000000000000 T hidden\n"))
	for address, want := range map[uint64]string{
		0xffffffff810000ff: "", 0xffffffff81000100: "first", 0xffffffff810002ff: "first", 0xffffffff81000300: "second",
		0xffffffffc0000040: "third",
	} {
		if got := s.function(address); got != want {
			t.Errorf("%x is in %q, want %q", address, got, want)
		}
	}
}

// TestParse reads packets: IPv4 with options and fragments, IPv6 with hop-by-hop options, ARP, and what is cut off.
func TestParse(t *testing.T) {
	v4 := []byte{0x46, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1, 1, 1, 1, 1, 0, 7, 0, 9, 0, 8, 0, 0}
	fragment := slices.Clone(v4)
	fragment[7] = 1
	v6 := append([]byte{0x60, 0, 0, 0, 0, 16, 0, 64}, make([]byte, 32)...)
	v6 = append(v6, 6, 0, 0, 0, 0, 0, 0, 0, 0, 22, 0, 23, 0, 0, 0, 0)
	for name, c := range map[string]struct {
		kind   uint16
		packet []byte
		want   string
	}{
		"IPv4":     {0x0800, v4, "10.0.0.2:7 > 10.0.0.1:9 udp"},
		"fragment": {0x0800, fragment, "10.0.0.2 > 10.0.0.1 udp"},
		"options":  {0x86dd, v6, "[::]:22 > [::]:23 tcp"},
		"short":    {0x0800, v4[:19], "* > *"},
		"no ports": {0x0800, v4[:26], "10.0.0.2 > 10.0.0.1 udp"},
		"other":    {0x88cc, v4, "* > *"},
	} {
		for n := range c.packet {
			new(Event).parse(c.kind, c.packet[:n]) // it must not panic
		}
		var e Event
		if e.parse(c.kind, c.packet); e.Packet.String() != c.want {
			t.Errorf("%s: %s, want %s", name, e.Packet, c.want)
		}
	}
}

// TestExpects reads the transport headers of packets that require an answer, and of others.
func TestExpects(t *testing.T) {
	tcp := func(flags byte) []byte { return append(make([]byte, 13), flags, 0, 0) }
	for name, c := range map[string]struct {
		protocol uint8
		header   []byte
		want     bool
	}{
		"SYN": {6, tcp(2), true}, "SYN-ACK": {6, tcp(0x12), false}, "ACK": {6, tcp(0x10), false},
		"RST": {6, tcp(4), false}, "cut off": {6, tcp(2)[:13], false}, "UDP": {17, make([]byte, 8), true},
		"echo": {1, []byte{8}, true}, "echo reply": {1, []byte{0}, false}, "unreachable": {1, []byte{3}, false},
		"IPv6 echo": {58, []byte{128}, true}, "advertisement": {58, []byte{136}, false}, "fragment": {17, nil, false},
	} {
		if got := expects(c.protocol, c.header); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		if got := answers(c.protocol, c.header); got != (name == "SYN-ACK" || name == "echo reply") {
			t.Errorf("%s: answers: %v", name, got)
		}
	}
}

// TestARecordOfGarbage reads records that no program of this package writes.
func TestARecordOfGarbage(t *testing.T) {
	tr := &Trace{layout: &layout{reasons: map[uint32]string{}}, symbols: &symbols{}, host: host{-1}}
	for _, fill := range []byte{0, 1, 0x45, 0x60, 0x7f, 0x80, 0xff} {
		record := make([]byte, recordSize)
		for i := range record {
			record[i] = fill
		}
		e := tr.event(record)
		if e.Size < 0 || e.Size > sizeMax {
			t.Errorf("%#x: %d bytes", fill, e.Size)
		}
	}
}
