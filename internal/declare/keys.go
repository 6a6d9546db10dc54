package declare

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/tunadm/tunadm/netcfg"
)

// A key is a property as the file has it. The table of them is what the file, its manual and its schema have in common.
type key struct {
	name        string
	kind        string // "string", "integer", "boolean", "array" of strings, or "string or integer"
	least, most int    // of an integer, in the unit that the manual tells

	set func(*Declaration, value) error // an error may be of the type valueErrors
}

// valueErrors are the wrong items of a list, or a wrong value with a hint.
type valueErrors []struct {
	at         int // offset
	text, hint string
}

func (e valueErrors) Error() string { return e[0].text }

var keys = []key{
	textKey("mode", func(d *Declaration, s string) (err error) { d.Spec.Mode, err = netcfg.ParseMode(s); return err }),
	idKey("user", func(d *Declaration, s string) { d.Access.User = &s }),
	idKey("group", func(d *Declaration, s string) { d.Access.Group = &s }),
	truthKey("anyone", func(d *Declaration, on bool) { d.Access.Anyone = on }),
	listKey("addresses", netcfg.ParseAddress, func(d *Declaration, list []netcfg.Address) { d.Spec.Addresses = &list }),
	listKey("routes", netcfg.ParseRoute, func(d *Declaration, list []netcfg.Route) { d.Spec.Routes = &list }),
	numberKey("mtu", netcfg.MTUMin, netcfg.MTUMax, func(d *Declaration, n int) { d.Spec.MTU = &n }),
	textKey("mac", func(d *Declaration, s string) (err error) { d.Spec.MAC, err = netcfg.ParseMAC(s); return err }),
	numberKey("txqueuelen", 0, math.MaxInt32, func(d *Declaration, n int) { d.Spec.TxQueueLen = &n }),
	textKey("alias", func(d *Declaration, s string) error { d.Spec.Alias = &s; return netcfg.CheckAlias(s) }),
	textKey("master", func(d *Declaration, s string) error {
		d.Spec.Master = &netcfg.Master{Name: s}
		if s == "" {
			return nil
		}
		return netcfg.CheckName(s)
	}),
	truthKey("promisc", func(d *Declaration, on bool) { d.Spec.Promisc = &on }),
	truthKey("multicast", func(d *Declaration, on bool) { d.Spec.Multicast = &on }),
	truthKey("multi_queue", func(d *Declaration, on bool) { d.Spec.MultiQueue = &on }),
	truthKey("vnet_hdr", func(d *Declaration, on bool) { d.Spec.VnetHdr = on }),
	truthKey("pi", func(d *Declaration, on bool) { d.Spec.PI = on }),
	truthKey("up", func(d *Declaration, on bool) { d.Spec.Up = &on }),
}

func findKey(name string) *key {
	for i := range keys {
		if keys[i].name == name {
			return &keys[i]
		}
	}
	return nil
}

// elsewhereKeys are the names of other tools and other notations.
var elsewhereKeys = map[string]string{
	"owner": "user", "address": "addresses", "ip": "addresses", "route": "routes", "hwaddr": "mac", "mac_address": "mac", "type": "mode",
	"kind": "mode", "bridge": "master", "vrf": "master", "qlen": "txqueuelen", "description": "alias", "multiqueue": "multi_queue",
}

func unknownKeyHint(name string) string {
	if name == "netns" {
		return "a namespace is the run's: tunadm apply --netns NS FILE"
	}
	if strings.ToLower(name) == "persist" {
		return "every declared device is persistent"
	}
	lower := strings.ReplaceAll(strings.ToLower(name), "-", "_")
	near := elsewhereKeys[lower]
	if near == "" {
		var known []string
		for _, k := range keys {
			known = append(known, k.name)
		}
		near = netcfg.Nearest(lower, known)
	}
	if near == "" {
		return ""
	}
	return "did you mean " + near + "?"
}

// wrongType is the error of a value of another type than the key's, with the line as it should be.
func wrongType(k key, v value) error {
	is := map[unstable.Kind]string{
		unstable.String: "text", unstable.Integer: "a number", unstable.Bool: "true or false", unstable.Array: "a list",
		unstable.Float: "a broken number", unstable.InlineTable: "a table",
	}[v.kind]
	if is == "" {
		is = "a date"
	}
	hint := ""
	switch {
	case k.name == "master" && v.text == "false":
		hint = `master = "" is none`
	case len(v.items) == 0:
		hint = k.right(v.text)
	}
	return valueErrors{{v.at, "wants " + k.wants() + ", not " + is, hint}}
}

// wants says of what type the value is to be.
func (k key) wants() string {
	switch k.kind {
	case "array":
		return "a list of texts"
	case "boolean":
		return "true or false"
	case "integer":
		return "a number"
	}
	return "text in quotes"
}

// right is the line as it should be, where a word stands as the value, or "" if the word is none for the key.
func (k key) right(word string) string {
	switch k.kind {
	case "array":
		return fmt.Sprintf("%s = [%q]", k.name, word)
	case "boolean":
		on := map[string]bool{"on": true, "yes": true, "off": false, "no": false, "true": true, "false": false, "0": false, "1": true}
		if b, known := on[strings.ToLower(word)]; known {
			return fmt.Sprintf("%s = %t", k.name, b)
		}
		return ""
	case "integer":
		if n, err := strconv.Atoi(word); err == nil {
			return fmt.Sprintf("%s = %d", k.name, n)
		}
		return ""
	}
	return fmt.Sprintf("%s = %q", k.name, word)
}

func textKey(name string, set func(*Declaration, string) error) key {
	k := key{name: name, kind: "string"}
	k.set = func(d *Declaration, v value) error {
		if v.kind != unstable.String {
			return wrongType(k, v)
		}
		return set(d, v.text)
	}
	return k
}

// idKey is a name, or a number.
func idKey(name string, set func(*Declaration, string)) key {
	k := key{name: name, kind: "string or integer", most: netcfg.IDMax}
	k.set = func(d *Declaration, v value) error {
		switch {
		case v.kind == unstable.Integer:
			n, err := parseInteger(v.text)
			if err != nil || n < 0 || n > netcfg.IDMax {
				return fmt.Errorf("%s is no number from 0 to %d", v.text, uint32(netcfg.IDMax))
			}
			v.text = strconv.Itoa(n)
		case v.kind != unstable.String:
			return wrongType(k, v)
		case v.text == "":
			return fmt.Errorf("the name is empty")
		}
		set(d, v.text)
		return nil
	}
	return k
}

func numberKey(name string, least, most int, set func(*Declaration, int)) key {
	k := key{name: name, kind: "integer", least: least, most: most}
	k.set = func(d *Declaration, v value) error {
		if v.kind != unstable.Integer {
			return wrongType(k, v)
		}
		n, err := parseInteger(v.text)
		if err != nil || n < least || n > most {
			return fmt.Errorf("%s is no number from %d to %d", v.text, least, most)
		}
		set(d, n)
		return nil
	}
	return k
}

// parseInteger reads a number as TOML writes them: 1_500, 0x5dc, +1500.
func parseInteger(s string) (int, error) {
	n, err := strconv.ParseInt(strings.TrimPrefix(s, "+"), 0, 0)
	return int(n), err
}

func truthKey(name string, set func(*Declaration, bool)) key {
	k := key{name: name, kind: "boolean"}
	k.set = func(d *Declaration, v value) error {
		if v.kind != unstable.Bool {
			return wrongType(k, v)
		}
		set(d, v.text == "true")
		return nil
	}
	return k
}

func listKey[T fmt.Stringer](name string, parse func(string) (T, error), set func(*Declaration, []T)) key {
	k := key{name: name, kind: "array"}
	k.set = func(d *Declaration, v value) error {
		if v.kind != unstable.Array {
			return wrongType(k, v)
		}
		list := make([]T, 0, len(v.items))
		var wrong valueErrors
		seen := make(map[string]bool, len(v.items))
		for _, item := range v.items {
			one, err := parse(item.text)
			switch {
			case item.kind != unstable.String:
				err = fmt.Errorf("%s is no text in quotes", item.text)
			case err == nil && seen[one.String()]:
				err = fmt.Errorf("%s stands in the list twice", item.text)
			}
			if err == nil {
				seen[one.String()] = true
			}
			if err != nil {
				wrong = append(wrong, valueErrors{{at: item.at, text: err.Error()}}...)
			}
			list = append(list, one)
		}
		if len(wrong) > 0 {
			return wrong
		}
		set(d, list)
		return nil
	}
	return k
}
