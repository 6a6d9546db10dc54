package convert

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/standin"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/netcfg"
)

// A profile is a connection of NetworkManager.
type profile struct {
	sections []*section
	main     *section // [connection]
	spec     *netcfg.Spec
	device   *device // nil: a bridge or another link
}

// profiles imports the keyfiles of NetworkManager.
func profiles(h *host, all []*Source) []*Source {
	var found []*profile
	for _, s := range all {
		p := &profile{sections: sections(s, false)}
		if p.main = p.section("connection"); p.main != nil {
			found = append(found, p)
		}
	}
	importProfiles(h, found)
	return nil
}

// importProfiles adds the devices and bridges of profiles, and then configures them.
func importProfiles(h *host, found []*profile) {
	names := map[string]string{} // interfaces by UUID
	for _, p := range found {
		names[p.main.value("uuid")] = p.main.value("interface-name")
		p.create(h)
	}
	for _, p := range found {
		p.join(h, names)
		if p.spec == nil {
			continue
		}
		for _, key := range []string{"id", "uuid", "type", "interface-name", "timestamp"} {
			if e := p.main.entry(key); e != nil {
				e.said()
			}
		}
		p.start()
		p.configure()
		for _, s := range p.sections {
			s.said()
			s.rest()
		}
	}
}

func (p *profile) section(names ...string) *section {
	return (&unit{sections: p.sections}).section(names...)
}

// create adds the device or the bridge of a profile.
func (p *profile) create(h *host) {
	name := p.main.value("interface-name")
	if link.CheckName(name) != nil || h.spec(name) != nil {
		return
	}
	switch p.main.value("type") {
	case "bridge":
		b := h.addBridge(name)
		p.spec = &b.Spec
		p.bridge(b)
	case "tun":
		p.device = &device{Spec: netcfg.Spec{Name: name, Mode: link.TUN}}
		p.spec = &p.device.Spec
		h.devices = append(h.devices, p.device)
		if s := p.section("tun"); s != nil {
			for _, e := range s.entries {
				p.device.networkManager(e)
			}
		}
		p.device.Access.Anyone = p.device.Access == users.Names{}
	}
}

// networkManager applies a setting of [tun].
func (d *device) networkManager(e *setting) {
	switch e.key {
	case "mode":
		if e.value == "2" {
			d.Mode = link.TAP
		}
		if e.value == "1" || e.value == "2" {
			e.said()
		}
	case "owner":
		d.Access.User = &e.value
		e.said()
	case "group":
		d.Access.Group = &e.value
		e.said()
	case "pi":
		e.setsTruth(&d.Spec, func(s *netcfg.Spec, on *bool) { s.PI = *on })
	case "vnet-hdr":
		e.setsTruth(&d.Spec, func(s *netcfg.Spec, on *bool) { s.VnetHdr = *on })
	case "multi-queue":
		e.setsTruth(&d.Spec, func(s *netcfg.Spec, on *bool) { s.MultiQueue = on })
	}
}

// bridge sets the properties of a bridge. NetworkManager turns STP on unless it is told otherwise.
func (p *profile) bridge(b *bridge) {
	b.set("stp", "yes")
	s := p.section("bridge")
	if s == nil {
		return
	}
	for _, e := range s.entries {
		switch e.key {
		case "stp", "forward-delay", "vlan-filtering", "vlan-default-pvid", "multicast-snooping",
			"hello-time", "max-age", "priority":
			b.set(strings.ReplaceAll(e.key, "-", "_"), e.value)
			e.said()
		case "ageing-time":
			b.set("ageing", e.value)
			e.said()
		case "mac-address":
			e.setsMAC(&b.Spec)
		}
	}
}

// join sets the master of a profile, which is the name of an interface or the UUID of a profile.
func (p *profile) join(h *host, names map[string]string) {
	for _, key := range []string{"master", "controller"} {
		e := p.main.entry(key)
		if e == nil {
			continue
		}
		name := e.value
		if known, ok := names[name]; ok {
			name = known
		}
		port := p.main.value("interface-name")
		if port == "" || len(name) > link.NameMax || p.device == nil && h.bridge(name) == nil {
			continue
		}
		err := h.join(name, port)
		if err == nil && p.device != nil && (p.main.value("slave-type")+p.main.value("port-type") == "bridge") {
			err = setPort(&p.device.Spec, "cost", "100") // the default of NetworkManager
		}
		e.result(err)
		for _, kind := range []string{"slave-type", "port-type"} {
			if t := p.main.entry(kind); t != nil {
				t.said()
			}
		}
	}
	if s := p.section("bridge-port"); s != nil && p.device != nil {
		for _, e := range s.entries {
			p.device.bridgePort(e)
		}
	}
}

// bridgePort applies a setting of [bridge-port].
func (d *device) bridgePort(e *setting) {
	name := map[string]string{"path-cost": "cost", "priority": "priority", "hairpin-mode": "hairpin"}[e.key]
	switch {
	case name != "":
		e.sets(&d.Spec, func(s *netcfg.Spec) error { return setPort(s, name, e.value) })
	case e.key == "vlans":
		e.sets(&d.Spec, func(s *netcfg.Spec) error {
			for _, one := range strings.Split(e.value, ",") {
				words := strings.Fields(one)
				var v standin.VLAN
				if len(words) == 0 {
					continue
				} else if err := v.Parse(words[0]); err != nil {
					return err
				}
				pvid, untagged := slices.Contains(words, "pvid"), slices.Contains(words, "untagged")
				if err := filterPort(s, v.First, v.Last, pvid, untagged, false); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// start sets the administrative state.
func (p *profile) start() {
	e := p.main.entry("autoconnect")
	on, err := true, error(nil)
	if e != nil {
		on, err = isYes(e.value)
		e.result(err)
	}
	up := true
	p.spec.Up = &up
	if !on && p.device != nil {
		p.device.note("no autoconnect: NetworkManager does not create it at boot")
	}
}

// configure applies the settings of the link, the addresses and the routes.
func (p *profile) configure() {
	if s := p.section("ethernet", "802-3-ethernet", "wired"); s != nil {
		for _, e := range s.entries {
			switch e.key {
			case "mtu":
				e.setsNumber(p.spec, func(s *netcfg.Spec, n *int) { s.MTU = n })
			case "cloned-mac-address":
				e.setsMAC(p.spec)
			}
		}
	}
	for _, name := range []string{"ipv4", "ipv6"} {
		if s := p.section(name); s != nil {
			p.addresses(s)
			p.routes(s)
		}
	}
}

// numbered reports whether a key is the name with a number, such as address1, or the plural.
func numbered(key, name string) bool {
	rest, ok := strings.CutPrefix(key, name)
	_, err := strconv.Atoi(rest)
	return ok && (err == nil || rest == "es" || rest == "s")
}

// addresses adds the addresses of [ipv4] or [ipv6]. A gateway may follow each.
func (p *profile) addresses(s *section) {
	for _, e := range s.entries {
		switch {
		case e.key == "method":
			if e.value == "manual" || e.value == "disabled" || e.value == "ignore" {
				e.said()
			} else {
				e.without("method="+e.value, "a file declares static addresses only")
			}
		case e.key == "may-fail" || e.key == "never-default":
			e.said()
		case numbered(e.key, "address"):
			for _, one := range strings.FieldsFunc(e.value, func(r rune) bool { return r == ';' }) {
				address, via, _ := strings.Cut(one, ",")
				err := addAddress(p.spec, address, "", "+")
				if err == nil && via != "" && !unspecified(via) {
					err = withRoute(p.spec, "default", via, s.value("route-metric"), "")
				}
				e.result(err)
			}
		}
	}
}

// unspecified reports whether a gateway is none.
func unspecified(via string) bool {
	a, err := netip.ParseAddr(via)
	return via == "" || err == nil && a.IsUnspecified()
}

// routes adds the routes of [ipv4] or [ipv6].
func (p *profile) routes(s *section) {
	bare := false
	for _, e := range s.entries {
		switch {
		case e.key == "gateway":
			e.result(withRoute(p.spec, "default", e.value, s.value("route-metric"), ""))
			bare = bare || s.value("route-metric") == ""
		case e.key == "route-metric":
			e.said()
		case numbered(e.key, "route"):
			for _, one := range strings.FieldsFunc(e.value, func(r rune) bool { return r == ';' }) {
				parts := append(strings.Split(one, ","), "", "")
				if unspecified(parts[1]) {
					parts[1] = ""
				}
				if parts[2] == "" {
					parts[2] = s.value("route-metric")
				}
				bare = bare || parts[2] == ""
				e.result(withRoute(p.spec, parts[0], parts[1], parts[2], s.value("route-table")))
			}
		}
	}
	if e := s.entry("route-table"); e != nil {
		e.said()
	}
	if bare && p.device != nil {
		p.device.note("NetworkManager gives routes a metric by the kind of the link; none is declared")
	}
}
