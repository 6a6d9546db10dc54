package convert

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/tunadm/tunadm/internal/declare"
	"github.com/tunadm/tunadm/internal/standin"
	"github.com/tunadm/tunadm/netcfg"
)

// setPort sets a property of a port of a bridge, by its name in a file.
func setPort(s *netcfg.Spec, name, value string) error {
	if s.Master == nil || s.Master.Name == "" {
		return errors.New("the device has no master")
	}
	if on, err := isYes(value); err == nil && name != "cost" && name != "priority" {
		value = strconv.FormatBool(on)
	}
	return declare.SetPort(s, name, value)
}

// alone removes the properties that only the port of a bridge has.
func (d *device) alone() {
	declare.ForgetPort(&d.Spec)
}

// A flush is a command that removes the addresses of a link that is not a TUN/TAP device.
type flush struct {
	token *token
	port  string
}

// flushes reports whether a line only removes the IPv4 addresses of a link.
func flushes(l *standin.Line) bool {
	one, err := netcfg.ParseAddress("192.0.2.1/24")
	if err != nil || l.Act != standin.Changes || l.Set == nil {
		return false
	}
	var link netcfg.Spec
	link.Addresses = &[]netcfg.Address{one}
	return l.Set(&link) == nil && len(*link.Addresses) == 0 && link.MTU == nil && link.Promisc == nil &&
		link.MAC == nil && (link.Up == nil || *link.Up)
}

// moves makes the bridge of a port take over its addresses, and reports whether there is one.
func (h *host) moves(port string) bool {
	for _, b := range h.bridges {
		if slices.Contains(b.Ports, port) {
			b.MoveAddresses = true
			return true
		}
	}
	return false
}

// filter adds or removes VLANs of a port.
func (d *device) filter(l *standin.Line, h *host) error {
	v := l.VLAN
	return change(&d.Spec, func(s *netcfg.Spec) error {
		if s.PVID == nil && s.Master != nil {
			s.PVID = h.bridge(s.Master.Name).defaultPVID()
		}
		return filterPort(s, v.First, v.Last, v.PVID, v.Untagged, v.Remove)
	})
}

// defaultPVID returns the VLAN of a new port of the bridge, or nil if the bridge has no setting for it.
func (b *bridge) defaultPVID() *int {
	if b == nil {
		return nil
	}
	for _, o := range b.Options {
		if n, err := strconv.Atoi(o.Value); o.Name == "vlan_default_pvid" && err == nil {
			return &n
		}
	}
	return nil
}

// filterPort adds a range of VLANs to a port, or removes it. A new port is in VLAN 1, untagged.
func filterPort(s *netcfg.Spec, first, last int, pvid, untagged, remove bool) error {
	if s.Master == nil {
		return errors.New("the device has no master")
	}
	var list []int
	if s.VLANs != nil {
		list = slices.Clone(*s.VLANs)
	}
	for n := first; n <= last; n++ {
		list = slices.DeleteFunc(list, func(m int) bool { return m == n })
		isPVID := s.PVID != nil && *s.PVID == n || s.PVID == nil && n == 1
		switch {
		case remove && isPVID:
			s.PVID = new(int)
		case remove:
		case pvid && untagged:
			s.PVID = &n
		case pvid || untagged:
			return fmt.Errorf("VLAN %d: only one VLAN can be declared as untagged, that of pvid", n)
		default:
			list = append(list, n)
		}
	}
	if s.VLANs != nil || len(list) > 0 {
		slices.Sort(list)
		s.VLANs = &list
	}
	return nil
}

// setSysctl sets a sysctl of a device or a bridge, by its name without the device.
func setSysctl(spec *netcfg.Spec, name, value string) error {
	return change(spec, func(s *netcfg.Spec) error { return declare.SetSysctl(s, name, value) })
}
