package netcfg

import (
	"fmt"
	"testing"
)

// TestSetsOfFewAndOfManyAddresses finds addresses in sets that hold a list, and in those that also hold a map: the same
// ones, those with another broadcast address, and of two entries the later.
func TestSetsOfFewAndOfManyAddresses(t *testing.T) {
	with := func(text string) Address {
		a := address(text)
		a.kept.message = []byte{} // of the kernel: it has this broadcast address and no other
		return a
	}
	for n := range 20 {
		var list []Address
		for i := range n {
			list = append(list, with(fmt.Sprintf("10.0.%d.1/24 broadcast 10.0.%[1]d.255", i)))
		}
		grown := &addressSet{}
		for _, a := range list {
			grown.add(a)
		}
		for name, s := range map[string]*addressSet{"made": setOfAddresses(list), "grown": grown} {
			for i := range n + 1 {
				same := with(fmt.Sprintf("10.0.%d.1/24 broadcast 10.0.%[1]d.255", i))
				other := with(fmt.Sprintf("10.0.%d.1/24", i))
				if s.has(same) != (i < n) || s.hasOther(same) || s.has(other) || s.hasOther(other) != (i < n) {
					t.Errorf("%s, %d addresses: wrong about number %d", name, n, i)
				}
				if longer := with(fmt.Sprintf("10.0.%d.1/25", i)); s.has(longer) || s.hasOther(longer) {
					t.Errorf("%s, %d addresses: another prefix length counts as number %d", name, n, i)
				}
			}
			if n == 0 {
				continue
			}
			s.add(with("10.0.0.1/24"))
			if !s.has(with("10.0.0.1/24")) || s.has(list[0]) || len(list) != n {
				t.Errorf("%s, %d addresses: the later entry does not replace the first", name, n)
			}
		}
	}
}
