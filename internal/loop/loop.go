// Package loop routes the traffic between addresses of one host out of one tun device and into another. The kernel
// delivers such traffic locally, by its first policy rule; a loop removes that rule and adds others.
package loop

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/tunadm/tunadm/internal/attach"
	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/state"
	"github.com/tunadm/tunadm/netcfg"
)

// A Loop is two tun devices on one host, with the traffic between their addresses routed out of one and into the other.
// It writes down everything that it is about to change, so that another run can undo it.
type Loop struct {
	Namespace *netcfg.Namespace
	Ends      [2]End
	MTU       *int               // bytes, of both devices; nil: unchanged
	Log       func(fmt.Stringer) // gets each step as it is done
	Warn      func(device, text string)
	Remember  func(any) error // writes down what End must undo, before it is done

	// The priorities of the rules for packets from the devices, for packets of this host and for its own addresses, and
	// the table of the routes; all from Make on.
	Priorities [3]uint32
	Table      uint32

	rules    []rtnl.Rule // of the namespace, as they were
	memory   Memory
	attached []*attach.Attached
}

// An End is one of the two devices, with its addresses: IPv4, IPv6 or one of each.
type End struct {
	Device    string // an existing device; "": a new one
	Addresses []netip.Addr
	index     int
}

// Check returns an error if the addresses cannot be those of a loop.
func (l *Loop) Check() error {
	var seen []netip.Addr
	for _, e := range l.Ends {
		for i, ip := range e.Addresses {
			switch {
			case slices.Contains(seen, ip):
				return bad("both ends have the address %s", ip)
			case i > 0 && slices.ContainsFunc(e.Addresses[:i], sameFamily(ip)):
				return bad("%s and %s: an end has one address a family", e.Addresses[0], ip)
			case ip.IsLoopback() || ip.IsLinkLocalUnicast():
				return bad("%s never leaves this host or its link, and can be on neither end", ip)
			}
		}
		seen = append(seen, e.Addresses...)
	}
	for i, e := range l.Ends {
		for _, ip := range e.Addresses {
			if !slices.ContainsFunc(l.Ends[1-i].Addresses, sameFamily(ip)) {
				return bad("the other end of %s has no address of this family", ip)
			}
		}
	}
	if a := l.Ends[0].Device; a != "" && a == l.Ends[1].Device {
		return bad("%q is named for both ends", a)
	}
	return nil
}

func sameFamily(ip netip.Addr) func(netip.Addr) bool {
	return func(o netip.Addr) bool { return o.Is4() == ip.Is4() }
}

func bad(format string, args ...any) error {
	return &cause.Error{Cause: cause.BadRequest, Detail: fmt.Sprintf(format, args...)}
}

// Make creates the devices, or prepares existing ones. If it fails, End removes what it made.
func (l *Loop) Make(ctx context.Context) error {
	changes, err := l.changes()
	if err == nil { // a device that cannot be used is never touched, not even by End
		_, err = l.run(ctx, changes, netcfg.Options{DryRun: true, Atomic: true})
	}
	if err != nil {
		l.memory = Memory{}
		return err
	}
	if err := l.remember(); err != nil {
		return err
	}
	results, err := l.run(ctx, changes, netcfg.Options{Atomic: true, Remember: func(made []netcfg.Step) error {
		for _, s := range made {
			l.memory.Devices = append(l.memory.Devices, device{Name: state.Text(s.Device), Index: s.Index, Made: true})
		}
		return l.remember()
	}})
	if err != nil {
		return err
	}
	for i, r := range results {
		l.Ends[i].Device, l.Ends[i].index = r.Name, r.Index
	}
	return nil
}

// Attach attaches to both devices. It writes down first what this changes on an existing device.
func (l *Loop) Attach(asked attach.Request) ([]*attach.Attached, error) {
	a, b := asked, asked
	a.Device, b.Device = l.Ends[0].Device, l.Ends[1].Device
	attached, err := attach.Prepare(l.Namespace, a, b)
	if err != nil {
		return nil, err
	}
	for i, a := range attached { // another program may have taken the name
		if a.Index != l.Ends[i].index {
			return nil, cause.Vanished(l.Ends[i].Device)
		}
	}
	note := func() error {
		given := false
		for _, a := range attached {
			for i := range l.memory.Devices {
				if d := &l.memory.Devices[i]; !d.Made && d.Index == a.Index {
					d.Before, given = &a.Before, true
				}
			}
		}
		if !given {
			return nil
		}
		return l.remember()
	}
	if err := note(); err != nil {
		return nil, err
	}
	if err := attach.Attach(l.Namespace, attached, note); err != nil {
		return nil, err
	}
	if err := attach.Start(attached); err != nil { // End does not restore a device with an open queue
		return nil, errors.Join(err, attach.Detach(l.Namespace, attached))
	}
	l.attached = attached
	return attached, nil
}

// Divert routes the traffic through the devices, to which a program is attached.
func (l *Loop) Divert(ctx context.Context) error {
	changes := l.diversion()
	for _, c := range changes {
		l.memory.Rules = append(l.memory.Rules, recordOf(*c.Rules))
	}
	if err := l.remember(); err != nil {
		return err
	}
	for _, e := range l.Ends {
		if err := attach.AwaitRunning(ctx, l.Namespace, e.index); err != nil {
			return err
		}
	}
	_, err := l.run(ctx, changes, netcfg.Options{Atomic: true})
	return err
}

// run runs the engine, and joins the errors of the changes.
func (l *Loop) run(ctx context.Context, changes []netcfg.Change, o netcfg.Options) ([]netcfg.Result, error) {
	o.Log = func(s netcfg.Step) { l.Log(s) }
	results, err := l.Namespace.Run(ctx, changes, o)
	for i, r := range results {
		if cause.Of(r.Err) == cause.OtherFailed || i > 0 && alike(r, results[i-1]) {
			continue
		}
		for _, text := range r.Warnings {
			l.Warn(r.Name, text)
		}
		err = errors.Join(err, r.Err, r.UndoErr)
	}
	return results, err
}

// alike reports whether two changes failed alike, as those of two devices that have no names yet do.
func alike(a, b netcfg.Result) bool {
	return a.Err != nil && b.Err != nil && a.Name == b.Name && a.Err.Error() == b.Err.Error()
}

func (l *Loop) remember() error { return l.Remember(&l.memory) }
