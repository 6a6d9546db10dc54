package convert

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/netcfg"
)

// A unit is one .netdev, .network or .link file, or a part of what systemctl cat prints.
type unit struct {
	file     string
	sections []*section
	used     bool
}

// networkdFiles imports the files of systemd-networkd, and the .link files of systemd-udevd.
func networkdFiles(h *host, all []*Source) []*Source {
	var units []*unit
	for _, s := range all {
		for _, one := range sections(s, true) {
			if one.name == "NetDev" || one.name == "Match" || len(units) == 0 || units[len(units)-1].file != s.Path {
				units = append(units, &unit{file: s.Path})
			}
			last := units[len(units)-1]
			last.sections = append(last.sections, one)
		}
	}
	slices.SortStableFunc(units, func(a, b *unit) int { return cmp.Compare(path.Base(a.file), path.Base(b.file)) })
	for _, u := range units {
		u.netdev(h)
	}
	for _, isLink := range []bool{true, false} {
		for _, d := range h.devices {
			match(units, d.Name, isLink, &d.Spec)
		}
		for _, b := range h.bridges {
			match(units, b.Name, isLink, &b.Spec)
		}
	}
	for _, u := range units {
		if u.port(h); !u.used {
			u.unused(h)
			continue
		}
		for _, s := range u.sections {
			s.said()
			s.rest()
		}
	}
	return nil
}

// unused adds remarks to a file that could match a device, but is not imported.
func (u *unit) unused(h *host) {
	m := u.section("Match")
	if m == nil {
		return
	}
	name := cmp.Or(m.entry("Name"), m.entry("OriginalName"))
	if name == nil || !slices.ContainsFunc(h.devices, func(d *device) bool { return matches(name.value, d.Name) }) {
		return
	}
	why := "another file comes first"
	if m.sure() == nil {
		why = "whether it matches is known only on the host"
	}
	for _, s := range u.sections {
		s.said()
		for _, e := range s.entries {
			e.leave(why)
		}
	}
}

// section returns the first section of one of these names, or nil.
func (u *unit) section(names ...string) *section {
	for _, s := range u.sections {
		if slices.Contains(names, s.name) {
			return s
		}
	}
	return nil
}

// netdev adds the device or the bridge of a .netdev file.
func (u *unit) netdev(h *host) {
	main := u.section("NetDev")
	if main == nil {
		return
	}
	name, kind := main.value("Name"), main.value("Kind")
	mode, err := link.ParseMode(kind)
	if link.CheckName(name) != nil || h.spec(name) != nil || err != nil && kind != "bridge" {
		return
	}
	u.used = true
	main.entry("Name").said()
	main.entry("Kind").said()
	if kind == "bridge" {
		u.bridge(h.addBridge(name), main)
		return
	}
	down := false
	d := &device{Spec: netcfg.Spec{Name: name, Mode: mode}}
	d.Up = &down
	h.devices = append(h.devices, d)
	for _, key := range []string{"MTUBytes", "MACAddress"} {
		if e := main.entry(key); e != nil {
			e.leave("systemd-networkd ignores it for a " + kind)
		}
	}
	if s := u.section("Tun", "Tap"); s != nil {
		for _, e := range s.entries {
			d.networkd(e)
		}
	}
	d.Access.Anyone = d.Access == users.Names{}
}

// networkd applies a setting of [Tun] or [Tap].
func (d *device) networkd(e *setting) {
	switch e.key {
	case "User":
		d.Access.User = &e.value
		e.said()
	case "Group":
		d.Access.Group = &e.value
		e.said()
	case "MultiQueue":
		e.setsTruth(&d.Spec, func(s *netcfg.Spec, on *bool) { s.MultiQueue = on })
	case "PacketInfo":
		e.setsTruth(&d.Spec, func(s *netcfg.Spec, on *bool) { s.PI = *on })
	case "VNetHeader":
		e.setsTruth(&d.Spec, func(s *netcfg.Spec, on *bool) { s.VnetHdr = *on })
	case "OneQueue": // it has no effect
		e.said()
	}
}

// networkdBridge are the settings of [Bridge] in a .netdev file, with their names in a file of tunadm.
var networkdBridge = map[string]string{
	"STP": "stp", "ForwardDelaySec": "forward_delay", "AgeingTimeSec": "ageing", "VLANFiltering": "vlan_filtering",
	"MulticastSnooping": "multicast_snooping", "HelloTimeSec": "hello_time", "MaxAgeSec": "max_age",
	"Priority": "priority", "DefaultPVID": "vlan_default_pvid",
}

// bridge sets the properties of a bridge.
func (u *unit) bridge(b *bridge, main *section) {
	if e := main.entry("MTUBytes"); e != nil {
		e.setsNumber(&b.Spec, func(s *netcfg.Spec, n *int) { s.MTU = n })
	}
	if e := main.entry("MACAddress"); e != nil && e.value != "none" {
		e.setsMAC(&b.Spec)
	}
	if s := u.section("Bridge"); s != nil {
		for _, e := range s.entries {
			if name := networkdBridge[e.key]; name != "" {
				value := e.value
				if e.key == "DefaultPVID" && value == "none" {
					value = "0"
				}
				b.set(name, value)
				e.said()
			}
		}
	}
}

// match applies the first .network file, or the first .link file, that matches a link.
func match(units []*unit, name string, isLink bool, spec *netcfg.Spec) {
	for _, u := range units {
		m := u.section("Match")
		if m == nil || m.sure() == nil || (m.sure().key == "OriginalName") != isLink || !matches(m.sure().value, name) {
			continue
		}
		u.used = true
		m.sure().said()
		if isLink {
			u.link(spec)
		} else {
			u.network(spec)
		}
		return
	}
}

// sure returns the setting of [Match] that names the links, or nil if it depends on other settings whether a link
// matches.
func (s *section) sure() *setting {
	for _, e := range s.entries {
		if e.key != "Name" && e.key != "OriginalName" {
			return nil
		}
	}
	return cmp.Or(s.entry("Name"), s.entry("OriginalName"))
}

// matches reports whether one of the patterns matches. An exclamation mark before the first inverts the result.
func matches(patterns, name string) bool {
	rest, inverted := strings.CutPrefix(patterns, "!")
	return inverted != slices.ContainsFunc(strings.Fields(rest), func(pattern string) bool {
		ok, err := path.Match(pattern, name)
		return ok && err == nil
	})
}

// port adds a link that is not a TUN/TAP device to its bridge.
func (u *unit) port(h *host) {
	m, network := u.section("Match"), u.section("Network")
	if u.used || m == nil || network == nil || m.sure() == nil || strings.ContainsAny(m.sure().value, "*?[! ") {
		return
	}
	if b := h.bridge(network.value("Bridge")); b != nil && h.join(b.Name, m.sure().value) == nil {
		u.used = true
		m.sure().said()
		network.entry("Bridge").said()
	}
}
