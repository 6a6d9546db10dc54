package convert

import (
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/netcfg"
)

// netplan imports files of netplan. netplan has no TUN/TAP devices: it can give addresses and a bridge to those that
// another program creates, and pass profiles of NetworkManager on.
func netplan(h *host, all []*Source) []*Source {
	var links, bridges []*node
	for _, s := range all {
		for _, top := range yaml(s) {
			if top.key != "network" {
				continue
			}
			for _, kind := range top.items {
				switch kind.key {
				case "bridges", "vrfs":
					bridges = append(bridges, kind)
				case "ethernets", "dummy-devices":
					links = append(links, kind)
				case "nm-devices":
					passthrough(h, kind)
				}
			}
		}
	}
	for _, kind := range bridges {
		for _, b := range kind.items {
			ports(h, kind, b)
		}
	}
	for _, kind := range links {
		for _, n := range kind.items {
			if link.ModeOf(n.key) != 0 && n.item("match") == nil && link.CheckName(n.key) == nil {
				kind.said()
				h.assume(n.key, "netplan")
			}
		}
	}
	for _, kind := range slices.Concat(bridges, links) {
		for _, n := range kind.items {
			if s := h.spec(n.key); s != nil {
				n.said()
				n.configure(s)
				n.rest()
			}
		}
	}
	return nil
}

// assume returns the device of that name. It adds a new one if another program creates it.
func (h *host) assume(name, tool string) *device {
	if d := h.device(name); d != nil {
		return d
	}
	root := "root"
	d := &device{Spec: netcfg.Spec{Name: name, Mode: link.ModeOf(name)}}
	d.Access.User = &root
	h.devices = append(h.devices, d)
	d.note(tool + " does not create it: the mode follows from the name, and the owner is not known")
	return d
}

// ports adds a bridge that has a TUN/TAP device as its port, and its ports.
func ports(h *host, kind, b *node) {
	list := b.item("interfaces")
	if list == nil || link.CheckName(b.key) != nil ||
		!slices.ContainsFunc(list.items, func(p *node) bool { return link.ModeOf(p.value) != 0 }) {
		return
	}
	kind.said()
	list.mark()
	if kind.key == "bridges" {
		h.addBridge(b.key)
	}
	for _, p := range list.items {
		if link.ModeOf(p.value) != 0 && link.CheckName(p.value) == nil {
			h.assume(p.value, "netplan")
		}
		if err := h.join(b.key, p.value); err != nil {
			p.result(err)
		}
	}
	parameters := b.item("parameters")
	bridge := h.bridge(b.key)
	if parameters == nil || bridge == nil {
		return
	}
	parameters.taken = true
	for _, p := range parameters.items {
		switch p.key {
		case "stp", "forward-delay", "hello-time", "max-age", "priority":
			bridge.set(strings.ReplaceAll(p.key, "-", "_"), p.value)
			p.said()
		case "ageing-time":
			bridge.set("ageing", p.value)
			p.said()
		}
	}
}

// configure applies the settings of a link.
func (n *node) configure(spec *netcfg.Spec) {
	up := true
	spec.Up = &up
	for _, i := range n.items {
		on, err := isYes(i.value)
		switch i.key {
		case "mtu":
			i.setsNumber(spec, func(s *netcfg.Spec, v *int) { s.MTU = v })
		case "macaddress":
			i.setsMAC(spec)
		case "optional", "ignore-carrier":
			i.said()
		case "dhcp4", "dhcp6", "accept-ra":
			if err == nil && !on {
				i.said()
			}
		case "activation-mode":
			down := false
			i.sets(spec, func(s *netcfg.Spec) error { s.Up = &down; return nil })
		}
	}
	n.networks(spec)
}

// networks adds the addresses of a link, and then its routes.
func (n *node) networks(spec *netcfg.Spec) {
	if list := n.item("addresses"); list != nil {
		list.said()
		for _, a := range list.items {
			text := a.value
			if len(a.items) > 0 { // an address with a label or a lifetime
				text = a.items[0].key
				a.items[0].said()
			}
			if err := addAddress(spec, text, "", "+"); err != nil || list.first != a.first {
				a.result(err)
			}
		}
	}
	for _, key := range []string{"gateway4", "gateway6"} {
		if g := n.item(key); g != nil {
			g.result(withRoute(spec, "default", g.value, "", ""))
		}
	}
	list := n.item("routes")
	if list == nil {
		return
	}
	list.taken = true // its items have the remarks
	for _, r := range list.items {
		if kind := r.text("type"); kind != "" && kind != "unicast" {
			continue
		}
		err := withRoute(spec, r.text("to"), r.text("via"), r.text("metric"), r.text("table"))
		for _, part := range r.items {
			switch part.key {
			case "to", "via", "metric", "table", "type":
				part.result(err)
			}
		}
	}
}

// passthrough imports profiles of NetworkManager, whose settings have keys like tun.mode.
func passthrough(h *host, kind *node) {
	var found []*profile
	for _, n := range kind.items {
		manager := n.item("networkmanager")
		if manager == nil || manager.item("passthrough") == nil {
			continue
		}
		settings := manager.item("passthrough")
		p := &profile{}
		for _, e := range settings.items {
			name, key, ok := strings.Cut(e.key, ".")
			s := p.section(name)
			if s == nil {
				s = &section{setting: settings.setting, name: name}
				p.sections = append(p.sections, s)
			}
			if ok {
				one := e.setting
				one.key = key
				s.entries = append(s.entries, &one)
			}
		}
		if p.main = p.section("connection"); p.main != nil {
			found = append(found, p)
		}
		if p.main != nil && p.main.value("type") == "tun" {
			kind.said()
			n.said()
			manager.said()
			for _, key := range []string{"uuid", "name"} {
				if e := manager.item(key); e != nil {
					e.said()
				}
			}
		}
	}
	importProfiles(h, found)
}
