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

// TestRoutesOfOneDevice reads the administrator's routes in all tables beside a few routes of a routing daemon, and
// beside so many that the dump of all routes ends early.
func TestRoutesOfOneDevice(t *testing.T) {
	for _, others := range []int{1, 1100} {
		ns := open(t)
		lines := []string{"tuntap add dev x1 mode tun", "link set x1 up",
			"route add 10.1.0.0/16 dev x1 proto static", "route add 10.2.0.0/16 dev x1",
			"route add 10.3.0.0/16 dev x1 proto static table 7", "route add fd01::/64 dev x1 proto static"}
		for i := range others {
			lines = append(lines, fmt.Sprintf("route add 11.%d.%d.0/24 dev x1 proto bird", i/256, i%256))
		}
		batch(t, false, lines...)
		found, err := ns.Devices("x1")
		if err != nil || len(found) != 1 || found[0] == nil {
			t.Fatal(found, err)
		}
		want := "[10.2.0.0/16 10.3.0.0/16 table 7 10.1.0.0/16 fd01::/64]"
		if got := fmt.Sprint(found[0].Routes); got != want {
			t.Errorf("beside %d others: %s, want %s", others, got, want)
		}
	}
}

// TestNewDevicesNeedFewTables asks which tables verify the routes of devices, because a look at all of them takes long
// beside very many routes.
func TestNewDevicesNeedFewTables(t *testing.T) {
	asks := func(created bool, list ...string) *job {
		return &job{created: created, want: &Spec{AddRoutes: *routes(list...)}}
	}
	for _, c := range []struct {
		name string
		jobs []*job
		want string
	}{
		{"new", []*job{asks(true, "10.0.0.0/8", "fd01::/64"), asks(true, "11.0.0.0/8 table 7"), asks(true)},
			"[{2 254} {10 254} {2 7}]"},
		{"an existing device", []*job{asks(true, "10.0.0.0/8"), asks(false, "11.0.0.0/8")}, "[]"},
		{"an existing device without routes", []*job{asks(true, "10.0.0.0/8"), asks(false)}, "[{2 254}]"},
		{"many tables", []*job{asks(true, "10.0.0.0/8 table 1", "10.0.0.0/8 table 2", "10.0.0.0/8 table 3",
			"10.0.0.0/8 table 4", "10.0.0.0/8 table 5")}, "[]"},
	} {
		if got := fmt.Sprint(tablesOfNew(c.jobs)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
