package packet

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/tunadm/tunadm/netcfg"
)

// A Loop is two tuns on one host, with the traffic between their addresses led out of one and into the other. What it makes it
// remembers ahead, so that it can be undone also by another run.
type Loop struct {
	Namespace *netcfg.Namespace
	Ends      [2]LoopEnd
	MTU       *int                    // bytes, of both; nil: as they are
	Log       func(fmt.Stringer)      // told of each step as it is done
	Remember  func(*LoopMemory) error // told of all that is to be undone, before it is done

	Detour *netcfg.Detour // from Make on

	memory LoopMemory
}

// A LoopEnd is one of the two devices, with its addresses: IPv4, IPv6 or one of each.
type LoopEnd struct {
	Device    string // one that is there, and stays; "": a new one
	Addresses []netip.Addr
	index     int
}

// A LoopMemory is what a loop made or was about to make in a namespace.
type LoopMemory struct {
	Devices []LoopDevice  `json:"devices"`
	Turns   []netcfg.Turn `json:"turns"`
}

// A LoopDevice is one that is to be deleted, or to be put back as it was.
type LoopDevice struct {
	Name      netcfg.Text  `json:"name"`
	Index     int          `json:"index"`
	Made      bool         `json:"made"` // it is deleted, and the rest means nothing
	Addresses []netip.Addr `json:"addresses"`
	MTU       *int         `json:"mtu"`  // nil: it was not changed
	Down      bool         `json:"down"` // it was

	Before *netcfg.Traces `json:"before"` // what attaching to it changed; nil: nobody has attached
}

// newTun is the name by which the kernel numbers a device.
const newTun = "tun%d"

// Check tells what the addresses themselves show to be impossible.
func (l *Loop) Check() error {
	var seen []netip.Addr
	for _, e := range l.Ends {
		for i, ip := range e.Addresses {
			switch {
			case slices.Contains(seen, ip):
				return bad("%s stands on both ends", ip)
			case i > 0 && slices.ContainsFunc(e.Addresses[:i], func(o netip.Addr) bool { return o.Is4() == ip.Is4() }):
				return bad("%s and %s: an end has one address a family", e.Addresses[0], ip)
			case ip.IsLoopback() || ip.IsLinkLocalUnicast():
				return bad("%s never leaves this host or its link, and can be on neither end", ip)
			}
		}
		seen = append(seen, e.Addresses...)
	}
	for i, e := range l.Ends {
		for _, ip := range e.Addresses {
			if !slices.ContainsFunc(l.Ends[1-i].Addresses, func(o netip.Addr) bool { return o.Is4() == ip.Is4() }) {
				return bad("%s has no address of its family on the other end", ip)
			}
		}
	}
	if a := l.Ends[0].Device; a != "" && a == l.Ends[1].Device {
		return bad("%q is named for both ends", a)
	}
	return nil
}

func bad(format string, args ...any) error {
	return &netcfg.Error{Cause: netcfg.BadRequest, Detail: fmt.Sprintf(format, args...)}
}

// Make makes the devices, or prepares those that are there. What is made when it fails is for Undo.
func (l *Loop) Make(ctx context.Context) error {
	changes, err := l.changes()
	if err == nil { // what cannot be used at all is never touched, not even by Undo
		_, err = l.run(ctx, changes, netcfg.Options{DryRun: true, Atomic: true})
	}
	if err != nil {
		l.memory = LoopMemory{}
		return err
	}
	if err := l.remember(); err != nil {
		return err
	}
	results, err := l.run(ctx, changes, netcfg.Options{Atomic: true, Remember: func(made []*netcfg.Step) error {
		for _, s := range made {
			l.memory.Devices = append(l.memory.Devices, LoopDevice{Name: netcfg.Text(s.Device), Index: s.Index, Made: true})
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

// Attach attaches to both devices. What this changes on a device that was there before is remembered ahead.
func (l *Loop) Attach(asked netcfg.Attachment) ([]*netcfg.Attached, error) {
	a, b := asked, asked
	a.Device, b.Device = l.Ends[0].Device, l.Ends[1].Device
	attached, err := l.Namespace.PrepareAttach(a, b)
	if err != nil {
		return nil, err
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
	if err := l.Namespace.Attach(attached, note); err != nil {
		return nil, err
	}
	return attached, netcfg.Start(attached)
}

// Divert leads the traffic through the devices, to which somebody is attached.
func (l *Loop) Divert(ctx context.Context) (err error) {
	if l.Detour, err = l.plan(); err != nil {
		return err
	}
	l.memory.Turns = l.Detour.Turns
	if err := l.remember(); err != nil {
		return err
	}
	for _, e := range l.Ends {
		if err := l.Namespace.AwaitRunning(ctx, e.index); err != nil {
			return err
		}
	}
	return l.Namespace.Divert(ctx, l.Detour.Turns, l.logTurn)
}

func (l *Loop) plan() (*netcfg.Detour, error) {
	var ends [2]netcfg.DetourEnd
	for i, e := range l.Ends {
		ends[i] = netcfg.DetourEnd{Device: e.Device, Index: e.index, Addresses: e.Addresses}
	}
	return l.Namespace.PlanDetour(ends[0], ends[1])
}

// Plan is what Make and Divert would do.
func (l *Loop) Plan(ctx context.Context) (steps []fmt.Stringer, err error) {
	changes, err := l.changes()
	if err != nil {
		return nil, err
	}
	network, err := l.Namespace.Network(nil)
	if err != nil {
		return nil, err
	}
	number := 0
	for i := range changes {
		if !netcfg.IsTemplate(changes[i].Name) {
			continue
		}
		name := ""
		for ; name == "" || network.Link(name) != nil; number++ { // the kernel takes the first that is free too
			name = fmt.Sprintf("tun%d", number)
		}
		changes[i].Name, changes[i].Want.Name, l.Ends[i].Device = name, name, name
	}
	results, err := l.run(ctx, changes, netcfg.Options{DryRun: true, Atomic: true})
	if err != nil {
		return nil, err
	}
	for _, r := range results {
		for _, s := range r.Steps {
			steps = append(steps, s)
		}
	}
	if l.Detour, err = l.plan(); err != nil {
		return nil, err
	}
	for _, t := range l.Detour.Turns {
		steps = append(steps, t)
	}
	return steps, nil
}

// changes are what is to become of the devices. Those that are there are looked at, and how they were is noted.
func (l *Loop) changes() ([]netcfg.Change, error) {
	var given [2]*netcfg.Device
	for i := range l.Ends {
		e := &l.Ends[i]
		if e.Device == "" {
			continue
		}
		found, err := l.Namespace.Devices(e.Device)
		if err != nil {
			return nil, err
		}
		if given[i] = found[0]; given[i] == nil {
			add := netcfg.Tunadm("add", e.Device, "--mode", "tun")
			fix := netcfg.Fix{Commands: []netcfg.Command{add}, After: "; without a name, loop makes one itself"}
			return nil, &netcfg.Error{Device: e.Device, Cause: netcfg.NoDevice, Fix: fix}
		}
		e.Device = given[i].Name // it may have been an alternative one
	}
	if err := l.Check(); err != nil {
		return nil, err
	}
	network, err := l.Namespace.Network(nil)
	if err != nil {
		return nil, err
	}
	var changes []netcfg.Change
	for i, e := range l.Ends {
		for _, link := range network.Links {
			for _, a := range link.Addresses {
				if slices.Contains(e.Addresses, a.Local) && link.Name != e.Device {
					return nil, &netcfg.Error{Detail: fmt.Sprintf("%s is an address of %s already", a.Local, netcfg.Escape(link.Name))}
				}
			}
		}
		changes = append(changes, l.change(e, given[i]))
	}
	return changes, nil
}

func (l *Loop) change(e LoopEnd, d *netcfg.Device) netcfg.Change {
	up := true
	want := &netcfg.Spec{Name: newTun, Mode: netcfg.TUN, Link: netcfg.Link{Up: &up, MTU: l.MTU}}
	missing := e.Addresses
	c := netcfg.Change{Name: newTun, Want: want, Expect: netcfg.Absent}
	if d == nil {
		want.Access = netcfg.Root()
	} else {
		want.Name, want.Mode = d.Name, 0
		c = netcfg.Change{Name: d.Name, Index: d.Index, Want: want, Expect: netcfg.Present, Unused: true, Like: &netcfg.Spec{Mode: netcfg.TUN}}
		missing = slices.DeleteFunc(slices.Clone(missing), func(ip netip.Addr) bool { return has(d, ip) })
		was := LoopDevice{Name: netcfg.Text(d.Name), Index: d.Index, Addresses: missing, Down: !d.Up}
		if l.MTU != nil {
			was.MTU = &d.MTU
		}
		l.memory.Devices = append(l.memory.Devices, was)
	}
	for _, ip := range missing {
		want.AddAddresses = append(want.AddAddresses, netcfg.Address{Local: ip, Bits: ip.BitLen()})
	}
	return c
}

func has(d *netcfg.Device, ip netip.Addr) bool {
	return slices.ContainsFunc(d.Addresses, func(a netcfg.Address) bool { return a.Local == ip })
}

// run runs the engine, and makes one error of all.
func (l *Loop) run(ctx context.Context, changes []netcfg.Change, o netcfg.Options) ([]netcfg.Result, error) {
	o.Log = func(s netcfg.Step) { l.Log(s) }
	results, err := l.Namespace.Run(ctx, changes, o)
	for _, r := range results {
		if e := new(netcfg.Error); errors.As(r.Err, &e) && e.Cause == netcfg.OtherFailed {
			continue
		}
		err = errors.Join(err, r.Err, r.UndoErr)
	}
	return results, err
}

func (l *Loop) logTurn(t netcfg.Turn) { l.Log(t) }

func (l *Loop) remember() error { return l.Remember(&l.memory) }
