package packet

import (
	"context"
	"errors"
	"slices"

	"github.com/tunadm/tunadm/netcfg"
)

// UndoOf undoes what is remembered of a loop: first the rules and the routes, then the devices. What is not there any more is no error.
func (l *Loop) UndoOf(m *LoopMemory) error {
	err := l.Kernel.Restore(m.Turns, l.logTurn)
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

// putBack is the change by which a device that was there before gets back what it had, or nil if it is gone.
func (l *Loop) putBack(was LoopDevice) (*netcfg.Change, error) {
	found, err := l.Kernel.Devices(string(was.Name))
	if err != nil || found[0] == nil || found[0].Index != was.Index {
		return nil, err
	}
	d := found[0]
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
	// A device keeps the flags and the offload of the last program. A program to come may not know of them.
	_, files, err := l.Kernel.Attach(d.Name, netcfg.Attachment{VnetHdr: was.VnetHdr, PI: was.PI})
	if e := new(netcfg.Error); errors.As(err, &e) && e.Cause == netcfg.InUse {
		err = nil // somebody has it already, with flags of his own
	}
	for _, f := range files {
		err = errors.Join(err, f.Close())
	}
	return &netcfg.Change{Name: d.Name, Index: d.Index, Want: want, Expect: netcfg.Present}, err
}
