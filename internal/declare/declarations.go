package declare

import (
	"errors"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/tunadm/tunadm/netcfg"
)

// declare makes the declarations of the sections. What is wrong in one of them leaves it out.
func (d *document) declare() []Declaration {
	all := make([]Declaration, 0, len(d.order))
	var defaults []entry
	if s := d.sections[headDefaults]; s != nil {
		s.entries = d.knownKeys(s)
		for _, e := range s.entries {
			if !e.value.numbered() { // that is tried with each number
				d.apply(&Declaration{}, e, nameRange{one: true}, 0)
			}
		}
		defaults = s.entries
	}
	for _, s := range d.order {
		if s.device == "" {
			continue
		}
		s.entries = d.knownKeys(s)
		r, err := parseRange(s.device)
		if err != nil {
			d.mistake(s.at, "", "%q is no device name: %v", s.device, err)
			continue
		}
		entries := withDefaults(s.entries, defaults)
		d.sharedMAC(r, entries)
		for n := r.first; n <= r.last; n++ {
			if one := (Declaration{Spec: netcfg.Spec{Name: r.name(n)}}); d.fill(&one, s, r, n, entries) {
				all = append(all, one)
			}
		}
	}
	return all
}

// knownKeys are the entries whose keys are known; the others are mistakes.
func (d *document) knownKeys(s *section) (known []entry) {
	for _, e := range s.entries {
		if findKey(e.key) == nil {
			d.mistake(e.at, unknownKeyHint(e.key), "unknown key %q", e.key)
		} else {
			known = append(known, e)
		}
	}
	return known
}

// isAccess says whether the key is one of the three that are one property.
func isAccess(e entry) bool { return e.key == "user" || e.key == "group" || e.key == "anyone" }

// withDefaults are the entries of a section, and those of the defaults that it does not have itself.
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

// sharedMAC refuses one Ethernet address for all devices of a range.
func (d *document) sharedMAC(r nameRange, entries []entry) {
	for _, e := range entries {
		if e.key == "mac" && !r.single() && !strings.Contains(e.value.text, "{n") {
			d.mistake(e.value.at, `let the number be part of it: "02:00:5e:10:00:{n:02x}"`, "mac: the devices of a range cannot all have the same")
		}
	}
}

// fill makes one declaration, and says whether there is nothing wrong with it.
func (d *document) fill(one *Declaration, s *section, r nameRange, n int, entries []entry) bool {
	one.Place = d.place(s.at)
	one.source, one.caret = d.excerpt(s.at)
	if err := netcfg.CheckName(one.Spec.Name); err != nil {
		d.mistake(s.at, "", "%q is no device name: %v", one.Spec.Name, err)
		return false
	}
	if netcfg.IsTemplate(one.Spec.Name) {
		d.mistake(s.at, `several devices are a range: [device."tun[0-9]"]`, "%q leaves its number to the kernel, which would make another one each time", one.Spec.Name)
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

// apply does one entry, and says whether it can be.
func (d *document) apply(one *Declaration, e entry, r nameRange, n int) bool {
	v, err := e.value.filled(r, n)
	if err == nil {
		err = findKey(e.key).set(one, v)
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

// numbered says that the number of a range is part of the value.
func (v value) numbered() bool {
	return strings.Contains(v.text, "{n") || slices.ContainsFunc(v.items, value.numbered)
}

// filled is the value with the number of the range in its strings.
func (v value) filled(r nameRange, n int) (value, error) {
	var err error
	if v.kind == unstable.String {
		v.text, err = r.fill(v.text, n)
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

// check refuses properties that do not go together, whatever the kernel has; whole says that each by itself is good.
func (d *document) check(one *Declaration, s *section, entries []entry, whole bool) bool {
	at := func(key string) int {
		for _, e := range entries {
			if e.key == key {
				return e.value.at
			}
		}
		return s.at
	}
	spec, good := &one.Spec, whole
	has := func(key string) bool { return at(key) != s.at }
	if spec.Mode == 0 && !has("mode") {
		if spec.Mode = netcfg.ModeOf(spec.Name); spec.Mode == 0 {
			d.mistake(s.at, `mode = "tun" or mode = "tap"`, "%q begins with neither tun nor tap, and no mode is given", spec.Name)
			good = false
		}
	}
	if a := one.Access; a.Anyone && (a.User != nil || a.Group != nil) {
		d.mistake(at("anyone"), "", "anyone and a user or group exclude each other")
		good = false
	}
	if !good {
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

// impossible notes why a device cannot be, at the property that is to blame.
func (d *document) impossible(err error, name string, at func(key string) int) {
	e := new(netcfg.Error)
	if !errors.As(err, &e) {
		return
	}
	key, _, _ := strings.Cut(e.What, " ")
	if plural := map[string]string{"address": "addresses", "route": "routes"}[key]; plural != "" {
		key = plural
	}
	hint := e.Hint().String()
	if e.Cause == netcfg.DeviceDown {
		hint = "up = true, or leave it out"
	}
	d.mistake(at(key), hint, "device %q: %v", name, e)
}
