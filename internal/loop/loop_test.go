package loop

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"testing"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/rtnl"
)

// TestPriorities returns well-known priorities, or those just before the first rule.
func TestPriorities(t *testing.T) {
	for _, c := range []struct {
		taken []uint32
		want  [3]uint32
	}{
		{[]uint32{0, 32766, 32767}, [3]uint32{100, 200, 1000}},
		{[]uint32{0, 1001}, [3]uint32{100, 200, 1000}},
		{[]uint32{0, 1000}, [3]uint32{997, 998, 999}},
		{[]uint32{0, 150, 500, 0, 4}, [3]uint32{1, 2, 3}},
		{[]uint32{0, 3}, [3]uint32{}},
	} {
		var rules []rtnl.Rule
		for _, p := range c.taken {
			rules = append(rules, rtnl.Rule{Priority: p})
		}
		got, err := priorities(rules)
		if (err != nil) != (c.want == [3]uint32{}) || err == nil && got != c.want {
			t.Errorf("%v: %v, %v", c.taken, got, err)
		}
	}
}

// TestRulesAreWrittenDownWhole checks that rules of a device whose name is not UTF-8 come back as they were.
func TestRulesAreWrittenDownWhole(t *testing.T) {
	l := &Loop{Priorities: [3]uint32{100, 200, 1000}, Table: 200}
	for i, ip := range []string{"10.0.1.1", "10.0.2.1"} {
		l.Ends[i] = End{Device: []string{"t\xff", "tun8"}[i], Addresses: []netip.Addr{netip.MustParseAddr(ip)}}
	}
	l.rules = []rtnl.Rule{{Table: link.TableLocal, Protocol: 2}}
	want := *l.diversion()[0].Rules
	text, err := json.Marshal(Memory{Rules: []rules{recordOf(want)}})
	if err != nil {
		t.Fatal(err)
	}
	var m Memory
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	if got := m.Rules[0].rules(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if len(want.Add) != 4 || len(want.Remove) != 1 {
		t.Errorf("%+v", want)
	}
}
