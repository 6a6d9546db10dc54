package netcfg

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/users"
)

// TestAnIndexThatComesAgainIsAnotherDevice lets another program delete a new device of an atomic run, and create one of
// another kind with the same name and index, right before the new tap is kept. The run fails, and leaves that device
// alone.
func TestAnIndexThatComesAgainIsAnotherDevice(t *testing.T) {
	for name, foreign := range map[string]string{"tap0": "type bridge", "br0": "type veth peer name w0"} {
		t.Run(name, func(t *testing.T) {
			k := open(t)
			index := map[string]int{}
			var theirs string
			options := Options{Atomic: true, Remember: func(made []Step) error {
				for _, s := range made {
					index[s.Device] = s.Index
				}
				if index["tap0"] != 0 && index["br0"] != 0 && theirs == "" {
					ip(t, "link del "+name)
					ip(t, fmt.Sprintf("link add dev %s index %d %s", name, index[name], foreign))
					theirs = ip(t, "-d -o link show "+name)
				}
				return nil
			}}
			results, err := k.Run(context.Background(), bridgeWithTap(), options)
			if err != nil {
				t.Fatal(err)
			}
			failed := 0
			for _, r := range results {
				if cause.Of(r.Err) == cause.NoDevice && r.Name == name {
					failed++
				} else if cause.Of(r.Err) != cause.OtherFailed || r.UndoErr != nil {
					t.Errorf("%s: %v, undo: %v", r.Name, r.Err, r.UndoErr)
				}
			}
			if failed != 1 {
				t.Errorf("%d errors of %s", failed, name)
			}
			links := ip(t, "-br link")
			for device := range index {
				if strings.Contains(links, device) != (device == name) {
					t.Errorf("%s:\n%s", device, links)
				}
			}
			if now := ip(t, "-d -o link show "+name); now != theirs {
				t.Errorf("got:\n%s\nwant:\n%s", now, theirs)
			}
		})
	}
}

// TestABridgeThatVanishesIsPutBack lets another program delete a new bridge, with the addresses of its port, right
// before the new tap is kept. The port has its addresses again.
func TestABridgeThatVanishesIsPutBack(t *testing.T) {
	k := open(t)
	ip(t, "link add v7 up type veth peer name w7")
	ip(t, "addr add 10.7.0.1/24 dev v7")
	state := func() string { return ip(t, "-br addr show v7") + ip(t, "route") }
	before, deleted := state(), false
	options := Options{Remember: func(made []Step) error {
		if made[0].Device == "tap0" && !deleted {
			ip(t, "link del br0")
			deleted = true
		}
		return nil
	}}
	changes := bridgeWithTap()
	changes[0].Want.MoveAddresses = true
	changes = append(changes, Change{Name: "v7", Expect: Present,
		Want: &Spec{Name: "v7", Kind: Port, Master: &Master{Name: "br0"}}})
	results, err := k.Run(context.Background(), changes, options)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []cause.Cause{cause.NoDevice, cause.OtherFailed, cause.OtherFailed} {
		if r := results[i]; cause.Of(r.Err) != want || r.UndoErr != nil {
			t.Errorf("%s: %v, undo: %v", r.Name, r.Err, r.UndoErr)
		}
	}
	if after := state(); !deleted || after != before {
		t.Errorf("deleted: %t\ngot:\n%s\nwant:\n%s", deleted, after, before)
	}
	if links := ip(t, "-br link"); strings.Contains(links, "tap0") {
		t.Error(links)
	}
}

// TestAnHeirIsAPortByIndex renames a bridge between the looks at its link and at its port: the port is its heir under
// each name.
func TestAnHeirIsAPortByIndex(t *testing.T) {
	k := open(t)
	ip(t, "link add br0 type bridge")
	ip(t, "link add v7 master br0 type veth peer name w7")
	ip(t, "addr add 10.7.0.1/24 dev br0")
	found, err := k.observe([]target{{name: "br0", any: true}, {name: "v7", any: true}}, deep, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	for offset, want := range map[int]int{0: 1, 1: 0} {
		port := *found[1]
		port.Master, port.masterIndex = "away0", port.masterIndex+offset
		heir := &job{Change: Change{Heir: true, Want: &Spec{Name: "v7", Kind: Port}}, bridge: &job{}, now: &port}
		heir.inherit(found[0])
		if got := len(heir.Want.AddAddresses); got != want {
			t.Errorf("master index %d, bridge %d: %d addresses, want %d", port.masterIndex, found[0].Index, got, want)
		}
	}
}

// bridgeWithTap returns the changes that create br0, and tap0 as its port.
func bridgeWithTap() []Change {
	return []Change{
		{Name: "br0", Expect: PresentOrNot, Want: &Spec{Name: "br0", Kind: Bridge, Link: Link{Up: on(true)}}},
		{Name: "tap0", Expect: PresentOrNot,
			Want: &Spec{Name: "tap0", Mode: link.TAP, Access: users.Root(), Master: &Master{Name: "br0"}}},
	}
}
