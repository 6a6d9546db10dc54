package declare

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// A printer prints the table of a device or a bridge.
type printer struct {
	strings.Builder
	keys []key
	left []string // values that no file can hold, with the reasons
}

// line prints a key, unless the value is empty.
func (p *printer) line(key, value string) {
	if value == "" {
		return
	}
	if why := keyIn(p.keys, key).cannotHold(value); why != "" {
		p.left = append(p.left, key+" "+value+": "+why)
		return
	}
	fmt.Fprintf(p, "%s = %s\n", key, value)
}

// TOML returns the table of a file that declares the Spec, with a comment for each value that no file can hold. The
// error is that of such a name or text.
func TOML(s *netcfg.Spec) (string, error) {
	head, p := headDevice, printer{keys: keys()}
	if s.Kind == netcfg.Bridge {
		head, p.keys = headBridge, bridgeKeys()
	}
	fmt.Fprintf(&p, "[%s.%s]\n", head, tomlKey(s.Name))
	line := p.line
	if s.Kind == "" {
		line("mode", tomlText(s.Mode.String()))
	}
	printAccess(s.Access, line)
	if s.Addresses != nil {
		line("addresses", tomlList(*s.Addresses, netcfg.Address.Words))
	}
	if s.Routes != nil {
		line("routes", tomlList(*s.Routes, netcfg.Route.String))
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
	printBridge(s, line)
	if s.Up != nil && !*s.Up { // a declared device is up by default
		line("up", "false")
	}
	for _, text := range p.left {
		fmt.Fprintf(&p, "# %s: left out: %s\n", words.Escape(s.Name), text)
	}
	read, mistakes := parse("", []byte(p.String()))
	switch {
	case len(mistakes) > 0:
		return "", errors.New(mistakes[0].Text)
	case read[0].Spec.Name != s.Name:
		return "", errors.New("in a file the name is a range")
	}
	return p.String(), nil
}

func printAccess(a *users.Access, line func(key, value string)) {
	switch {
	case a == nil:
	case a.User == nil && a.Group == nil:
		line("anyone", "true")
	default:
		line("user", tomlID(a.User))
		line("group", tomlID(a.Group))
	}
}

// cannotHold returns why a file cannot hold a value of the key, or "": there may be no such key, and an administrator
// can set hundredths of a second, and more than the kernel accepts with STP.
func (k *key) cannotHold(value string) string {
	if k == nil {
		return "a bridge has no such key"
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if k.kind == "integer" && (err != nil || n < k.least || n > k.most) {
		return fmt.Sprintf("not an integer from %d to %d", k.least, k.most)
	}
	return ""
}

// printBridge prints the settings of a bridge, or those of a port.
func printBridge(s *netcfg.Spec, line func(key, value string)) {
	for _, k := range bridgeKeys() {
		line(k.name, k.print(s))
	}
	if s.Kind == netcfg.Bridge && len(s.Ports) > 0 {
		ports := make([]portName, len(s.Ports))
		for i, name := range s.Ports {
			ports[i] = portName(name)
		}
		line("ports", tomlList(ports, portName.String))
	}
	if s.MoveAddresses {
		line("move_addresses", "true")
	}
	var port []string
	for _, k := range portKeys() {
		if value := k.print(s); value != "" {
			port = append(port, k.name+" = "+value)
		}
	}
	if len(s.Sysctls) > 0 {
		var each []string
		for _, one := range s.Sysctls {
			each = append(each, tomlText(one.Name())+" = "+tomlText(one.Value))
		}
		line("sysctl", "{"+strings.Join(each, ", ")+"}")
	}
	if len(port) > 0 {
		line("port", "{"+strings.Join(port, ", ")+"}")
	}
}

func tomlValue[T int | bool](v *T) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(*v)
}

func tomlID(id *users.ID) string {
	switch {
	case id == nil:
		return ""
	case id.Name == "":
		return strconv.FormatUint(uint64(id.Number), 10)
	}
	return tomlText(id.Name)
}

func tomlList[T any](list []T, text func(T) string) string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = tomlText(text(v))
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// tomlKey returns a part of a header, with quotes if it requires them.
func tomlKey(name string) string {
	const bare = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
	if name != "" && strings.Trim(name, bare) == "" {
		return name
	}
	return tomlText(name)
}

// tomlText returns a basic string. Bytes that are not UTF-8 are copied unchanged, and the parser refuses them.
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
		case !words.Visible(r):
			fmt.Fprintf(&b, "\\U%08x", r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// print returns the value of a key of a bridge or a port, or "" if the key has no function for it or the Spec no value.
func (k key) print(s *netcfg.Spec) string {
	if k.value == nil {
		return ""
	}
	return k.value(s)
}
