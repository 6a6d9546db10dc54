package declare

import (
	"errors"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/netcfg"
)

// declare returns the declarations of the sections that have no mistakes.
func (d *document) declare() []Declaration {
	all := make([]Declaration, 0, len(d.order))
	var defaults []entry
	if s := d.sections[headDefaults]; s != nil {
		s.entries = d.knownKeys(s)
		for _, e := range s.entries {
			if !e.value.numbered() { // a value with a number is tried with each number
				d.apply(&Declaration{}, e, link.Range{Plain: true}, 0)
			}
		}
		defaults = s.entries
	}
	for _, s := range d.order {
		if s.device == "" {
			continue
		}
		s.entries = d.knownKeys(s)
		r, err := link.ParseRange(s.device)
		if err != nil {
			d.mistake(s.at, "", "%q is not a device name: %v", s.device, err)
			continue
		}
		entries := s.entries
		if s.head == headDevice {
			entries = withDefaults(s.entries, defaults)
		}
		d.sharedMAC(r, entries)
		all = slices.Grow(all, r.Last-r.First+1)
		for n := r.First; n <= r.Last; n++ {
			all = append(all, Declaration{Spec: netcfg.Spec{Name: r.Name(n)}})
			one := &all[len(all)-1]
			if s.head == headBridge {
				one.Spec.Kind = netcfg.Bridge
			}
			if !d.fill(one, s, r, n, entries) {
				all = all[:len(all)-1]
			}
		}
	}
	return all
}

// knownKeys returns the entries whose keys are known. The others are mistakes.
func (d *document) knownKeys(s *section) []entry {
	known := s.entries[:0] // each overwrites one that was looked at
	for _, e := range s.entries {
		switch {
		case s.head == headBridge && keyIn(bridgeKeys(), e.key) == nil:
			d.mistake(e.at, nearestKey(e.key, bridgeKeys()), "a bridge has no key %q", e.key)
		case s.head != headBridge && findKey(e.key) == nil:
			d.mistake(e.at, unknownKeyHint(e.key), "unknown key %q", e.key)
		default:
			known = append(known, e)
		}
	}
	return known
}

// isAccess reports whether the key is one of the three that are one property.
func isAccess(e entry) bool { return e.key == "user" || e.key == "group" || e.key == "anyone" }

// withDefaults returns the entries of a section and the defaults of the keys that it does not have.
func withDefaults(own, defaults []entry) []entry {
	all := own
	for _, e := range defaults {
		has := func(o entry) bool { return o.key == e.key || isAccess(o) && isAccess(e) }
		if !slices.ContainsFunc(own, has) {
			all = append(slices.Clip(all), e)
		}
	}
	return all
}

// sharedMAC refuses one MAC address for all devices of a range.
func (d *document) sharedMAC(r link.Range, entries []entry) {
	for _, e := range entries {
		if e.key == "mac" && !r.Single() && !strings.Contains(e.value.text, "{n") {
			hint := `include the number: "02:00:5e:10:00:{n:02x}"`
			d.mistake(e.value.at, hint, "mac: the devices of a range require different addresses")
		}
	}
}

// fill completes one declaration, and reports whether it has no mistakes.
func (d *document) fill(one *Declaration, s *section, r link.Range, n int, entries []entry) bool {
	one.place = d.place(s.at)
	one.source, one.caret = d.excerpt(s.at)
	if err := link.CheckName(one.Spec.Name); err != nil {
		d.mistake(s.at, "", "%q is not a device name: %v", one.Spec.Name, err)
		return false
	}
	if link.IsTemplate(one.Spec.Name) {
		hint := `declare a range: [device."tun[0-9]"]`
		d.mistake(s.at, hint, "%q leaves the number to the kernel: each run would create another device", one.Spec.Name)
		return false
	}
	up := true
	one.Spec.Up = &up
	good := true
	for _, e := range entries {
		good = d.apply(one, e, r, n) && good
	}
	return d.check(one, s, entries, good)
}

// apply sets the property of one entry, and reports whether its value is valid.
func (d *document) apply(one *Declaration, e entry, r link.Range, n int) bool {
	v, err := e.value.filled(r, n)
	if err == nil {
		table := keys()
		if one.Spec.Kind == netcfg.Bridge {
			table = bridgeKeys()
		}
		err = keyIn(table, e.key).set(one, v)
	}
	switch err := err.(type) {
	case nil:
		return true
	case valueErrors:
		for _, item := range err {
			d.mistake(item.at, item.hint, "%s: %s", e.key, item.text)
		}
	default:
		d.mistake(e.value.at, "", "%s: %v", e.key, err)
	}
	return false
}

// numbered reports whether the number of a range is part of the value.
func (v value) numbered() bool {
	return strings.Contains(v.text, "{n") || slices.ContainsFunc(v.items, value.numbered)
}

// filled returns the value with the number of the range in its strings.
func (v value) filled(r link.Range, n int) (value, error) {
	var err error
	if v.kind == unstable.String {
		v.text, err = fill(r, v.text, n)
		return v, err
	}
	if len(v.items) == 0 {
		return v, nil
	}
	v.items = slices.Clone(v.items)
	for i, item := range v.items {
		if v.items[i], err = item.filled(r, n); err != nil {
			return v, valueErrors{{at: item.at, text: err.Error()}}
		}
	}
	return v, nil
}

// check refuses properties that exclude each other on every kernel. valid reports that each alone is valid.
func (d *document) check(one *Declaration, s *section, entries []entry, valid bool) bool {
	at := func(key string) int {
		for _, e := range entries {
			if e.key == key {
				return e.value.at
			}
		}
		return s.at
	}
	spec := &one.Spec
	valid = d.checkBridge(one, at) && valid
	if spec.Kind == "" && spec.Mode == 0 && at("mode") == s.at {
		if spec.Mode = link.ModeOf(spec.Name); spec.Mode == 0 {
			hint := `mode = "tun" or mode = "tap"`
			d.mistake(s.at, hint, "%q begins with neither tun nor tap, and no mode is given", spec.Name)
			valid = false
		}
	}
	if a := one.Access; a.Anyone && (a.User != nil || a.Group != nil) {
		d.mistake(at("anyone"), "", "anyone and a user or group exclude each other")
		valid = false
	}
	if !valid {
		return false
	}
	wrong := spec.Impossible()
	if err := spec.Check(); err != nil {
		wrong = append(wrong, err)
	}
	for _, err := range wrong {
		d.impossible(err, spec.Name, at)
	}
	return len(wrong) == 0
}

// blamed holds the key at which an impossible property is reported. Other causes are reported at the table.
var blamed = map[cause.Cause]string{
	cause.MTUBounds: "mtu", cause.MTUBelowIPv6: "mtu", cause.TunHasNoMAC: "mac", cause.TunInBridge: "master",
	cause.DeviceDown: "routes",
}

// impossible reports why a device cannot exist.
func (d *document) impossible(err error, name string, at func(key string) int) {
	e := new(cause.Error)
	if !errors.As(err, &e) {
		return
	}
	hint := e.Hint()
	if e.Cause == cause.DeviceDown {
		hint = fix.Sentence("up = true, or leave it out")
	}
	d.mistakeWith(hint, at(blamed[e.Cause]), "device %q: %v", name, e)
}
