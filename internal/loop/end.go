package loop

import (
	"context"
	"errors"
	"slices"

	"github.com/tunadm/tunadm/internal/attach"
	"github.com/tunadm/tunadm/netcfg"
)

// endRounds is how often End tries: what it leaves is in the way of the host's own packets.
const endRounds = 3

// End closes the queues and undoes what the loop changed, and tries again if that fails.
func (l *Loop) End() error {
	closed := attach.Close(l.attached)
	for try := 1; ; try++ {
		err := l.EndOf(&l.memory)
		if err == nil || try == endRounds {
			return errors.Join(closed, err)
		}
	}
}

// EndOf undoes what a loop wrote down: the rules first, then the devices with their routes. Changes that are undone
// already are not errors.
func (l *Loop) EndOf(m *Memory) error {
	var changes []netcfg.Change
	for _, r := range m.Rules {
		back := r.rules().Reverse()
		changes = append(changes, netcfg.Change{Rules: &back, Final: true})
	}
	_, err := l.run(context.Background(), changes, netcfg.Options{})
	changes = nil
	for _, d := range m.Devices {
		switch {
		case d.Index < 1: // no device has such an index
		case d.Made:
			changes = append(changes, netcfg.Change{
				Name: string(d.Name), Index: d.Index, Expect: netcfg.PresentOrNot, Force: true,
			})
		default:
			c, failed := l.before(d)
			if err = errors.Join(err, failed); c != nil {
				changes = append(changes, *c)
			}
		}
	}
	_, failed := l.run(context.Background(), changes, netcfg.Options{})
	return errors.Join(err, failed)
}

// before returns the change that returns an existing device to its earlier state, also if it was renamed, or nil if it
// is gone. Properties that others have removed meanwhile are not errors.
func (l *Loop) before(was device) (*netcfg.Change, error) {
	var failed error
	if was.Before != nil {
		was.Before.Name = string(was.Name)
		failed = attach.PutBack(l.Namespace, *was.Before)
	}
	d, err := l.Namespace.Device(was.Index)
	if d == nil {
		return nil, errors.Join(failed, err)
	}
	if d.Routes, err = l.Namespace.RoutesThrough(d.Index); err != nil {
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
	for _, r := range d.Routes {
		if slices.Contains(was.Routes, route{r.To, r.Table}) && !r.Foreign() { // IPv6 routes may have lost their source
			want.RemoveRoutes = append(want.RemoveRoutes, netcfg.Route{To: r.To, Table: r.Table, Metric: r.Metric})
		}
	}
	return &netcfg.Change{Name: d.Name, Index: d.Index, Want: want, Expect: netcfg.Present}, failed
}
