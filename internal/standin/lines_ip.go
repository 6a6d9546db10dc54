package standin

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/netcfg"
)

// ipObjects are in the order in which ip(8) compares them.
var ipObjects = []string{
	"address", "addrlabel", "maddress", "route", "rule", "neighbor", "neighbour", "ntable", "ntbl", "link", "l2tp",
	"fou", "ila", "macsec", "tunnel", "tunl", "tuntap", "tap",
}

// readIP reads a line of ip link, ip addr or ip route. It returns nil for other objects.
func readIP(words []string) (*Line, error) {
	r := &Request{}
	words, err := r.ipOptions(words)
	if err != nil || len(words) == 0 {
		return nil, err
	}
	i := slices.IndexFunc(ipObjects, func(o string) bool { return abbreviates(words[0], o) })
	if i < 0 {
		return nil, nil
	}
	read := map[string]func(c *cursor, verb string, six bool) (*Line, error){
		"link": readIPLink, "address": readIPAddress, "route": readIPRoute,
	}[ipObjects[i]]
	switch {
	case ipObjects[i] == "rule":
		return nil, errors.New("policy rules cannot be declared")
	case read == nil:
		return nil, nil
	case r.Netns != "":
		return nil, errElsewhere
	case len(words) == 1:
		return &Line{Act: Reads}, nil
	}
	return read(&cursor{words[2:]}, words[1], r.six)
}

// ipVerb returns the first verb that a word abbreviates.
func ipVerb(word string, verbs ...string) string {
	for _, v := range verbs {
		if abbreviates(word, v) {
			return v
		}
	}
	return ""
}

func readIPLink(c *cursor, verb string, _ bool) (*Line, error) {
	switch ipVerb(verb, "add", "set", "change", "replace", "delete", "stats", "afstats", "show", "lst", "list") {
	case "add", "replace":
		return newIPLink(c)
	case "set", "change":
		l := &Line{Act: Changes}
		return l, l.linkWords(c)
	case "delete":
		l := &Line{Act: Removes}
		for c.more() {
			if word := c.next(); word == "type" {
				break
			} else if word != "dev" && word != "name" {
				l.Name = word
			}
		}
		return l, nil
	case "":
		return nil, fmt.Errorf("ip link %s is not supported", verb)
	}
	return &Line{Act: Reads}, nil
}

// newIPLink reads the words after ip link add. Only bridges are supported.
func newIPLink(c *cursor) (*Line, error) {
	for i, word := range c.left {
		if word != "type" {
			continue
		}
		if i+1 == len(c.left) || c.left[i+1] != "bridge" {
			return &Line{Act: Unrelated}, nil
		}
		l := &Line{Act: Bridges}
		if err := l.linkWords(&cursor{c.left[:i]}); err != nil {
			return nil, err
		}
		return l, l.bridgeWords(&cursor{c.left[i+2:]})
	}
	return &Line{Act: Unrelated}, nil
}

// linkWords reads the properties of ip link set.
func (l *Line) linkWords(c *cursor) error {
	for c.more() {
		word := c.next()
		var err error
		switch {
		case word == "up":
			l.setUp()
		case word == "down":
			l.setDown()
		case word == "nomaster":
			l.leaveMaster()
		case word == "type":
			return l.linkType(c)
		case word == "dev" || word == "name" && l.Act == Bridges:
			l.Name, err = c.value(word)
		case slices.Contains(ipLinkKeys, word) || len(word) > 1 && abbreviates(word, "address") ||
			len(word) > 1 && abbreviates(word, "txqueuelen"):
			err = l.linkValue(word, c)
		case l.Name == "":
			l.Name = word
		default:
			err = fmt.Errorf("ip link set: %q is not supported", word)
		}
		if err != nil {
			return err
		}
	}
	if l.Name == "" {
		return errors.New("ip link set: the device is missing")
	}
	return nil
}

// ipLinkKeys are the words that are followed by a value.
var ipLinkKeys = []string{"mtu", "address", "txqueuelen", "txqlen", "qlen", "alias", "master", "promisc", "multicast"}

// linkValue reads the value of a property.
func (l *Line) linkValue(key string, c *cursor) error {
	if key == "mtu" || key[0] == 't' || key == "qlen" {
		n, err := c.number(key)
		if key == "mtu" {
			l.setMTU(n)
		} else {
			l.setQueue(n)
		}
		return err
	}
	value, err := c.value(key)
	if err != nil {
		return err
	}
	switch {
	case key == "alias":
		l.also(func(s *netcfg.Spec) { s.Alias = &value })
		return link.CheckAlias(value)
	case key == "master":
		l.setMaster(value)
	case key == "promisc" || key == "multicast":
		on, err := onOff(key, value)
		if key == "promisc" {
			l.setPromisc(on)
		} else {
			l.setMulticast(on)
		}
		return err
	default:
		return l.setMAC(value)
	}
	return nil
}

// linkType reads the words after ip link set DEV type.
func (l *Line) linkType(c *cursor) error {
	kind, err := c.value("type")
	switch {
	case err != nil:
		return err
	case kind == "bridge" && l.Set == nil && l.Name != "":
		l.Act = Tunes
		return l.bridgeWords(c)
	case kind == "bridge_slave" && l.Act == Changes:
		return l.portWords(c)
	}
	return fmt.Errorf("type %s is not supported", kind)
}

// bridgeWords reads the properties of a bridge.
func (l *Line) bridgeWords(c *cursor) error {
	for c.more() {
		key := c.next()
		value, err := c.value(key)
		if err != nil {
			return err
		}
		l.Options = append(l.Options, bridgeOption(key, value))
	}
	return nil
}

// bridgeOption returns a property of ip(8), which has times in hundredths of a second.
func bridgeOption(key, value string) BridgeOption {
	name := map[string]string{"stp_state": "stp", "ageing_time": "ageing", "mcast_snooping": "multicast_snooping"}[key]
	switch n, err := strconv.Atoi(value); key {
	case "forward_delay", "ageing_time", "hello_time", "max_age":
		if err == nil {
			value = strconv.FormatFloat(float64(n)/100, 'f', -1, 64)
		}
	}
	return BridgeOption{cmp.Or(name, key), value}
}
