package convert

import (
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/standin"
	"github.com/tunadm/tunadm/netcfg"
)

// openwrtNetwork imports files like /etc/config/network. netifd creates no TUN/TAP devices: it configures those that
// another program creates.
func openwrtNetwork(h *host, all []*Source) []*Source {
	for _, s := range all {
		found := uci(s)
		for _, one := range found {
			one.bridged(h)
		}
		links := map[string]*netcfg.Spec{}
		for _, one := range found {
			if one.name == "interface" {
				links[one.label] = one.logical(h)
			}
		}
		for _, one := range found {
			one.routed(links)
		}
		for _, one := range found {
			if one.source.read[one.first-1] {
				one.section.rest()
			}
		}
	}
	return nil
}

// A uciSection is a section with its type as name.
type uciSection struct {
	section
	label string // its own name
}

// uci returns the sections of a file of OpenWrt.
func uci(s *Source) (all []*uciSection) {
	for n := 1; n <= len(s.lines); n++ {
		line := setting{source: s, first: n, last: n}
		words := strings.Fields(s.line(n))
		if len(words) < 2 {
			continue
		}
		unquote := func(words []string) string { return strings.Trim(strings.Join(words, " "), `"'`) }
		switch {
		case words[0] == "config":
			one := &uciSection{section: section{setting: line, name: unquote(words[1:2])}, label: unquote(words[2:])}
			all = append(all, one)
		case (words[0] == "option" || words[0] == "list") && len(words) > 2 && len(all) > 0:
			line.key, line.value = unquote(words[1:2]), unquote(words[2:])
			last := all[len(all)-1]
			last.entries = append(last.entries, &line)
		}
	}
	return all
}

// option returns the value of an option, or "".
func (u *uciSection) option(key string) string {
	if e := u.entry(key); e != nil {
		return e.value
	}
	return ""
}

// names returns the words of all settings of a key.
func (u *uciSection) names(keys ...string) (all []string) {
	for _, e := range u.entries {
		if slices.Contains(keys, e.key) {
			all = append(all, strings.Fields(e.value)...)
		}
	}
	return all
}

// take marks the settings of some keys.
func (u *uciSection) take(keys ...string) {
	u.said()
	for _, e := range u.entries {
		if slices.Contains(keys, e.key) {
			e.said()
		}
	}
}

func tunTap(name string) bool { return link.ModeOf(name) != 0 && link.CheckName(name) == nil }

// uciBridge are the options of a bridge, with their names in a file of tunadm.
var uciBridge = map[string]string{
	"stp": "stp", "forward_delay": "forward_delay", "ageing_time": "ageing", "vlan_filtering": "vlan_filtering",
	"igmp_snooping": "multicast_snooping",
}

// bridged adds a bridge that has a TUN/TAP device as its port.
func (u *uciSection) bridged(h *host) {
	name, keys := u.option("name"), []string{"name", "type", "ports"}
	if u.name == "interface" {
		name, keys = "br-"+u.label, []string{"type", "ifname", "device"}
	}
	list := u.names("ports", "ifname", "device")
	if u.option("type") != "bridge" || link.CheckName(name) != nil || !slices.ContainsFunc(list, tunTap) {
		return
	}
	u.take(keys...)
	b := h.addBridge(name)
	for _, port := range list {
		if tunTap(port) {
			h.assume(port, "OpenWrt")
		}
		_ = h.join(name, port)
	}
	for _, e := range u.entries {
		if to := uciBridge[e.key]; to != "" {
			b.set(to, e.value)
			e.said()
		}
	}
}

// logical configures the device of an interface, and returns its properties, or nil for other links.
func (u *uciSection) logical(h *host) *netcfg.Spec {
	names := u.names("device", "ifname")
	if u.option("type") == "bridge" {
		names = []string{"br-" + u.label}
	}
	if len(names) != 1 {
		return nil
	}
	if tunTap(names[0]) {
		h.assume(names[0], "OpenWrt")
	}
	spec := h.spec(names[0])
	if spec == nil {
		return nil
	}
	up := true
	spec.Up = &up
	u.take("device", "ifname")
	for _, e := range u.entries {
		switch e.key {
		case "proto":
			if e.value == "static" || e.value == "none" {
				e.said()
			} else {
				e.without("proto "+e.value, "a file declares static addresses only")
			}
		case "mtu":
			e.setsNumber(spec, func(s *netcfg.Spec, n *int) { s.MTU = n })
		case "macaddr":
			e.setsMAC(spec)
		}
	}
	if u.option("proto") == "static" {
		u.static(spec)
	}
	return spec
}

// static adds the addresses and the default routes of an interface.
func (u *uciSection) static(spec *netcfg.Spec) {
	mask, metric, broadcast := u.option("netmask"), u.option("metric"), u.option("broadcast")
	if broadcast == "" {
		broadcast = "+"
	}
	for _, e := range u.entries {
		switch e.key {
		case "ipaddr", "ip6addr":
			for _, text := range strings.Fields(e.value) {
				if e.key == "ipaddr" && mask != "" && !strings.Contains(text, "/") {
					text += "/" + mask
				}
				e.result(addAddress(spec, text, "", broadcast))
			}
		case "netmask", "metric", "broadcast":
			e.said()
		}
	}
	for _, e := range u.entries {
		if e.key == "gateway" || e.key == "ip6gw" {
			e.result(withRoute(spec, "default", e.value, metric, ""))
		}
	}
}

// routed adds a route of a section of its own.
func (u *uciSection) routed(links map[string]*netcfg.Spec) {
	spec := links[u.option("interface")]
	if spec == nil || u.name != "route" && u.name != "route6" {
		return
	}
	u.take("interface")
	to := u.option("target")
	if mask := u.option("netmask"); mask != "" && !strings.Contains(to, "/") {
		to += "/" + mask
	}
	r, err := standin.ParseRoute(to, u.option("gateway"), u.option("metric"), u.option("table"),
		u.name == "route6")
	if err == nil {
		err = addRoute(spec, r)
	}
	for _, e := range u.entries {
		switch e.key {
		case "target", "netmask", "gateway", "metric", "table":
			e.result(err)
		}
	}
}
