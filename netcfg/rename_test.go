package netcfg

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/link"
)

// TestRename renames a device that is up, on this kernel and as on older ones, where it is down for a moment. Its
// addresses and routes stay, also if the name is taken.
func TestRename(t *testing.T) {
	for _, old := range []bool{false, true} {
		ns := open(t)
		if old {
			ns.features &^= liveRename
		}
		add(t, ns, Spec{Name: "x7", Mode: link.TUN, Link: Link{Up: on(true)},
			Addresses: addresses("10.0.0.1/24", "10.0.0.2/24", "fd00::1/64")})
		add(t, ns, Spec{Name: "x8", Mode: link.TAP})
		hold(t, "x7", unix.IFF_TUN|unix.IFF_NO_PI)
		ip(t, "route add 10.1.0.0/16 via 10.0.0.9 dev x7 proto bird mtu 1300")
		ip(t, "route add fd01::/64 dev x7 metric 7")
		before := witness(t)
		wantError(t, run(t, ns, Change{Name: "x7", Want: &Spec{Rename: "x8"}, Expect: Present}, nil),
			cause.Exists, unix.EEXIST)
		same(t, before, witness(t))
		r := run(t, ns, Change{Name: "x7", Want: &Spec{Rename: "x9"}, Expect: Present}, nil)
		if r.Err != nil || r.Name != "x9" {
			t.Fatalf("%+v", r)
		}
		// the kernel numbers the labels of further IPv4 addresses
		same(t, before, strings.NewReplacer("x9:2", "x7", "x9", "x7").Replace(witness(t)))
		if down := len(r.Steps) > 1; down != old {
			t.Errorf("steps %v", r.Steps)
		}
		ip(t, "link set x9 down")
		r = run(t, ns, Change{Name: "x9", Want: &Spec{Rename: "x10"}, Expect: Present}, nil)
		if r.Err != nil || len(r.Steps) != 1 {
			t.Errorf("%+v", r)
		}
	}
}
