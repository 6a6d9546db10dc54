package netcfg

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/link"
	"golang.org/x/sys/unix"
)

// doom observes devices and prepares their deletion. If claimed is true, it claims them as an unforced delete does.
func doom(t *testing.T, ns *Namespace, claimed bool, names ...string) []*doomed {
	t.Helper()
	var devices []*doomed
	for _, name := range names {
		found, err := ns.observe([]target{{name: name}}, shallow, nil, false)
		if err != nil {
			t.Fatal(err)
		}
		d := &doomed{Device: found[0], fd: -1}
		if claimed {
			if d.fd, err = ns.claimUnused(found[0]); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { unix.Close(d.fd) })
		}
		devices = append(devices, d)
	}
	return devices
}

// TestNoGroupIsDeletedWithAStrayInside moves another device into the group that is about to be deleted.
func TestNoGroupIsDeletedWithAStrayInside(t *testing.T) {
	for _, claimed := range []bool{false, true} {
		ns := open(t)
		for _, name := range []string{"q1", "q2"} {
			add(t, ns, Spec{Name: name, Mode: link.TUN})
		}
		ip(t, "link add d0 type bridge")
		devices := doom(t, ns, claimed, "q1", "q2")
		group, err := unusedGroup(5, math.MaxInt)
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range ns.setGroups(devices, group) {
			if err != nil {
				t.Fatal(err)
			}
		}
		if !ns.alone(devices, group) {
			t.Error("the two are not alone in their group")
		}
		if ns.alone(devices[:1], group) {
			t.Error("q2 is not seen")
		}
		ip(t, fmt.Sprintf("link set d0 group %d", group))
		if ns.alone(devices, group) {
			t.Error("d0 is not seen")
		}
	}
}

// TestForceTakesNoOtherDeviceOfTheIndex creates a bridge with the device's name and index after the observation, alone
// and among other devices.
func TestForceTakesNoOtherDeviceOfTheIndex(t *testing.T) {
	for _, names := range [][]string{{"b1"}, {"b1", "b2", "b3"}} {
		ns := open(t)
		add(t, ns, Spec{Name: "a1", Mode: link.TUN})
		changes := []Change{{Name: "a1", Want: &Spec{Link: Link{MTU: on(1400)}}, Expect: Present}}
		for _, name := range names {
			add(t, ns, Spec{Name: name, Mode: link.TUN})
			changes = append(changes, Change{Name: name, Expect: Present, Force: true})
		}
		was, err := ns.Devices("b1")
		if err != nil {
			t.Fatal(err)
		}
		bridge := ""
		results, err := ns.Run(context.Background(), changes, Options{Log: after(StepLink, func() {
			ip(t, "link del b1")
			ip(t, fmt.Sprintf("link add dev b1 index %d type bridge", was[0].Index))
			bridge = ip(t, "-d link show dev b1")
		})})
		if err != nil {
			t.Fatal(err)
		}
		wantError(t, results[1], cause.NoDevice, nil)
		for _, r := range results[2:] {
			if r.Err != nil {
				t.Errorf("%s: %v", r.Name, r.Err)
			}
		}
		same(t, bridge, ip(t, "-d link show dev b1"))
		if got := ip(t, "-br link show type tun"); strings.Contains(got, "b2") || strings.Contains(got, "b3") {
			t.Errorf("left: %s", got)
		}
	}
}

// TestDeviceOfALostIndexIsNotDeleted tests the last check before a delete, without a claim.
func TestDeviceOfALostIndexIsNotDeleted(t *testing.T) {
	for _, names := range [][]string{{"b1"}, {"b1", "b2"}} {
		ns := open(t)
		for _, name := range names {
			add(t, ns, Spec{Name: name, Mode: link.TUN})
		}
		devices := doom(t, ns, false, names...)
		ip(t, "link del b1")
		ip(t, fmt.Sprintf("link add dev b1 index %d type bridge", devices[0].Index))
		ns.deleteClaimed(devices)
		if cause.Of(devices[0].err) != cause.NoDevice {
			t.Errorf("got %v", devices[0].err)
		}
		ip(t, "link show dev b1 type bridge")
		if len(names) > 1 && (devices[1].err != nil || strings.Contains(ip(t, "-br link show type tun"), "b2")) {
			t.Errorf("the other: %v", devices[1].err)
		}
	}
}

// TestALinkGroupIsRestoredAfterAKill leaves a device as a run does that is killed before its delete.
func TestALinkGroupIsRestoredAfterAKill(t *testing.T) {
	ns := open(t)
	add(t, ns, Spec{Name: "q1", Mode: link.TUN})
	ip(t, "link set q1 group 51")
	devices := doom(t, ns, true, "q1")
	group, err := unusedGroup(devices[0].group, math.MaxInt)
	if err != nil {
		t.Fatal(err)
	}
	if err := ns.setGroups(devices, group)[0]; err != nil {
		t.Fatal(err)
	}
	if r := run(t, ns, Change{Name: "q1", Want: &Spec{Link: Link{MTU: on(1400)}}, Expect: Present}, nil); r.Err != nil {
		t.Fatal(r.Err)
	}
	if got := ip(t, "link show dev q1"); !strings.Contains(got, "group 51 ") {
		t.Errorf("got %s", got)
	}
}

// TestAReplacedDeviceKeepsItsGroup compares the link group after an undo of a replacement.
func TestAReplacedDeviceKeepsItsGroup(t *testing.T) {
	ns := open(t)
	busyDevice(t, ns)
	ip(t, "link set tap7 group 51")
	r := run(t, ns, replaced(Spec{Link: Link{Alias: on(strings.Repeat("x", 300))}}), nil)
	if r.Err == nil || r.UndoErr != nil || !r.Remade {
		t.Errorf("got %+v", r)
	}
	if got := ip(t, "link show dev tap7"); !strings.Contains(got, "group 51 ") {
		t.Errorf("got %s", got)
	}
}
