package standin

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tunadm/tunadm/netcfg"
)

func readIPAddress(c *cursor, verb string, _ bool) (*Line, error) {
	switch verb = ipVerb(verb, "add", "change", "chg", "replace", "delete", "show", "lst", "list", "flush"); verb {
	case "add", "change", "chg", "replace", "delete":
		return readAddressWords(c, verb == "delete")
	case "flush":
		l := &Line{Act: Changes}
		for c.more() {
			word := c.next()
			if word != "dev" && l.Name != "" {
				return nil, fmt.Errorf("ip addr flush: %q is not supported", word)
			} else if word != "dev" {
				l.Name = word
			}
		}
		l.also(func(s *netcfg.Spec) { KeepAddresses(s, func(netcfg.Address) bool { return false }) })
		return l, nil
	case "":
		return nil, errors.New("this verb of ip addr is not supported")
	}
	return &Line{Act: Reads}, nil
}

// readAddressWords reads the words after ip addr add and ip addr del.
func readAddressWords(c *cursor, remove bool) (*Line, error) {
	l, local, peer, broadcast := &Line{Act: Changes}, "", "", ""
	for c.more() {
		word := c.next()
		var err error
		switch word {
		case "dev":
			l.Name, err = c.value(word)
		case "local":
			local, err = c.value(word)
		case "peer", "remote":
			peer, err = c.value(word)
		case "broadcast", "brd":
			broadcast, err = c.value(word)
		case "label":
			err = l.skip(c, word, l.Name)
		case "scope":
			err = l.skip(c, word, "global")
		case "metric", "valid_lft", "preferred_lft":
			err = l.skip(c, word, "")
		default:
			if local != "" {
				return nil, fmt.Errorf("ip addr: %q is not supported", word)
			}
			local = word
		}
		if err != nil {
			return nil, err
		}
	}
	if l.Name == "" || local == "" {
		return nil, errors.New("ip addr: the device or the address is missing")
	}
	a, err := ParseAddress(local, peer)
	if err == nil && broadcast != "" && !remove {
		a, err = WithBroadcast(a, broadcast)
	}
	if err != nil {
		return nil, err
	}
	if remove {
		l.also(func(s *netcfg.Spec) {
			KeepAddresses(s, func(b netcfg.Address) bool { return a.Local != b.Local })
		})
	} else {
		l.addAddress(a)
	}
	return l, nil
}

// skip reads the value of a keyword that tunadm cannot express. The usual value is nothing to tell.
func (l *Line) skip(c *cursor, keyword, usual string) error {
	value, err := c.value(keyword)
	if value != usual || usual == "" {
		l.lose(keyword, value)
	}
	return err
}

// WithBroadcast returns the address with a broadcast address, as ip(8) reads it: of a network that has none, + is none.
func WithBroadcast(a netcfg.Address, text string) (netcfg.Address, error) {
	var err error
	if a.Local.Is4() && text == "+" {
		a.Address = a.Derived()
	} else {
		a.Broadcast, err = a.ParseBroadcast(text)
	}
	return a, err
}

// ParseAddress returns an address and its peer, which may be "". Its length may be a netmask. With a peer, ip(8)
// ignores the length of the address, and that of the peer counts.
func ParseAddress(local, peer string) (netcfg.Address, error) {
	local, err := withMask(local)
	if err != nil {
		return netcfg.Address{}, err
	}
	if peer == "" {
		return netcfg.ParseAddress(local)
	}
	local, _, _ = strings.Cut(local, "/")
	if peer, err = withMask(peer); err != nil {
		return netcfg.Address{}, err
	}
	return netcfg.ParseAddress(local + " peer " + peer)
}
