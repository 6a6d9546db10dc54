package loop

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/state"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// newTun is the name by which the kernel numbers a device.
const newTun = "tun%d"

// changes returns the changes of the devices. It looks at existing ones, and notes how they are.
func (l *Loop) changes() ([]netcfg.Change, error) {
	given, err := l.given()
	if err != nil {
		return nil, err
	}
	if err := l.Check(); err != nil {
		return nil, err
	}
	network, err := l.Namespace.Network()
	if err != nil {
		return nil, err
	}
	if err := l.choose(network.Rules); err != nil {
		return nil, err
	}
	var changes []netcfg.Change
	for i, e := range l.Ends {
		for _, link := range network.Links {
			for _, a := range link.Addresses {
				if slices.Contains(e.Addresses, a.Local) && link.Name != e.Device {
					return nil, &cause.Error{
						Detail: fmt.Sprintf("%s is an address of %s already", a.Local, words.Escape(link.Name)),
					}
				}
			}
		}
		changes = append(changes, l.change(i, given[i]))
	}
	return changes, nil
}

// given looks at the existing devices that are to be used.
func (l *Loop) given() (given [2]*netcfg.Device, err error) {
	for i := range l.Ends {
		e := &l.Ends[i]
		if e.Device == "" {
			continue
		}
		found, err := l.Namespace.Devices(e.Device)
		if err != nil {
			return given, err
		}
		if given[i] = found[0]; given[i] == nil {
			return given, &cause.Error{Device: e.Device, Cause: cause.NoDevice, Fix: makeFirst(e.Device)}
		}
		e.Device = given[i].Name // the name may have been an alternative one
	}
	return given, nil
}

// makeFirst returns the fix of a device that does not exist.
func makeFirst(name string) fix.Fix {
	add := fix.Tunadm("add", name, "--mode", "tun")
	return fix.Fix{Commands: []fix.Command{add}, After: "; without a name, loop makes one itself"}
}

// change returns the change of one device: d, or a new one if d is nil.
func (l *Loop) change(end int, d *netcfg.Device) netcfg.Change {
	up := true
	want := &netcfg.Spec{Name: newTun, Mode: link.TUN, Link: netcfg.Link{Up: &up, MTU: l.MTU}}
	e := l.Ends[end]
	missing, routes := e.Addresses, l.routes(end)
	c := netcfg.Change{Name: newTun, Want: want, Expect: netcfg.Absent}
	if d == nil {
		want.Access = users.Root()
	} else {
		want.Name, want.Mode = d.Name, 0
		c = netcfg.Change{
			Name: d.Name, Index: d.Index, Want: want, Expect: netcfg.Present, Unused: true,
			Like: &netcfg.Spec{Mode: link.TUN},
		}
		missing = slices.DeleteFunc(slices.Clone(missing), func(ip netip.Addr) bool { return has(d, ip) })
		was := device{Name: state.Text(d.Name), Index: d.Index, Addresses: missing, Down: !d.Up}
		for _, r := range routes {
			was.Routes = append(was.Routes, route{r.To, r.Table})
		}
		if l.MTU != nil {
			was.MTU = &d.MTU
		}
		l.memory.Devices = append(l.memory.Devices, was)
	}
	for _, ip := range missing {
		alone := link.Address{Local: ip, Bits: ip.BitLen()}
		want.AddAddresses = append(want.AddAddresses, netcfg.Address{Address: alone})
	}
	want.AddRoutes = routes
	return c
}

func has(d *netcfg.Device, ip netip.Addr) bool {
	return slices.ContainsFunc(d.Addresses, func(a netcfg.Address) bool { return a.Local == ip })
}
