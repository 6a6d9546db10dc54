package convert

import (
	"errors"
	"strings"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/standin"
	"github.com/tunadm/tunadm/netcfg"
)

// link applies a .link file.
func (u *unit) link(spec *netcfg.Spec) {
	s := u.section("Link")
	if s == nil {
		return
	}
	for _, e := range s.entries {
		switch e.key {
		case "TransmitQueueLength":
			e.setsNumber(spec, func(s *netcfg.Spec, n *int) { s.TxQueueLen = n })
		case "Alias":
			e.sets(spec, func(s *netcfg.Spec) error { s.Alias = &e.value; return link.CheckAlias(e.value) })
		default:
			linkSetting(e, spec)
		}
	}
}

// linkSetting applies a setting that .link and .network files have.
func linkSetting(e *setting, spec *netcfg.Spec) {
	switch e.key {
	case "MTUBytes":
		e.setsNumber(spec, func(s *netcfg.Spec, n *int) { s.MTU = n })
	case "MACAddress":
		e.setsMAC(spec)
	}
}

// network applies a .network file, in the order of the settings of a link: the link, its addresses, its routes.
func (u *unit) network(spec *netcfg.Spec) {
	up := true
	spec.Up = &up
	for _, s := range u.sections {
		if s.name != "Link" {
			continue
		}
		for _, e := range s.entries {
			networkLink(e, spec)
		}
	}
	for _, s := range u.sections {
		switch s.name {
		case "Network":
			for _, e := range s.entries {
				networkSetting(e, spec)
			}
		case "Address":
			s.address(spec)
		}
	}
	for _, s := range u.sections { // after the master, which [Network] names
		s.port(spec)
	}
	for _, s := range u.sections {
		if s.name == "Route" {
			s.route(spec)
		}
		for _, e := range s.entries {
			if s.name == "Network" && e.key == "Gateway" {
				e.result(withRoute(spec, "default", e.value, "", ""))
			}
		}
	}
}

// networkdPort are the settings of [Bridge] in a .network file, with their names in a file of tunadm.
var networkdPort = map[string]string{
	"Isolated": "isolated", "Learning": "learning", "UnicastFlood": "flood", "HairPin": "hairpin", "Cost": "cost",
	"Priority": "priority",
}

// port applies the sections about a port of a bridge.
func (s *section) port(spec *netcfg.Spec) {
	for _, e := range s.entries {
		name := networkdPort[e.key]
		switch {
		case s.name == "Bridge" && name != "":
			e.sets(spec, func(spec *netcfg.Spec) error { return setPort(spec, name, e.value) })
		case s.name == "BridgeVLAN" && (e.key == "VLAN" || e.key == "PVID"):
			e.sets(spec, func(spec *netcfg.Spec) error { return s.vlan(spec, e) })
		case s.name == "BridgeVLAN" && e.key == "EgressUntagged" && e.value == s.value("PVID"):
			e.said()
		}
	}
}

// vlan applies VLAN= or PVID= of [BridgeVLAN]. networkd replaces the VLANs of a new port.
func (s *section) vlan(spec *netcfg.Spec, e *setting) error {
	var v standin.VLAN
	if err := v.Parse(e.value); err != nil {
		return err
	}
	untagged := s.value("EgressUntagged")
	if spec.PVID == nil {
		spec.PVID = new(int)
	}
	switch {
	case e.key == "PVID" && untagged != e.value:
		return errors.New("a PVID with tagged frames cannot be declared")
	case e.key == "VLAN" && e.value == s.value("PVID"):
		return nil
	}
	return filterPort(spec, v.First, v.Last, e.key == "PVID", e.key == "PVID", false)
}

// networkLink applies a setting of [Link] in a .network file.
func networkLink(e *setting, spec *netcfg.Spec) {
	switch e.key {
	case "Multicast":
		e.setsTruth(spec, func(s *netcfg.Spec, on *bool) { s.Multicast = on })
	case "Promiscuous":
		e.setsTruth(spec, func(s *netcfg.Spec, on *bool) { s.Promisc = on })
	case "RequiredForOnline", "RequiredFamilyForOnline":
		e.said()
	case "ActivationPolicy":
		switch e.value {
		case "up", "always-up":
			e.said()
		case "down", "always-down", "manual":
			down := false
			e.sets(spec, func(s *netcfg.Spec) error { s.Up = &down; return nil })
		}
	default:
		linkSetting(e, spec)
	}
}

// networkSetting applies a setting of [Network].
func networkSetting(e *setting, spec *netcfg.Spec) {
	on, err := isYes(e.value)
	switch e.key {
	case "Address":
		e.result(addAddress(spec, e.value, "", "+"))
	case "Bridge", "VRF":
		e.sets(spec, func(s *netcfg.Spec) error {
			s.Master = &netcfg.Master{Name: e.value}
			return link.CheckName(e.value)
		})
	case "ConfigureWithoutCarrier", "IgnoreCarrierLoss":
		e.said()
	case "DHCP", "IPv6AcceptRA":
		if err == nil && !on || e.value == "none" {
			e.said()
		}
	}
}

// address adds the address of an [Address] section.
func (s *section) address(spec *netcfg.Spec) {
	main, peer := s.entry("Address"), s.entry("Peer")
	if main == nil {
		return
	}
	broadcast := s.value("Broadcast")
	switch on, err := isYes(broadcast); {
	case broadcast == "" && peer != nil || err == nil && !on:
		broadcast = ""
	case broadcast == "" || err == nil:
		broadcast = "+"
	}
	err := addAddress(spec, main.value, s.value("Peer"), broadcast)
	main.result(err)
	if peer != nil && err == nil {
		peer.said()
	}
	for _, e := range s.entries {
		if err == nil && e.key == "Broadcast" || e.key == "Scope" && e.value == "global" {
			e.said()
		}
	}
}

// route adds the route of a [Route] section.
func (s *section) route(spec *netcfg.Spec) {
	to := s.value("Destination")
	if to == "" {
		to = "default"
	}
	err := errors.New("a route of type " + s.value("Type") + " cannot be declared")
	if kind := s.value("Type"); kind == "" || kind == "unicast" {
		err = withRoute(spec, to, s.value("Gateway"), s.value("Metric"), s.value("Table"))
	}
	for _, e := range s.entries {
		switch e.key {
		case "Destination", "Gateway", "Metric", "Table", "Type":
			e.result(err)
		case "Protocol", "Scope":
			if e.value == "static" || e.value == "link" && s.value("Gateway") == "" {
				e.said()
			}
		}
	}
}

// withRoute adds a route from its parts.
func withRoute(spec *netcfg.Spec, to, via, metric, table string) error {
	r, err := standin.ParseRoute(to, via, metric, table, strings.Contains(to, ":"))
	if err != nil {
		return err
	}
	return addRoute(spec, r)
}
