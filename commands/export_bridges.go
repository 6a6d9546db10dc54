package commands

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/state"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// masters prints the bridges that exported devices have joined, if the format is to declare them, and a comment for
// each other master.
func (o *exportOptions) masters(e *exporter, devices []*netcfg.Device) error {
	ns, err := netcfg.Open(o.netns)
	if err != nil {
		return err
	}
	defer ns.Close()
	identity, err := ns.Identity()
	if err != nil {
		return err
	}
	var known []string
	for _, d := range devices {
		if !d.Persist || d.Master == "" || slices.Contains(known, d.Master) {
			continue
		}
		known = append(known, d.Master)
		var spec *netcfg.Spec
		var more []string
		if o.withBridges || o.format == "" || o.format == "toml" {
			if spec, more, err = likeBridge(ns, d.Master); err != nil {
				return err
			}
		}
		if spec == nil {
			why := "is not declared here, and must exist before its devices"
			if d.MasterKind == netcfg.Bridge {
				why += ": --with-bridges declares it"
			}
			e.comment(&netcfg.Device{Name: d.Master}, why)
		} else {
			spec.Sysctls = e.usual.Changed(d.Master)
			was := state.Run.BridgeOf(identity, d.Master, d.MasterIndex())
			spec.MoveAddresses = was != nil && was.Moves
			e.bridge(o.format, spec)
		}
		for _, text := range more {
			fmt.Fprintf(e, "# %s: %s\n", words.Escape(d.Master), words.Escape(text))
		}
		e.WriteByte('\n')
	}
	return nil
}

// likeBridge returns the Spec of a bridge like an existing one, with the ports that are not TUN/TAP devices, and in
// sentences what it cannot express. It returns nil if the device is none.
func likeBridge(ns *netcfg.Namespace, name string) (s *netcfg.Spec, more []string, err error) {
	d, err := ns.AnyLink(0, name)
	if err != nil || d == nil || d.Kind != netcfg.Bridge {
		return nil, nil, err
	}
	if d.Routes, err = ns.RoutesThrough(d.Index); err != nil {
		return nil, nil, err
	}
	s, more = d.Spec()
	links, err := ns.AllLinks()
	for _, l := range links {
		if l.MasterIndex() == d.Index && l.Kind != "tun" {
			s.Ports = append(s.Ports, l.Name)
		}
	}
	return s, more, err
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
	rtnl.VLANFiltering: "VLANFiltering", rtnl.MulticastSnooping: "MulticastSnooping",
}

func (e *exporter) bridgeSettings(spec *netcfg.Spec) {
	fmt.Fprintln(e, "\n[Bridge]")
	for i, value := range spec.Settings {
		s := rtnl.Setting(i)
		switch _, most := s.Bounds(); {
		case value == nil || s.OfPort():
		case most == 1:
			e.setting(networkdBridge[s], *value != 0)
		default:
			e.setting(networkdBridge[s], *value)
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
