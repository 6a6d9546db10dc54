package convert

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/declare"
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
		b.WriteString(bridge.print() + "\n")
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

// print returns a comment about the bridge.
func (b *bridge) print() string {
	var parts []string
	say := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if b.Addresses != nil && len(*b.Addresses) > 0 {
		say("addresses %s", list(*b.Addresses))
	}
	if b.Routes != nil && len(*b.Routes) > 0 {
		say("routes %s", list(*b.Routes))
	}
	if b.MTU != nil {
		say("mtu %d", *b.MTU)
	}
	if b.MAC != nil {
		say("mac %s", b.MAC)
	}
	if b.Up != nil && *b.Up {
		say("up")
	}
	for _, o := range b.Options {
		say("%s %s", o.Name, o.Value)
	}
	if len(b.Ports) > 0 {
		say("ports %s", strings.Join(b.Ports, ", "))
	}
	text := "the bridge " + b.Name + " is not declared: another program must create it"
	if len(parts) > 0 {
		text += ", with " + strings.Join(parts, "; ")
	}
	return comment(text)
}

func list[T netcfg.Address | netcfg.Route](values []T) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprint(v)
	}
	return strings.Join(texts, ", ")
}
