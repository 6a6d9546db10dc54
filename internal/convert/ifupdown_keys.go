package convert

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/standin"
	"github.com/tunadm/tunadm/netcfg"
)

// option returns the option of a stanza, or nil. Hyphens and underscores are the same.
func (s *stanza) option(key string) *setting {
	for _, o := range s.options {
		if strings.ReplaceAll(o.key, "-", "_") == key {
			return o
		}
	}
	return nil
}

// hooks does what the packages uml-utilities, bridge-utils and tunadm do before an interface is configured.
func (u *ifupdown) hooks(s *stanza) {
	if o := s.option("tunctl_user"); o != nil {
		l, err := standin.ReadLine([]string{"tunctl", "-u", o.value, "-t", s.name})
		if err == nil {
			err = u.host.run(l)
		}
		o.result(err)
	}
	u.tunadm(s)
	u.bridge(s)
}

// tunadm does what the hook of tunadm does.
func (u *ifupdown) tunadm(s *stanza) {
	words, given := []string{}, []*setting{}
	for _, o := range s.options {
		if key, ok := strings.CutPrefix(strings.ReplaceAll(o.key, "_", "-"), "tunadm-"); ok {
			given = append(given, o)
			words = append(words, key, o.value)
		}
	}
	if len(given) == 0 || u.host.spec(s.name) != nil {
		return
	}
	d := &device{Spec: netcfg.Spec{Name: s.name, Mode: link.ModeOf(s.name)}}
	down := false
	d.Up = &down
	for i, o := range given {
		o.result(d.property(words[2*i], o.value))
	}
	if d.Mode == 0 {
		return
	}
	if root := "root"; d.Access.User == nil && d.Access.Group == nil && !d.Access.Anyone {
		d.Access.User = &root
	}
	u.host.devices = append(u.host.devices, d)
}

// property sets a property by the name of its flag.
func (d *device) property(flag, value string) (err error) {
	n, notNumber := strconv.Atoi(value)
	yes := slices.Contains([]string{"yes", "on", "true", "1"}, value)
	switch flag {
	case "mode":
		d.Mode, err = link.ParseMode(value)
	case "user":
		d.Access.User = &value
	case "group":
		d.Access.Group = &value
	case "anyone":
		d.Access.Anyone = yes
	case "mac":
		d.MAC, err = link.ParseMAC(value)
	case "mtu":
		d.MTU, err = &n, notNumber
	case "txqueuelen":
		d.TxQueueLen, err = &n, notNumber
	case "alias":
		d.Alias, err = &value, link.CheckAlias(value)
	case "master":
		d.Master = &netcfg.Master{Name: value}
	case "multi-queue":
		d.MultiQueue = &yes
	case "vnet-hdr":
		d.VnetHdr = yes
	case "pi":
		d.PI = yes
	default:
		return errors.New("unknown option")
	}
	return err
}

// method applies the options that every method of interfaces(5) has, and the addresses of a static one.
func (u *ifupdown) method(s *stanza, spec *netcfg.Spec) {
	switch s.method {
	case "static", "manual", "":
	default:
		s.without("the method "+s.method, "a file declares static addresses only")
	}
	for _, o := range s.options {
		switch o.key {
		case "mtu":
			if s.family == "inet6" {
				o.leave("an MTU of IPv6 alone cannot be declared")
				continue
			}
			n, err := strconv.Atoi(o.value)
			if err == nil {
				err = change(spec, func(c *netcfg.Spec) error { c.MTU = &n; return nil })
			}
			o.result(err)
		case "hwaddress", "address-hw":
			mac := strings.TrimSpace(strings.TrimPrefix(o.value, "ether"))
			if mac == "random" {
				o.said()
				continue
			}
			o.result(change(spec, func(c *netcfg.Spec) (err error) { c.MAC, err = link.ParseMAC(mac); return err }))
		}
	}
	up := true
	_ = change(spec, func(c *netcfg.Spec) error { c.Up = &up; return nil })
	if s.method == "static" || s.method == "" {
		u.static(s, spec)
	}
}

// static adds the addresses of a stanza, and the default route.
func (u *ifupdown) static(s *stanza, spec *netcfg.Spec) {
	peer := s.option("pointopoint")
	for _, o := range s.options {
		if o.key != "address" {
			continue
		}
		text, far := o.value, ""
		if a, err := netip.ParseAddr(text); err == nil {
			text += "/" + u.length(s, a)
		}
		if peer != nil {
			far = peer.value
			peer.said()
		}
		a, err := standin.ParseAddress(text, far)
		if err == nil && a.Local.Is4() {
			a.Broadcast, err = s.broadcast(text)
		}
		if err == nil {
			err = change(spec, func(c *netcfg.Spec) error {
				standin.KeepAddresses(c, func(b netcfg.Address) bool { return b.String() != a.String() })
				*c.Addresses = append(*c.Addresses, a)
				return nil
			})
		}
		if o.result(err); err == nil {
			s.derived(a)
		}
	}
	metric := ""
	if m := s.option("metric"); m != nil {
		metric = m.value
	}
	for _, o := range s.options {
		if o.key == "gateway" {
			o.result(u.gateway(s, spec, o.value, metric))
		}
	}
}

// length returns the prefix length of an address without one: by its netmask, or by its class.
func (u *ifupdown) length(s *stanza, a netip.Addr) string {
	bits := standin.ClassBits(a)
	if o := s.option("netmask"); o != nil {
		o.said()
		return o.value
	}
	return strconv.Itoa(bits)
}

// derived marks the options that follow from an address.
func (s *stanza) derived(a netcfg.Address) {
	if o := s.option("network"); o != nil {
		o.said()
	}
	if o := s.option("broadcast"); o != nil && a.Local.Is4() {
		o.said()
	}
	for _, o := range s.options {
		if o.key == "scope" && o.value == "global" {
			o.said()
		}
	}
}

// broadcast returns the broadcast address of an IPv4 address with its length. ifupdown derives it, also from a length
// of 31 or 32, and whether there is another end or not.
func (s *stanza) broadcast(address string) (netip.Addr, error) {
	a, err := standin.ParseAddress(address, "")
	o := s.option("broadcast")
	switch {
	case err == nil && o != nil && o.value != "+":
		return a.ParseBroadcast(o.value)
	case a.Bits == 31:
		return netip.AddrFrom4([4]byte{255, 255, 255, 255}), err
	}
	return link.Last(a.Subnet()), err
}

// gateway adds the default route.
func (u *ifupdown) gateway(s *stanza, spec *netcfg.Spec, via, metric string) error {
	r, err := standin.ParseRoute("default", via, metric, "", s.family == "inet6")
	if err != nil {
		return err
	}
	if spec.Addresses == nil || !slices.ContainsFunc(*spec.Addresses, func(a netcfg.Address) bool {
		return a.Subnet().Contains(r.Via)
	}) {
		return errors.New("the gateway is in no network of the interface")
	}
	if o := s.option("metric"); o != nil {
		o.said()
	}
	return addRoute(spec, r)
}
