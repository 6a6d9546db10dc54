package declare

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/netcfg"
)

// A key is a property in the file. Tests compare the table of keys with the manual and the schema.
type key struct {
	name        string
	kind        string // "string", "integer", "boolean", "array" of strings, "array of integers", "table", ...
	least, most int64  // bounds of an integer, in the unit of the manual

	set   func(*Declaration, value) error // the error may be of type valueErrors
	value func(*netcfg.Spec) string       // as it is printed; "": not asked for; nil: not a setting of a bridge or port
}

// valueErrors are the wrong items of an array, or a wrong value with a hint.
type valueErrors []struct {
	at         int // offset
	text, hint string
}

// Error returns the text of the first.
func (e valueErrors) Error() string { return e[0].text }

// keys returns the table of keys, in the order of the manual. It is built on first use: most runs read no file.
var keys = sync.OnceValue(func() []key {
	return []key{
		textKey("mode", func(d *Declaration, s string) (err error) {
			d.Spec.Mode, err = link.ParseMode(s)
			return err
		}),
		idKey("user", func(d *Declaration, s string) { d.Access.User = &s }),
		idKey("group", func(d *Declaration, s string) { d.Access.Group = &s }),
		truthKey("anyone", func(d *Declaration, on bool) { d.Access.Anyone = on }),
		listKey("addresses", netcfg.ParseAddress, func(d *Declaration, list []netcfg.Address) {
			d.Spec.Addresses = &list
		}),
		listKey("routes", netcfg.ParseRoute, func(d *Declaration, list []netcfg.Route) { d.Spec.Routes = &list }),
		numberKey("mtu", link.MTUMin, link.MTUMax, func(d *Declaration, n int) { d.Spec.MTU = &n }),
		textKey("mac", func(d *Declaration, s string) (err error) { d.Spec.MAC, err = link.ParseMAC(s); return err }),
		numberKey("txqueuelen", 0, math.MaxInt32, func(d *Declaration, n int) { d.Spec.TxQueueLen = &n }),
		textKey("alias", func(d *Declaration, s string) error { d.Spec.Alias = &s; return link.CheckAlias(s) }),
		textKey("master", func(d *Declaration, s string) error {
			d.Spec.Master = &netcfg.Master{Name: s}
			if s == "" {
				return nil
			}
			return link.CheckName(s)
		}),
		truthKey("promisc", func(d *Declaration, on bool) { d.Spec.Promisc = &on }),
		truthKey("multicast", func(d *Declaration, on bool) { d.Spec.Multicast = &on }),
		truthKey("multi_queue", func(d *Declaration, on bool) { d.Spec.MultiQueue = &on }),
		truthKey("vnet_hdr", func(d *Declaration, on bool) { d.Spec.VnetHdr = on }),
		truthKey("pi", func(d *Declaration, on bool) { d.Spec.PI = on }),
		truthKey("up", func(d *Declaration, on bool) { d.Spec.Up = &on }),
		tableKey("port", portKeys),
		sysctlKey(),
	}
})

// findKey returns the key of a device of that name, or nil.
func findKey(name string) *key { return keyIn(keys(), name) }

func keyIn(table []key, name string) *key {
	for i := range table {
		if table[i].name == name {
			return &table[i]
		}
	}
	return nil
}

// textKey returns a key of type string.
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

// idKey returns the key of a user or a group: a name or a number.
func idKey(name string, set func(*Declaration, string)) key {
	k := key{name: name, kind: "string or integer", most: users.IDMax}
	k.set = func(d *Declaration, v value) error {
		switch {
		case v.kind == unstable.Integer:
			n, err := parseInteger(v.text)
			if err != nil || n < k.least || n > k.most {
				return fmt.Errorf("%s is out of range: %d to %d", v.text, k.least, k.most)
			}
			v.text = strconv.FormatInt(n, 10)
		case v.kind != unstable.String:
			return wrongType(k, v)
		case v.text == "":
			return errors.New("empty name")
		}
		set(d, v.text)
		return nil
	}
	return k
}

// numberKey returns a key of type integer.
func numberKey(name string, least, most int64, set func(*Declaration, int)) key {
	k := key{name: name, kind: "integer", least: least, most: most}
	k.set = func(d *Declaration, v value) error {
		if v.kind != unstable.Integer {
			return wrongType(k, v)
		}
		n, err := parseInteger(v.text)
		switch {
		case errors.Is(err, strconv.ErrSyntax): // from another tool
			return fmt.Errorf("%s is not an integer", v.text)
		case err != nil || n < k.least || n > k.most:
			return fmt.Errorf("%s is out of range: %d to %d", v.text, k.least, k.most)
		}
		set(d, int(n))
		return nil
	}
	return k
}

// parseInteger reads an integer of TOML: 1_500, 0x5dc or +1500.
func parseInteger(s string) (int64, error) {
	return strconv.ParseInt(strings.TrimPrefix(s, "+"), 0, 64)
}

// truthKey returns a key of type boolean.
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

// listKey returns a key of type array of strings. Items that are the same when printed may not be listed twice.
func listKey[T fmt.Stringer](name string, parse func(string) (T, error), set func(*Declaration, []T)) key {
	k := key{name: name, kind: "array"}
	k.set = func(d *Declaration, v value) error {
		if v.kind != unstable.Array {
			return wrongType(k, v)
		}
		list := make([]T, 0, len(v.items))
		var wrong valueErrors
		seen, several := make(map[string]bool, len(v.items)), len(v.items) > 1
		for _, item := range v.items {
			one, err := parse(item.text)
			switch {
			case item.kind != unstable.String:
				err = fmt.Errorf("%s is not a string in quotes", item.text)
			case err == nil && several && seen[one.String()]:
				err = fmt.Errorf("%s is listed twice", item.text)
			case err == nil && several:
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
