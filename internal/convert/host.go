package convert

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/standin"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/netcfg"
)

// A host is the TUN/TAP devices that the files of another tool create, and the bridges of these devices.
type host struct {
	devices []*device
	bridges []*bridge
}

// A device is a TUN/TAP device.
type device struct {
	netcfg.Spec // without Access
	Access      users.Names
	Notes       []string
}

// A bridge is a bridge that the files create.
type bridge struct {
	netcfg.Spec // the name, the properties of any link, the addresses and the routes
	Options     []standin.BridgeOption
	Ports       []string // the links that are not TUN/TAP devices
}

// note adds a comment about the device, once.
func (d *device) note(text string) {
	if !slices.Contains(d.Notes, text) {
		d.Notes = append(d.Notes, text)
	}
}

// errOther is the error of a line about other things than TUN/TAP devices and their bridges.
var errOther = errors.New("not about a TUN/TAP device")

// device returns the device of that name, or nil.
func (h *host) device(name string) *device {
	for _, d := range h.devices {
		if d.Name == name {
			return d
		}
	}
	return nil
}

// bridge returns the bridge of that name, or nil.
func (h *host) bridge(name string) *bridge {
	for _, b := range h.bridges {
		if b.Name == name {
			return b
		}
	}
	return nil
}

// spec returns the properties of the device or the bridge of that name, or nil.
func (h *host) spec(name string) *netcfg.Spec {
	if d := h.device(name); d != nil {
		return &d.Spec
	}
	if b := h.bridge(name); b != nil {
		return &b.Spec
	}
	return nil
}

// addBridge adds a bridge, or returns the existing one.
func (h *host) addBridge(name string) *bridge {
	if b := h.bridge(name); b != nil {
		return b
	}
	b := &bridge{Spec: netcfg.Spec{Name: name}}
	h.bridges = append(h.bridges, b)
	return b
}

// set gives a bridge a property. The last value counts.
func (b *bridge) set(name, value string) {
	b.Options = slices.DeleteFunc(b.Options, func(o standin.BridgeOption) bool { return o.Name == name })
	b.Options = append(b.Options, standin.BridgeOption{Name: name, Value: value})
}

// join adds a port to a bridge.
func (h *host) join(bridge, port string) error {
	if d := h.device(port); d != nil {
		return change(&d.Spec, func(s *netcfg.Spec) error { s.Master = &netcfg.Master{Name: bridge}; return nil })
	}
	b := h.bridge(bridge)
	if b == nil {
		return errOther
	}
	for _, other := range h.bridges {
		h.leave(other.Name, port)
	}
	b.Ports = append(b.Ports, port)
	return nil
}

// leave removes a port from a bridge.
func (h *host) leave(bridge, port string) {
	if d := h.device(port); d != nil {
		d.Master = nil
		d.alone()
	} else if b := h.bridge(bridge); b != nil {
		b.Ports = slices.DeleteFunc(b.Ports, func(p string) bool { return p == port })
	}
}

// change changes a link, unless the result is impossible.
func change(s *netcfg.Spec, set func(*netcfg.Spec) error) error {
	changed := *s
	if err := set(&changed); err != nil {
		return err
	}
	if s.Mode != 0 {
		if wrong := changed.Impossible(); len(wrong) > 0 {
			return wrong[0]
		}
	}
	if err := changed.Check(); err != nil {
		return err
	}
	*s = changed
	return nil
}

// run runs a line. The error is errOther for a line about other things.
func (h *host) run(l *standin.Line) error {
	switch l.Act {
	case standin.Reads:
		return nil
	case standin.Creates:
		return h.request(l.Request)
	case standin.Bridges:
		if h.spec(l.Name) != nil {
			return fmt.Errorf("%s exists already", l.Name)
		} else if err := link.CheckName(l.Name); err != nil {
			return err
		}
		b := h.addBridge(l.Name)
		down := false
		b.Up = &down
		return h.tune(b, l)
	case standin.Removes:
		return h.remove(l.Name)
	case standin.Joins:
		return h.each(l.Ports, func(port string) error { return h.join(l.Name, port) })
	case standin.Leaves:
		return h.each(l.Ports, func(port string) error {
			if h.spec(port) == nil && h.bridge(l.Name) == nil {
				return errOther
			}
			h.leave(l.Name, port)
			return nil
		})
	case standin.Tunes:
		if b := h.bridge(l.Name); b != nil {
			return h.tune(b, l)
		}
	case standin.Filters:
		if d := h.device(l.Name); d != nil {
			return d.filter(l, h)
		}
	case standin.Changes:
		return h.changes(l)
	}
	return errOther
}

func (h *host) each(names []string, do func(string) error) error {
	var errs []error
	for _, name := range names {
		errs = append(errs, do(name))
	}
	return errors.Join(errs...)
}

// tune sets the properties of a bridge.
func (h *host) tune(b *bridge, l *standin.Line) error {
	for _, o := range l.Options {
		b.set(o.Name, o.Value)
	}
	if l.Set == nil {
		return nil
	}
	return change(&b.Spec, l.Set)
}

// remove deletes a link.
func (h *host) remove(name string) error {
	if h.spec(name) == nil {
		return errOther
	}
	h.devices = slices.DeleteFunc(h.devices, func(d *device) bool { return d.Name == name })
	h.bridges = slices.DeleteFunc(h.bridges, func(b *bridge) bool { return b.Name == name })
	return nil
}

// changes changes the link of a line. A route without one belongs to the link whose network has the gateway.
func (h *host) changes(l *standin.Line) error {
	if l.Name == "" {
		l.Name = h.towards(l.Via)
	}
	if s := h.spec(l.Name); s != nil {
		return change(s, func(s *netcfg.Spec) error {
			if l.Set != nil {
				if err := l.Set(s); err != nil {
					return err
				}
			}
			for _, o := range l.Options {
				if err := setPort(s, o.Name, o.Value); err != nil {
					return err
				}
			}
			return nil
		})
	}
	var foreign netcfg.Spec
	if l.Set == nil {
		return errOther
	}
	if err := l.Set(&foreign); err != nil || foreign.Master == nil || h.bridge(foreign.Master.Name) == nil {
		return errOther
	}
	return h.join(foreign.Master.Name, l.Name)
}

// towards returns the link whose network has the address, or "".
func (h *host) towards(via netip.Addr) string {
	has := func(s *netcfg.Spec) bool {
		return s.Addresses != nil && slices.ContainsFunc(*s.Addresses, func(a netcfg.Address) bool {
			return via.IsValid() && a.Subnet().Contains(via)
		})
	}
	for _, d := range h.devices {
		if has(&d.Spec) {
			return d.Name
		}
	}
	for _, b := range h.bridges {
		if has(&b.Spec) {
			return b.Name
		}
	}
	return ""
}
