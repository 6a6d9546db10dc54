package standin

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A VLAN is a range of VLANs that a port joins or leaves.
type VLAN struct {
	First, Last    int
	PVID, Untagged bool
	Remove         bool
}

// readBridge reads a line of bridge(8).
func readBridge(words []string) (*Line, error) {
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		if strings.HasPrefix("-netns", words[0]) {
			return nil, errElsewhere
		}
		words = words[1:]
	}
	if len(words) < 2 || ipVerb(words[1], "show", "lst", "list") != "" {
		return &Line{Act: Reads}, nil
	}
	c := &cursor{words[2:]}
	l := &Line{Act: Changes}
	switch {
	case abbreviates(words[0], "link") && abbreviates(words[1], "set"):
		if err := l.portWords(c); err != nil || l.Name != "" {
			return l, err
		}
		return nil, errors.New("bridge link set: the device is missing")
	case abbreviates(words[0], "vlan") && (abbreviates(words[1], "add") || abbreviates(words[1], "delete")):
		return readBridgeVLAN(c, abbreviates(words[1], "delete"))
	}
	return nil, fmt.Errorf("bridge %s %s is not supported", words[0], words[1])
}

// portWords reads the properties of a port of a bridge.
func (l *Line) portWords(c *cursor) error {
	for c.more() {
		key := c.next()
		if key == "master" || key == "self" {
			continue
		}
		value, err := c.value(key)
		if err != nil {
			return err
		}
		if key == "dev" {
			l.Name = value
			continue
		}
		name := map[string]string{"hairpin_mode": "hairpin", "unicast_flood": "flood", "path_cost": "cost",
			"prio": "priority"}[key]
		l.Options = append(l.Options, BridgeOption{cmp.Or(name, key), value})
	}
	return nil
}

func readBridgeVLAN(c *cursor, remove bool) (*Line, error) {
	l := &Line{Act: Filters, VLAN: VLAN{Remove: remove}}
	for c.more() {
		word := c.next()
		var err error
		switch word {
		case "dev":
			l.Name, err = c.value(word)
		case "vid":
			var text string
			if text, err = c.value(word); err == nil {
				err = l.VLAN.Parse(text)
			}
		case "pvid":
			l.VLAN.PVID = true
		case "untagged":
			l.VLAN.Untagged = true
		case "master":
		default:
			err = fmt.Errorf("bridge vlan: %q is not supported", word)
		}
		if err != nil {
			return nil, err
		}
	}
	if l.Name == "" || l.VLAN.First == 0 {
		return nil, errors.New("bridge vlan: the device or the VLAN is missing")
	}
	return l, nil
}

// Parse reads a VLAN or a range of them.
func (v *VLAN) Parse(text string) error {
	first, last, ranged := strings.Cut(text, "-")
	if !ranged {
		last = first
	}
	var err, err2 error
	v.First, err = strconv.Atoi(first)
	v.Last, err2 = strconv.Atoi(last)
	if err != nil || err2 != nil || v.First < 1 || v.Last > 4094 || v.Last < v.First {
		return fmt.Errorf("%q is neither a VLAN nor a range of VLANs", text)
	}
	return nil
}
