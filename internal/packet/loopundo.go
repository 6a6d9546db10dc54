package packet

import (
	"context"
	"errors"
	"slices"

	"github.com/tunadm/tunadm/netcfg"
)

// undoRounds is how often an undo is tried: what it leaves is in the way of the host's own packets.
const undoRounds = 3

// Undo undoes what the loop made, and tries again where that fails.
func (l *Loop) Undo() (err error) {
	for range undoRounds {
		if err = l.UndoOf(&l.memory); err == nil {
			return nil
		}
	}
	return err
}

// UndoOf undoes what is remembered of a loop: first the rules and the routes, then the devices. What is not there any more is no error.
func (l *Loop) UndoOf(m *LoopMemory) error {
	err := l.Namespace.Restore(m.Turns, l.logTurn)
	var changes []netcfg.Change
	for _, d := range m.Devices {
		if d.Index < 1 {
			continue // there is no such device
		}
		if d.Made {
			changes = append(changes, netcfg.Change{Name: string(d.Name), Index: d.Index, Expect: netcfg.PresentOrNot, Force: true})
			continue
		}
		c, lookErr := l.putBack(d)
		if err = errors.Join(err, lookErr); c != nil {
			changes = append(changes, *c)
		}
	}
	if len(changes) == 0 {
		return err
	}
	_, failed := l.run(context.Background(), changes, netcfg.Options{})
	return errors.Join(err, failed)
}

// putBack is the change by which a device that was there before gets back what it had, also under another name, or nil if it is gone.
func (l *Loop) putBack(was LoopDevice) (*netcfg.Change, error) {
	var failed error
	if was.Before != nil {
		failed = l.Namespace.PutBack(*was.Before)
	}
	d, err := l.Namespace.Device(was.Index)
	if d == nil {
		return nil, errors.Join(failed, err)
	}
	want := &netcfg.Spec{Name: d.Name, Link: netcfg.Link{MTU: was.MTU}}
	if was.Down {
		up := false
		want.Up = &up
	}
	for _, a := range d.Addresses {
		if slices.Contains(was.Addresses, a.Local) && a.Bits == a.Local.BitLen() && !a.Peer.IsValid() {
			want.RemoveAddresses = append(want.RemoveAddresses, a)
		}
	}
	return &netcfg.Change{Name: d.Name, Index: d.Index, Want: want, Expect: netcfg.Present}, failed
}
