package convert

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/declare"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// print returns the file that declares the devices.
func (h *host) print() string {
	var b strings.Builder
	has := map[string]string{} // devices by MAC address
	for _, d := range h.devices {
		if mac := d.MAC.String(); d.MAC != nil && has[mac] != "" {
			d.note("declared without mac " + mac + ", which " + has[mac] + " has")
			d.MAC = nil
		} else {
			has[mac] = d.Name
		}
		b.WriteString(d.print() + "\n")
	}
	for _, bridge := range h.bridges {
		b.WriteString(bridge.print(h) + "\n")
	}
	return b.String()
}

func comment(text string) string { return "# " + words.Escape(text) + "\n" }

// print returns the table of a device, and its notes.
func (d *device) print() string {
	spec := d.Spec
	spec.Access = access(d.Access)
	if spec.Addresses != nil && len(*spec.Addresses) == 0 {
		spec.Addresses = nil
	}
	if spec.Routes != nil && len(*spec.Routes) == 0 {
		spec.Routes = nil
	}
	text, err := declare.TOML(&spec)
	if err != nil {
		text = comment(d.Name + ": cannot be declared: " + err.Error())
	}
	for _, note := range d.Notes {
		text += comment(d.Name + ": " + note)
	}
	return text
}

// access returns names as the access that prints them. Nobody looks them up: they may not exist on this host.
func access(n users.Names) *users.Access {
	if n == (users.Names{}) {
		return nil
	}
	id := func(text *string) *users.ID {
		if text == nil {
			return nil
		}
		if number, err := strconv.ParseUint(*text, 10, 32); err == nil {
			return &users.ID{Number: uint32(number)}
		}
		return &users.ID{Name: *text}
	}
	return &users.Access{User: id(n.User), Group: id(n.Group)}
}

// print returns the table of a bridge, and comments about the properties that a file cannot declare.
func (b *bridge) print(h *host) string {
	if !slices.ContainsFunc(h.devices, func(d *device) bool { return d.Master != nil && d.Master.Name == b.Name }) {
		return comment("the bridge " + b.Name + " is not declared: no TUN/TAP device joins it")
	}
	spec, notes := b.Spec, ""
	spec.Kind = netcfg.Bridge
	for _, one := range []struct {
		key   string
		asked bool
		drop  func()
	}{
		{"promisc", spec.Promisc != nil, func() { spec.Promisc = nil }},
		{"multicast", spec.Multicast != nil, func() { spec.Multicast = nil }},
		{"txqueuelen", spec.TxQueueLen != nil, func() { spec.TxQueueLen = nil }},
		{"alias", spec.Alias != nil, func() { spec.Alias = nil }},
		{"master", spec.Master != nil, func() { spec.Master = nil }},
	} {
		if one.asked {
			one.drop()
			notes += comment(b.Name + ": " + one.key + " is not declared: it is not a key of a bridge")
		}
	}
	for _, port := range b.Ports {
		if h.spec(port) == nil && link.CheckName(port) == nil {
			spec.Ports = append(spec.Ports, port)
		} else {
			notes += comment(b.Name + ": the port " + port + " is not declared")
		}
	}
	for _, o := range b.Options {
		value := o.Value
		if on, err := isYes(value); err == nil && (o.Name == "stp" || strings.Contains(o.Name, "_filtering") ||
			strings.HasSuffix(o.Name, "_snooping")) {
			value = strconv.FormatBool(on)
		}
		if err := declare.SetBridge(&spec, o.Name, strings.TrimSuffix(value, "s")); err != nil {
			notes += comment(b.Name + ": " + o.Name + " " + o.Value + " is not declared: " + err.Error())
		}
	}
	text, err := declare.TOML(&spec)
	if err != nil {
		text = comment(b.Name + ": cannot be declared: " + err.Error())
	}
	return text + notes
}
