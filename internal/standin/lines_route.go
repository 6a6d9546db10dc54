package standin

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/netcfg"
)

// A routeLine collects the parts of a route.
type routeLine struct {
	*Line
	to, via, metric, table string
	six                    bool
}

// route returns the route.
func (r *routeLine) route() (netcfg.Route, error) {
	to := r.to
	switch to {
	case "":
		return netcfg.Route{}, errors.New("the destination is missing")
	case "default", "any", "all", "0/0", "0.0.0.0/0":
		if to = "default"; r.six && r.via == "" {
			to = "::/0"
		}
	}
	to, err := withMask(to)
	if err != nil {
		return netcfg.Route{}, err
	}
	text := to
	r.metric, r.table = decimal(r.metric), decimal(r.table)
	for _, part := range []struct{ key, value string }{{"via", r.via}, {"metric", r.metric}, {"table", r.table}} {
		if part.value != "" {
			text += " " + part.key + " " + part.value
		}
	}
	return netcfg.ParseRoute(text)
}

// decimal returns a number that may be hexadecimal or octal, as ip(8) reads it, in decimal.
func decimal(text string) string {
	if n, err := strconv.ParseUint(text, 0, 32); err == nil && text[0] == '0' {
		return strconv.FormatUint(n, 10)
	}
	return text
}

// ParseRoute returns a route from its parts, which may be "". The destination may have a netmask.
func ParseRoute(to, via, metric, table string, six bool) (netcfg.Route, error) {
	return (&routeLine{to: to, via: via, metric: metric, table: table, six: six}).route()
}

func readIPRoute(c *cursor, verb string, six bool) (*Line, error) {
	verb = ipVerb(verb, "list", "show", "lst", "get", "add", "change", "chg", "replace", "prepend", "append", "test",
		"delete", "flush")
	r := &routeLine{Line: &Line{Act: Changes}, six: six}
	switch verb {
	case "add", "change", "chg", "replace", "append", "prepend", "delete":
	case "flush", "test", "":
		return nil, errors.New("this verb of ip route is not supported")
	default:
		return &Line{Act: Reads}, nil
	}
	for c.more() {
		if err := r.ipWord(c); err != nil {
			return nil, err
		}
	}
	return r.end(verb == "delete")
}

// end returns the line that adds or removes the route.
func (r *routeLine) end(remove bool) (*Line, error) {
	route, err := r.route()
	if err != nil {
		return nil, err
	}
	if remove {
		r.Via = route.Via
		r.also(func(s *netcfg.Spec) { dropRoute(s, route) })
	} else {
		r.addRoute(route)
	}
	return r.Line, nil
}

// ipWord reads one word of ip route, with its value.
func (r *routeLine) ipWord(c *cursor) (err error) {
	word := c.next()
	switch word {
	case "unicast":
	case "to":
		r.to, err = c.value(word)
	case "via":
		if r.via, err = c.value(word); r.via == "inet" || r.via == "inet6" {
			r.via, err = c.value(word)
		}
	case "dev":
		r.Name, err = c.value(word)
	case "metric", "preference", "priority":
		r.metric, err = c.value(word)
	case "table":
		r.table, err = c.value(word)
	case "proto", "protocol":
		var value string
		if value, err = c.value(word); value != "static" && value != "boot" && value != "4" && value != "3" {
			r.lose(word, value)
		}
	case "scope":
		err = r.skip(c, word, map[bool]string{true: "link", false: "global"}[r.via == ""])
	case "src", "mtu", "advmss", "window", "rtt", "initcwnd", "initrwnd", "pref", "realm":
		err = r.skip(c, word, "")
	case "onlink":
		r.lose(word)
	case "blackhole", "unreachable", "prohibit", "throw", "local", "broadcast", "multicast", "nat", "nexthop", "encap":
		return fmt.Errorf("a route of type %s cannot be declared", word)
	default:
		if r.to != "" {
			return fmt.Errorf("ip route: %q is not supported", word)
		}
		r.to = word
	}
	return err
}

// readRoute reads a line of route(8).
func readRoute(words []string) (*Line, error) {
	c, r := &cursor{words}, &routeLine{Line: &Line{Act: Changes}}
	verb, host, netmask := "", false, ""
	for c.more() && verb == "" {
		switch word := c.next(); {
		case word == "add" || word == "del":
			verb = word
		case word == "-A":
			family, err := c.value(word)
			if r.six = family == "inet6"; err != nil {
				return nil, err
			}
		case word == "-6" || word == "-Ainet6" || word == "--inet6":
			r.six = true
		}
	}
	if verb == "" {
		return &Line{Act: Reads}, nil
	}
	for c.more() {
		var err error
		switch word := c.next(); word {
		case "-net":
		case "-host":
			host = true
		case "netmask":
			netmask, err = c.value(word)
		case "gw", "gateway":
			r.via, err = c.value(word)
		case "metric":
			r.metric, err = c.value(word)
		case "dev":
			r.Name, err = c.value(word)
		default:
			err = r.bareWord(word)
		}
		if err != nil {
			return nil, err
		}
	}
	if r.six {
		r.metric = cmp.Or(r.metric, "1") // of route(8); ip(8) leaves it to the kernel
	}
	if err := r.lengthen(netmask, host); err != nil {
		return nil, err
	}
	return r.end(verb == "del")
}

// bareWord is the destination, and then the device.
func (r *routeLine) bareWord(word string) error {
	switch {
	case r.to == "":
		r.to = word
	case r.Name == "":
		r.Name = word
	default:
		return fmt.Errorf("route: %q is not supported", word)
	}
	return nil
}

// lengthen adds the length of the destination of a line of route(8), by the netmask.
func (r *routeLine) lengthen(netmask string, host bool) error {
	if r.to == "default" || strings.Contains(r.to, "/") {
		return nil
	}
	to, err := netip.ParseAddr(r.to)
	if err != nil {
		return fmt.Errorf("the destination %q is not an IP address", r.to)
	}
	switch {
	case netmask != "":
		bits, err := maskBits(netmask)
		r.to = netip.PrefixFrom(to, bits).String()
		return err
	case host || to.Is6():
		return nil
	case to.IsUnspecified():
		r.to = "default"
		return nil
	}
	return errors.New("the destination has no netmask")
}
