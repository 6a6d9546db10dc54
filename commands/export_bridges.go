package commands

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/state"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// bridges prints the bridges that exported devices have joined, if the format is to declare them, and a comment for
// each other master. It prints the bridges that the operands name, and without operands those that apply created. It
// returns the errors of the other names.
func (o *exportOptions) bridges(
	e *exporter, names []string, devices []*netcfg.Device, missing []error,
) (others []error, err error) {
	ns, err := netcfg.Open(o.netns)
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	identity, err := ns.Identity()
	if err != nil {
		return nil, err
	}
	links, err := ns.AllLinks()
	if err != nil {
		return nil, err
	}
	if e.left, err = leftOfBridges(links); err != nil {
		return nil, err
	}
	e.made = state.Run.Creations(identity)
	known := map[string]bool{}
	made := func(l *netcfg.Device) bool { // also without a port that is exported
		return len(names) == 0 && l.Kind == netcfg.Bridge && e.creation(l).Bridge != nil
	}
	for _, d := range devices {
		if !d.Persist || d.Master == "" || known[d.Master] {
			continue
		}
		known[d.Master] = true
		asked := o.withBridges || o.format == "" || o.format == "toml"
		at := slices.IndexFunc(links, func(l *netcfg.Device) bool { return l.Index == d.MasterIndex() })
		if d.MasterKind == netcfg.Bridge && at >= 0 && (asked || made(links[at])) {
			if err := o.bridge(e, ns, links[at], links); err != nil {
				return nil, err
			}
			continue
		}
		why := "is not declared here, and must exist before its devices"
		if d.MasterKind == netcfg.Bridge {
			why += ": --with-bridges declares it"
		}
		e.separate()
		e.comment(&netcfg.Device{Name: d.Master}, why)
	}
	for _, l := range links {
		named := slices.ContainsFunc(missing, func(err error) bool { return isAbout(err, l) })
		if !known[l.Name] && (named || made(l)) {
			if err := o.bridge(e, ns, l, links); err != nil {
				return nil, err
			}
		}
		missing = slices.DeleteFunc(missing, func(err error) bool { return isAbout(err, l) })
	}
	return missing, nil
}

// isAbout reports whether the error of a device is that it is this bridge, and no TUN/TAP device.
func isAbout(err error, l *netcfg.Device) bool {
	e := new(cause.Error)
	return l.Kind == netcfg.Bridge && errors.As(err, &e) && e.Cause == cause.OtherKind &&
		(e.Device == l.Name || slices.Contains(l.AltNames, e.Device))
}

// creation returns what is recorded of a device.
func (e *exporter) creation(l *netcfg.Device) state.Creation {
	return e.made[state.Created{Name: l.Name, Index: l.Index}]
}

// bridge prints a bridge.
func (o *exportOptions) bridge(
	e *exporter, ns *netcfg.Namespace, l *netcfg.Device, links []*netcfg.Device,
) error {
	spec, more, err := likeBridge(ns, l, links)
	if err != nil || spec == nil {
		return err
	}
	spec.Sysctls = e.usual.Changed(l.Name)
	was := e.creation(l).Bridge
	spec.MoveAddresses = was != nil && was.Moves
	e.separate()
	e.bridge(o.format, spec)
	for _, port := range links { // TUN/TAP devices are exported themselves
		if port == l || port.MasterIndex() == l.Index && port.Kind != "tun" {
			more = append(more, e.left[port.Index]...)
		}
	}
	for _, text := range more {
		e.comment(l, text)
	}
	return nil
}

// likeBridge returns the Spec of a bridge like an existing one, with those of the links that are its ports and no
// TUN/TAP devices, and in sentences what it cannot express. It returns nil if the bridge is gone.
func likeBridge(
	ns *netcfg.Namespace, l *netcfg.Device, links []*netcfg.Device,
) (s *netcfg.Spec, more []string, err error) {
	d, err := ns.AnyLink(l.Index, "")
	if err != nil || d == nil || d.Kind != netcfg.Bridge {
		return nil, nil, err
	}
	if d.Routes, err = ns.RoutesThrough(d.Index); err != nil {
		return nil, nil, err
	}
	s, more = d.Spec()
	for _, port := range links {
		if port.MasterIndex() == d.Index && port.Kind != "tun" {
			s.Ports = append(s.Ports, port.Name)
		}
	}
	return s, more, nil
}

// bridge prints a bridge and its ports that are not exported themselves.
func (e *exporter) bridge(format string, spec *netcfg.Spec) {
	d := &netcfg.Device{Name: spec.Name, Up: *spec.Up, MAC: spec.MAC}
	switch format {
	case "ip":
		e.ip(d, spec)
		for _, port := range spec.Ports {
			fmt.Fprintf(e, "ip link set dev %s master %s\n", words.Quote(port), words.Quote(spec.Name))
		}
	case "networkd":
		if !isPlain(spec.Name + strings.Join(spec.Ports, "")) {
			e.comment(d, "left out: its name or that of a port contains characters that systemd-networkd interprets")
			return
		}
		e.file(d, "netdev")
		fmt.Fprintln(e, "[NetDev]")
		e.setting("Name", d.Name)
		e.setting("Kind", "bridge")
		e.bridgeSettings(spec)
		fmt.Fprintln(e)
		e.file(d, "network")
		e.network(d, spec)
		e.sysctls(d, spec)
		for _, port := range spec.Ports {
			fmt.Fprintln(e)
			e.file(&netcfg.Device{Name: port}, "network")
			fmt.Fprintln(e, "[Match]")
			e.setting("Name", port)
			fmt.Fprintln(e, "\n[Network]")
			e.setting("Bridge", d.Name)
		}
	default:
		e.toml(d, spec)
	}
}

// networkdBridge has the key of networkd for each setting of a bridge.
var networkdBridge = map[rtnl.Setting]string{
	rtnl.STP: "STP", rtnl.ForwardDelay: "ForwardDelaySec", rtnl.Ageing: "AgeingTimeSec",
	rtnl.VLANFiltering: "VLANFiltering", rtnl.VLANDefaultPVID: "DefaultPVID",
	rtnl.MulticastSnooping: "MulticastSnooping",
}

func (e *exporter) bridgeSettings(spec *netcfg.Spec) {
	fmt.Fprintln(e, "\n[Bridge]")
	for i, value := range spec.Settings {
		s := rtnl.Setting(i)
		switch _, most := s.Bounds(); {
		case value == nil || s.OfPort():
		case most == 1:
			e.setting(networkdBridge[s], *value != 0)
		case s == rtnl.VLANDefaultPVID && *value == 0:
			e.setting(networkdBridge[s], "none")
		default:
			e.setting(networkdBridge[s], s.Decimal(*value))
		}
	}
}

// networkdPort has the key of networkd for each setting of a port.
var networkdPort = map[rtnl.Setting]string{
	rtnl.Isolated: "Isolated", rtnl.Learning: "Learning", rtnl.Flood: "UnicastFlood", rtnl.Cost: "Cost",
	rtnl.Priority: "Priority", rtnl.Hairpin: "HairPin",
}

// port prints the settings and VLANs of a device as a port of its bridge.
func (e *exporter) port(spec *netcfg.Spec) {
	headed := false
	for i, value := range spec.Settings {
		s := rtnl.Setting(i)
		if value == nil || !s.OfPort() {
			continue
		}
		if !headed {
			fmt.Fprintln(e, "\n[Bridge]")
		}
		headed = true
		if _, most := s.Bounds(); most == 1 {
			e.setting(networkdPort[s], *value != 0)
		} else {
			e.setting(networkdPort[s], *value)
		}
	}
	if spec.PVID != nil || spec.VLANs != nil {
		fmt.Fprintln(e, "\n[BridgeVLAN]")
	}
	if spec.PVID != nil {
		e.setting("PVID", *spec.PVID)
		e.setting("EgressUntagged", *spec.PVID)
	}
	if spec.VLANs != nil {
		for _, id := range *spec.VLANs {
			e.setting("VLAN", id)
		}
	}
}
