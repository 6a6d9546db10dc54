package convert

import (
	"errors"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/standin"
	"github.com/tunadm/tunadm/netcfg"
)

// A join is a port of a bridge. Ports join after all interfaces are there. bridge-utils brings them up, and gives them
// the MTU of the stanza.
type join struct {
	setting      *setting
	bridge, port string
	mtu          *setting
	late         bool // the port does not exist when the bridge is configured
}

// bridgeKeys are the options of bridges in interfaces(5), with their names in a file.
var bridgeKeys = map[string]string{
	"bridge_stp": "stp", "bridge_fd": "forward_delay", "bridge_ageing": "ageing", "bridge_vlan_aware": "vlan_filtering",
	"bridge_mcsnoop": "multicast_snooping", "bridge_hello": "hello_time", "bridge_maxage": "max_age",
	"bridge_bridgeprio": "priority",
}

// portKeys are the options of ports, with their names in a file. In the stanza of a bridge, the name of the port
// precedes the value.
var portKeys = map[string]string{
	"bridge_pathcost": "cost", "bridge_portprio": "priority", "bridge_learning": "learning",
	"bridge_unicast_flood": "flood",
}

// bridge does what the hook of bridge-utils does.
func (u *ifupdown) bridge(s *stanza) {
	ports := s.option("bridge_ports")
	if ports == nil || u.host.device(s.name) != nil {
		return
	}
	b := u.host.addBridge(s.name)
	up := true
	b.Up = &up
	ports.said()
	u.ports(s, ports)
	for _, o := range s.options {
		key := strings.ReplaceAll(o.key, "-", "_")
		switch {
		case key == "bridge_maxwait" || key == "bridge_waitport" || key == "use" && o.value == "bridge" ||
			key == "requires":
			o.said()
		case key == "bridge_hw":
			o.result(change(&b.Spec, func(spec *netcfg.Spec) (err error) {
				spec.MAC, err = link.ParseMAC(strings.TrimPrefix(o.value, "ether "))
				return err
			}))
		case bridgeKeys[key] != "":
			b.set(bridgeKeys[key], o.value)
			o.said()
		}
	}
}

// ports notes the ports of a bridge.
func (u *ifupdown) ports(s *stanza, ports *setting) {
	for _, port := range strings.Fields(ports.value) {
		switch {
		case port == "none":
		case port[0] == '#':
			return // bridge-utils finds no such link
		case port == "all" || port == "glob" || strings.Contains(port, "regex") || strings.ContainsAny(port, "*[]+"):
			if ports.without(port, "the ports are known only on the host"); port != "all" {
				return
			}
		default:
			u.joins = append(u.joins, join{ports, s.name, port, s.option("mtu"), u.host.spec(port) == nil})
		}
	}
}

// joined makes the ports join their bridges, and sets their properties.
func (u *ifupdown) joined() {
	for _, j := range u.joins {
		j.setting.result(u.host.join(j.bridge, j.port))
		d := u.host.device(j.port)
		if d == nil {
			continue
		}
		if j.late {
			d.note("ifupdown creates it after " + j.bridge + ", which it then does not join without udev")
		}
		up := true
		d.Up = &up
		if j.mtu != nil {
			j.mtu.setsNumber(&d.Spec, func(s *netcfg.Spec, n *int) { s.MTU = n })
		}
	}
	for _, s := range u.stanzas {
		for _, o := range s.options {
			u.port(s, o)
		}
	}
}

// port sets an option of a port, which ifupdown2 has in the stanza of the port, or of its bridge for all ports.
func (u *ifupdown) port(s *stanza, o *setting) {
	key := strings.ReplaceAll(o.key, "-", "_")
	words := strings.Fields(o.value)
	d := u.host.device(s.name)
	switch {
	case len(words) == 0:
	case portKeys[key] != "" && len(words) == 2 && u.host.bridge(s.name) != nil:
		if d := u.host.device(words[0]); d != nil {
			o.result(change(&d.Spec, func(spec *netcfg.Spec) error { return setPort(spec, portKeys[key], words[1]) }))
		}
	case portKeys[key] != "" && d != nil:
		o.result(change(&d.Spec, func(spec *netcfg.Spec) error { return setPort(spec, portKeys[key], o.value) }))
	case key == "bridge_access" || key == "bridge_pvid" || key == "bridge_vids":
		for _, one := range u.host.devices {
			if one == d || d == nil && one.Master != nil && one.Master.Name == s.name && !u.has(one.Name, key) {
				o.result(one.vlans(key, words))
			}
		}
	}
}

// has reports whether the stanza of an interface has an option.
func (u *ifupdown) has(name, key string) bool {
	for _, s := range u.named[name] {
		if s.option(key) != nil || s.option("bridge_access") != nil {
			return true
		}
	}
	return false
}

// vlans sets the VLANs of a port.
func (d *device) vlans(key string, words []string) error {
	return change(&d.Spec, func(s *netcfg.Spec) error {
		for _, word := range words {
			var v standin.VLAN
			if err := v.Parse(word); err != nil {
				return err
			}
			if pvid := key != "bridge_vids"; pvid && v.First != v.Last {
				return errors.New(strconv.Quote(word) + " is not a VLAN")
			} else if err := filterPort(s, v.First, v.Last, pvid, pvid, false); err != nil {
				return err
			}
		}
		return nil
	})
}

// proxy does what the hook of uml-utilities does after an interface is configured.
func (u *ifupdown) proxy(s *stanza, spec *netcfg.Spec) {
	hosts, ether := s.option("uml_proxy_arp"), s.option("uml_proxy_ether")
	if hosts == nil || ether == nil {
		return
	}
	err := setSysctl(spec, "net.ipv4.conf.proxy_arp", "1")
	for _, one := range strings.Fields(hosts.value) {
		if err == nil {
			err = withRoute(spec, one, "", "", "")
		}
	}
	if hosts.result(err); err == nil {
		ether.leave("the published ARP entries of " + ether.value + " cannot be declared")
	}
}
