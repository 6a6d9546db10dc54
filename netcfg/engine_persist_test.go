package netcfg

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/users"
	"golang.org/x/sys/unix"
)

// TestNewDevicesAreRememberedBeforeTheyStay calls ip(8) at the moment of recording: a crash at that moment must leave
// no device.
func TestNewDevicesAreRememberedBeforeTheyStay(t *testing.T) {
	ns := open(t)
	remembered := map[string]int{}
	many := true
	changes := []Change{
		{Name: "tun7", Want: &Spec{Name: "tun7", Mode: link.TUN, Access: users.Root()}, Expect: PresentOrNot},
		{Name: "tap7", Want: &Spec{Name: "tap7", Mode: link.TAP, Access: users.Root(), MultiQueue: &many},
			Expect: PresentOrNot},
	}
	results, err := ns.Run(context.Background(), changes, Options{Remember: func(made []Step) error {
		for _, s := range made {
			remembered[s.Device] = s.Index
			if got := ip(t, "-d link show dev "+s.Device); !strings.Contains(got, "persist off") {
				t.Errorf("it stays already: %s", got)
			}
		}
		return nil
	}})
	if err != nil || len(remembered) != 2 {
		t.Fatalf("remembered %v, %v", remembered, err)
	}
	for _, r := range results {
		if r.Err != nil || !r.Created || r.Index != remembered[r.Name] ||
			!strings.Contains(ip(t, "-d link show dev "+r.Name), "persist on") {
			t.Errorf("got %+v, remembered %v", r, remembered)
		}
	}
}

// TestADeviceThatCannotBeRememberedIsNotCreated has a Remember that fails.
func TestADeviceThatCannotBeRememberedIsNotCreated(t *testing.T) {
	ns := open(t)
	full := errors.New("no space left")
	changes := []Change{{Name: "tun7", Want: &Spec{Name: "tun7", Mode: link.TUN, Access: users.Root()},
		Expect: PresentOrNot}}
	results, err := ns.Run(context.Background(), changes, Options{Remember: func([]Step) error { return full }})
	if err != nil || !errors.Is(results[0].Err, full) || results[0].Created {
		t.Errorf("got %+v, %v", results, err)
	}
	if got := ip(t, "-br link show type tun"); got != "" {
		t.Errorf("left behind: %s", got)
	}
}

// TestANamespaceHasAnIdentity compares the identity of namespaces, also on kernels that provide none.
func TestANamespaceHasAnIdentity(t *testing.T) {
	for _, old := range []bool{false, true} {
		seen := map[string]bool{}
		for range 2 {
			ns := open(t)
			if old {
				ns.features = 0
			}
			if _, err := unix.GetsockoptUint64(ns.socket.FD(), unix.SOL_SOCKET, unix.SO_NETNS_COOKIE); err != nil &&
				!old {
				continue // before Linux 5.14
			}
			name, err := ns.Identity()
			again, _ := ns.Identity()
			if err != nil || name != again || seen[name] || strings.HasPrefix(name, "cookie") == old {
				t.Errorf("got %q and %q, %v, after %v", name, again, err, seen)
			}
			seen[name] = true
		}
	}
}

// TestADeviceThatVanishesWhileItIsKeptIsAnError deletes or moves a device by another program after the last
// observation.
func TestADeviceThatVanishesWhileItIsKeptIsAnError(t *testing.T) {
	for _, line := range []string{"link del tap7", "link set tap7 netns other"} {
		for _, several := range []bool{false, true} {
			k := open(t)
			ip(t, "netns add other")
			var changes []Change
			for _, name := range []string{"tap7", "tap8"} {
				want := &Spec{Name: name, Mode: link.TAP, Access: users.Root(), MultiQueue: &several,
					Link: Link{Up: on(true)}}
				changes = append(changes, Change{Name: name, Want: want})
			}
			results, err := k.Run(context.Background(), changes, Options{Announce: func([]string) error {
				ip(t, line)
				return nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			wantError(t, results[0], cause.NoDevice, nil)
			if results[1].Err != nil || results[0].Created || !results[1].Created {
				t.Errorf("got %+v", results)
			}
			if got := ip(t, "-br link show type tun"); !strings.HasPrefix(got, "tap8 ") ||
				strings.Count(got, "\n") != 1 {
				t.Errorf("there is: %s", got)
			}
			if got := ip(t, "-n other -br link show type tun"); got != "" {
				t.Errorf("left behind: %s", got)
			}
		}
	}
}
