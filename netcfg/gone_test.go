package netcfg

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/users"
)

// everything returns a Spec of a device with a step of each kind but delete.
func everything(name string) *Spec {
	return &Spec{
		Name: name, Mode: link.TAP, Access: users.Root(), Link: Link{MTU: on(1400), Up: on(true)},
		AddAddresses: *addresses("10.7.0.1/24", "fd00:7::1/64"),
		AddRoutes:    *routes("10.8.0.0/16 via 10.7.0.2", "fd00:8::/64"),
		Master:       &Master{Name: "red"},
	}
}

// start creates a device and a bridge, and returns a job with its plan.
func start(t *testing.T, c Change) (*Namespace, *job) {
	t.Helper()
	ns := open(t)
	ip(t, "link add red up type bridge")
	if c.Expect != Absent {
		add(t, ns, Spec{Name: "tap7", Mode: link.TAP, Link: Link{Up: on(true)}, Access: new(users.Access),
			Addresses: addresses("10.9.0.1/24"), Routes: routes("10.10.0.0/16")})
	}
	j := &job{Change: c}
	if err := ns.begin([]*job{j}, Options{}); err != nil || j.err != nil {
		t.Fatal(err, j.err)
	}
	return ns, j
}

// wantVanished compares an error with the error of a device that vanished.
func wantVanished(t *testing.T, at string, err error) {
	t.Helper()
	e := new(cause.Error)
	want := cause.Vanished("tap7")
	if !errors.As(err, &e) || e.Cause != want.Cause || e.Device != want.Device || err.Error() != want.Error() {
		t.Errorf("%s: got %v (%+v), want that it no longer exists", at, err, e)
	}
}

// vanishing returns the changes whose steps the tests run.
func vanishing() []Change {
	change := everything("tap7")
	change.RemoveAddresses, change.RemoveRoutes = *addresses("10.9.0.1/24"), *routes("10.10.0.0/16")
	return []Change{
		{Name: "tap7", Want: change, Expect: Present}, {Name: "tap7", Expect: Present},
		{Name: "tap7", Expect: Present, Force: true}, {Name: "tap7", Want: everything("tap7"), Expect: Absent},
	}
}

// TestADeviceThatVanishesBeforeAStep deletes the device before each single step of a plan, and expects the same error
// each time.
func TestADeviceThatVanishesBeforeAStep(t *testing.T) {
	for _, c := range vanishing()[:3] {
		for k, n := 0, 1; k < n; k++ {
			ns, j := start(t, c)
			n = len(j.steps)
			s := &j.steps[k]
			remove7(t)
			err := ns.do(context.Background(), []*task{j.task(*s)}, Options{Log: func(Step) {}})[0]
			if err == nil && (s.Kind == StepRemoveAddress || s.Kind == StepRemoveRoute || s.Kind == StepHold) {
				continue // the step went with the device, or is the master's: the next observation finds that out
			}
			wantVanished(t, string(s.Kind), err)
		}
	}
}

// TestADeviceThatVanishesDuringARun deletes the device before the first step and after each one, and expects the same
// error each time.
func TestADeviceThatVanishesDuringARun(t *testing.T) {
	for _, c := range vanishing() {
		for k, n := 0, 1; k < n; k++ {
			ns, j := start(t, c)
			n = len(j.steps)
			if c.Expect == Absent {
				n++
			} else if k == 0 {
				remove7(t)
			}
			at, done := "at first", 0
			o := Options{Log: func(s Step) {
				if done++; done == k {
					at = "after " + string(s.Kind)
					remove7(t)
				}
			}}
			jobs := []*job{j}
			ns.carryOut(context.Background(), jobs, o)
			if at == "at first" && c.Expect == Absent {
				continue // nothing was deleted
			}
			wantVanished(t, at, j.err)
			ns.undo(jobs, Options{Log: func(Step) {}})
			if err := j.result.UndoErr; err != nil {
				wantVanished(t, at+": undo", err)
			}
		}
	}
}

func remove7(t *testing.T) { ip(t, "link del tap7") }

// TestABridgeOfTheIndexIsNotPlannedFor creates a bridge with the device's name and index between the two looks.
func TestABridgeOfTheIndexIsNotPlannedFor(t *testing.T) {
	for _, how := range []depth{own, deep} {
		for _, want := range []*Spec{{Link: Link{MTU: on(1300)}}, nil} {
			ns, j := start(t, Change{Name: "tap7", Want: want, Expect: Present})
			ip(t, "link del tap7")
			ip(t, fmt.Sprintf("link add dev tap7 index %d type bridge", j.before.Index))
			if err := ns.deepen([]*job{j}, how); err != nil {
				t.Fatal(err)
			}
			wantError(t, Result{Err: j.err}, cause.NoDevice, nil)
		}
	}
}

// TestARenameDuringTheLookIsNoAlternativeName renames a device between the looks by its old and its new name.
func TestARenameDuringTheLookIsNoAlternativeName(t *testing.T) {
	ns := open(t)
	add(t, ns, Spec{Name: "tap7", Mode: link.TAP})
	jobs := []*job{{Change: Change{Name: "tap7"}}, {Change: Change{Name: "tap8"}}}
	for _, j := range jobs {
		if err := ns.look([]*job{j}, shallow); err != nil {
			t.Fatal(err)
		}
		if j.Name == "tap7" {
			ip(t, "link set tap7 name tap8")
		}
	}
	refuseTwins(jobs)
	if cause.Of(jobs[0].err) != cause.NoDevice || jobs[1].err != nil {
		t.Errorf("got %v and %v", jobs[0].err, jobs[1].err)
	}
}
