package netcfg

import (
	"fmt"
	"math"
	"testing"
)

// TestNamedLinksBesideFewAndManyOthers reads devices by their names, an alternative name and a name that does not
// exist, beside few others, and beside so many that the dump ends early.
func TestNamedLinksBesideFewAndManyOthers(t *testing.T) {
	const named = few + 1
	for _, others := range []int{0, request * (named + 1)} {
		ns := open(t)
		var lines, names []string
		for i := range others { // the kernel returns them first
			lines = append(lines, fmt.Sprintf("tuntap add dev y%d mode tap", i))
		}
		for i := range named {
			names = append(names, fmt.Sprintf("x%d", named-i))
			lines = append(lines, fmt.Sprintf("tuntap add dev x%d mode tun", i+1))
		}
		names[0] = "another-name-of-this-device"
		names = append(names, "missing")
		batch(t, false, append(lines, fmt.Sprintf("link property add dev x%d altname %s", named, names[0]))...)
		some, err := someLinks(request*(named+1), false)
		if err != nil || len(some) > request*(named+1) || others == 0 && len(some) != named+1 {
			t.Errorf("%d links beside %d others, %v", len(some), others, err)
		}
		found, err := ns.Links(names...)
		if err != nil || len(found) != named+1 || found[named] != nil {
			t.Fatalf("beside %d others: %v, %v", others, found, err)
		}
		for i, d := range found[:named] {
			if d == nil || d.Name != fmt.Sprintf("x%d", named-i) || d.Kind != "tun" {
				t.Errorf("beside %d others: %s is %+v", others, names[i], d)
			}
		}
	}
	if _, err := unusedGroup(0, request*named); err == nil {
		t.Error("two devices are deleted as a group beside very many others")
	}
	if _, err := unusedGroup(0, math.MaxInt); err != nil {
		t.Error(err)
	}
}
