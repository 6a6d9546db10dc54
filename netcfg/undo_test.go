package netcfg

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// replaced is a change that makes a tap of busyDevice's kind anew as a tun.
func replaced(want Spec) Change {
	want.Name, want.Mode, want.Access, want.Replace = "tap7", TUN, Root(), true
	return Change{Name: "tap7", Want: &want, Expect: PresentOrNot}
}

// TestUndoLeavesWhoTookTheName has another program take the name in the moment in which it is free.
func TestUndoLeavesWhoTookTheName(t *testing.T) {
	k := open(t)
	busyDevice(t, k)
	foreign := ""
	r := run(t, k, replaced(Spec{}), after(StepDelete, func() {
		hold(t, "tap7", unix.IFF_TUN|unix.IFF_NO_PI)
		ip(t, "link set tap7 alias theirs")
		foreign = ip(t, "-d -j link show dev tap7")
	}))
	if e := new(Error); !errors.As(r.Err, &e) || e.Cause != Exists {
		t.Errorf("got %v, want that the name is taken", r.Err)
	}
	for _, want := range []string{"another program", "lost: tap of root", "alias mine", "10.0.0.1/24", "10.3.0.0/16 metric 77 table 99"} {
		if r.UndoErr == nil || !strings.Contains(r.UndoErr.Error(), want) {
			t.Errorf("got %v, want %q in it", r.UndoErr, want)
		}
	}
	if r.PutBack || r.Made || r.Created {
		t.Errorf("got %+v", r)
	}
	same(t, foreign, ip(t, "-d -j link show dev tap7"))
}

// TestUndoTakesNoDeviceFromAProgram has one attach to the new device before a later step fails.
func TestUndoTakesNoDeviceFromAProgram(t *testing.T) {
	k := open(t)
	many := true
	want := Spec{Name: "tap7", Mode: TAP, Access: Root(), MultiQueue: &many, Link: Link{Alias: on(strings.Repeat("x", 300))}}
	r := run(t, k, Change{Name: "tap7", Want: &want}, after(StepCreate, func() {
		hold(t, "tap7", unix.IFF_TAP|unix.IFF_NO_PI|unix.IFF_MULTI_QUEUE)
	}))
	if e := new(Error); r.Err == nil || !errors.As(r.UndoErr, &e) || e.Cause != InUse {
		t.Errorf("got %v, undo %v", r.Err, r.UndoErr)
	}
	if !r.Made || r.Created || r.Index == 0 {
		t.Errorf("got %+v, want a device that is there", r)
	}
	ip(t, "link show dev tap7")
}

// TestUndoGoesOn takes the device down meanwhile: the routes cannot come back, and all else does.
func TestUndoGoesOn(t *testing.T) {
	k := open(t)
	busyDevice(t, k)
	before := ip(t, "-4 -br addr show dev tap7")
	want := Spec{Link: Link{TxQueueLen: on(7), Alias: on("new")}, Addresses: addresses("10.7.0.1/24"), Routes: routes("10.8.0.0/16 via 10.7.0.9")}
	r := run(t, k, Change{Name: "tap7", Want: &want, Expect: Present}, after(StepRemoveAddress, func() { ip(t, "link set tap7 down") }))
	if r.Err == nil || r.UndoErr == nil {
		t.Fatalf("got %v, undo %v", r.Err, r.UndoErr)
	}
	for _, left := range []string{"route 10.1.0.0/16 via 10.0.0.9 metric 5", "route 10.3.0.0/16 metric 77 table 99", "route fd02::/48 metric 9", "the device is down"} {
		if !strings.Contains(r.UndoErr.Error(), left) {
			t.Errorf("got %v, want %q in it", r.UndoErr, left)
		}
	}
	got := ip(t, "link show dev tap7")
	if !strings.Contains(got, "alias mine") || !strings.Contains(got, "qlen 1000") {
		t.Errorf("got %s", got)
	}
	same(t, strings.ReplaceAll(before, "UNKNOWN", "DOWN"), strings.ReplaceAll(ip(t, "-4 -br addr show dev tap7"), "UNKNOWN", "DOWN"))
}

// TestRoomIsTakenBeforeADelete has none: nothing is deleted.
func TestRoomIsTakenBeforeADelete(t *testing.T) {
	full := errors.New("no space left")
	for _, c := range []struct {
		name   string
		change Change
		atomic bool
	}{
		{"to be made anew", replaced(Spec{}), false},
		{"to be put back if another fails", Change{Name: "tap7", Expect: PresentOrNot}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := open(t)
			busyDevice(t, k)
			before := witness(t)
			var asked []string
			results, err := k.Run(context.Background(), []Change{c.change}, Options{Atomic: c.atomic, Reserve: func(gone []*Step) error {
				for _, s := range gone {
					asked = append(asked, s.Device)
				}
				return full
			}})
			if err != nil {
				t.Fatal(err)
			}
			wantError(t, results[0], NotPermitted, nil)
			if !errors.Is(results[0].Err, full) || !slices.Equal(asked, []string{"tap7"}) {
				t.Errorf("got %v, asked for %v", results[0].Err, asked)
			}
			same(t, before, witness(t))
		})
	}
}

// TestUndoNeedsNoMemory makes the old device anew, though that cannot be remembered any more.
func TestUndoNeedsNoMemory(t *testing.T) {
	k := open(t)
	busyDevice(t, k)
	old, err := k.Devices("tap7")
	if err != nil {
		t.Fatal(err)
	}
	var restored []int
	o := Options{Remember: func(made []*Step) error {
		for _, s := range made {
			restored = append(restored, s.Restores())
		}
		return errors.New("no space left")
	}}
	results, err := k.Run(context.Background(), []Change{replaced(Spec{})}, o)
	if err != nil {
		t.Fatal(err)
	}
	if r := results[0]; r.Err == nil || r.UndoErr != nil || !r.Remade || r.Made || !slices.Equal(restored, []int{0, old[0].Index}) {
		t.Errorf("got %+v, restored %v", r, restored)
	}
}
