package netcfg

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Spec asks for a device like this one, in all that is the administrator's and not what a new device has anyway. More tells what the
// device has beyond that, a sentence each.
func (d *Device) Spec() (s *Spec, more []string) {
	usual := fresh(d.Name, d.Mode)
	s = &Spec{Name: d.Name, Mode: d.Mode, Access: &d.Access, PI: d.PI, VnetHdr: d.VnetHdr}
	s.Link = Link{
		MAC: d.MAC, TxQueueLen: change(&d.TxQueueLen, usual.TxQueueLen), Alias: change(&d.Alias, usual.Alias),
		Promisc: change(&d.Promisc, usual.Promisc), Multicast: change(&d.Multicast, usual.Multicast), Up: &d.Up,
	}
	if s.MTU = change(&d.MTU, usual.MTU); d.Master != "" {
		s.Master, s.MTU = &Master{Name: d.Master}, &d.MTU // else it takes the bridge's
	}
	if d.MultiQueue {
		s.MultiQueue = &d.MultiQueue
	}
	if list := matching(d.Addresses, func(a Address) bool { return !a.Foreign() }); len(list) > 0 {
		s.Addresses = &list
	}
	var routes []Route
	for _, r := range d.Routes {
		switch {
		case r.kept.odd && r.kept.elsewhere == 0:
			more = append(more, "route "+r.To.String()+" is left out: it is none of one gateway and no type of service")
		case !r.Foreign():
			routes = append(routes, Route{To: r.To, Via: r.Via, Metric: r.Metric, Table: r.Table})
			if !r.kept.bare {
				more = append(more, "route "+r.String()+" has a source, metrics or a lifetime beyond that")
			}
		}
	}
	if len(routes) > 0 {
		s.Routes = &routes
	}
	return s, more
}

// TOML is the Spec as a file declares it. The error is that of a name or a text that cannot be declared.
func (s *Spec) TOML() (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "[device.%s]\n", tomlKey(s.Name))
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s = %s\n", key, value)
		}
	}
	line("mode", tomlText(s.Mode.String()))
	switch a := s.Access; {
	case a == nil:
	case a.User == nil && a.Group == nil:
		line("anyone", "true")
	default:
		line("user", tomlID(a.User))
		line("group", tomlID(a.Group))
	}
	if s.Addresses != nil {
		line("addresses", tomlList(*s.Addresses))
	}
	if s.Routes != nil {
		line("routes", tomlList(*s.Routes))
	}
	line("mtu", tomlValue(s.MTU))
	if s.MAC != nil {
		line("mac", tomlText(s.MAC.String()))
	}
	line("txqueuelen", tomlValue(s.TxQueueLen))
	if s.Alias != nil {
		line("alias", tomlText(*s.Alias))
	}
	if s.Master != nil {
		line("master", tomlText(s.Master.Name))
	}
	line("promisc", tomlValue(s.Promisc))
	line("multicast", tomlValue(s.Multicast))
	line("multi_queue", tomlValue(s.MultiQueue))
	if s.VnetHdr {
		line("vnet_hdr", "true")
	}
	if s.PI {
		line("pi", "true")
	}
	if s.Up != nil && !*s.Up { // a declared device is up
		line("up", "false")
	}
	read, mistakes := ParseFile("", []byte(b.String()))
	switch {
	case len(mistakes) > 0:
		return "", fmt.Errorf("%s", mistakes[0].Text)
	case read[0].Spec.Name != s.Name:
		return "", fmt.Errorf("a file takes the name for a range")
	}
	return b.String(), nil
}

func tomlValue[T int | bool](v *T) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(*v)
}

func tomlID(id *ID) string {
	switch {
	case id == nil:
		return ""
	case id.Name == "":
		return strconv.FormatUint(uint64(id.Number), 10)
	}
	return tomlText(id.Name)
}

func tomlList[T fmt.Stringer](list []T) string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = tomlText(v.String())
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// tomlKey is a part of a header, quoted where it has to be.
func tomlKey(name string) string {
	const bare = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
	if name != "" && strings.Trim(name, bare) == "" {
		return name
	}
	return tomlText(name)
}

// tomlText is a basic string. Bytes that are no UTF-8 stay, and the parser refuses them.
func tomlText(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i, r := range s {
		switch {
		case r == utf8.RuneError:
			b.WriteByte(s[i])
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case !Visible(r):
			fmt.Fprintf(&b, "\\U%08x", r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
