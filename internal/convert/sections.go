package convert

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/standin"
	"github.com/tunadm/tunadm/netcfg"
)

// A section is a header in brackets, and the settings below it.
type section struct {
	setting // the header
	name    string
	entries []*setting
}

// sections returns the sections of a file of settings. A backslash at the end of a line continues it if continued.
func sections(s *Source, continued bool) (all []*section) {
	for n := 1; n <= len(s.lines); n++ {
		line := &setting{source: s, first: n, last: n}
		text := s.line(n)
		if text == "" || text[0] == '#' || text[0] == ';' {
			continue
		}
		if text[0] == '[' && strings.HasSuffix(text, "]") {
			all = append(all, &section{setting: *line, name: text[1 : len(text)-1]})
			continue
		}
		for continued && strings.HasSuffix(text, `\`) && n < len(s.lines) {
			n++
			line.last = n
			text = strings.TrimSpace(strings.TrimSuffix(text, `\`)) + " " + s.line(n)
		}
		key, value, ok := strings.Cut(text, "=")
		if !ok || len(all) == 0 {
			continue
		}
		line.key, line.value = strings.TrimSpace(key), strings.TrimSpace(value)
		last := all[len(all)-1]
		last.entries = append(last.entries, line)
	}
	return all
}

// entry returns the last setting of a key, or nil.
func (s *section) entry(key string) *setting {
	for _, e := range slices.Backward(s.entries) {
		if e.key == key {
			return e
		}
	}
	return nil
}

// value returns the value of a key, or "".
func (s *section) value(key string) string {
	if e := s.entry(key); e != nil {
		return e.value
	}
	return ""
}

// rest adds a remark for the settings that nobody has read.
func (s *section) rest() {
	for _, e := range s.entries {
		if !e.source.read[e.first-1] {
			e.leave("not supported")
		}
	}
}

// isYes reads a boolean.
func isYes(text string) (on bool, err error) {
	switch strings.ToLower(text) {
	case "yes", "true", "on", "1", "y", "t":
		return true, nil
	case "no", "false", "off", "0", "n", "f":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither yes nor no", text)
}

// sets applies a setting to a link, and marks it.
func (e *setting) sets(spec *netcfg.Spec, set func(*netcfg.Spec) error) {
	e.result(change(spec, set))
}

// setsNumber applies a number.
func (e *setting) setsNumber(spec *netcfg.Spec, set func(*netcfg.Spec, *int)) {
	e.sets(spec, func(s *netcfg.Spec) error {
		n, err := strconv.Atoi(e.value)
		if err != nil {
			return fmt.Errorf("%q is not a number", e.value)
		}
		set(s, &n)
		return nil
	})
}

// setsTruth applies a boolean.
func (e *setting) setsTruth(spec *netcfg.Spec, set func(*netcfg.Spec, *bool)) {
	e.sets(spec, func(s *netcfg.Spec) error {
		on, err := isYes(e.value)
		set(s, &on)
		return err
	})
}

// setsMAC applies a MAC address.
func (e *setting) setsMAC(spec *netcfg.Spec) {
	e.sets(spec, func(s *netcfg.Spec) (err error) { s.MAC, err = link.ParseMAC(e.value); return err })
}

// addAddress adds an address to a link. Its broadcast address may be "", for none.
func addAddress(spec *netcfg.Spec, local, peer, broadcast string) error {
	a, err := standin.ParseAddress(local, peer)
	if err == nil && a.Local.Is4() && broadcast != "" {
		a, err = standin.WithBroadcast(a, broadcast)
	}
	if err != nil {
		return err
	}
	return change(spec, func(s *netcfg.Spec) error {
		standin.KeepAddresses(s, func(b netcfg.Address) bool { return b.String() != a.String() })
		*s.Addresses = append(*s.Addresses, a)
		return nil
	})
}

// addRoute adds a route to a link.
func addRoute(spec *netcfg.Spec, r netcfg.Route) error {
	return change(spec, func(s *netcfg.Spec) error {
		routes := []netcfg.Route{}
		if s.Routes != nil {
			routes = slices.Clone(*s.Routes)
		}
		routes = append(routes, r)
		s.Routes = &routes
		return nil
	})
}
