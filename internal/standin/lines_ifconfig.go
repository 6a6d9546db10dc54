package standin

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/netcfg"
)

// An ifconfigLine collects the parts of an IPv4 address, which the words of a line set one by one.
type ifconfigLine struct {
	*Line
	address, netmask, peer, broadcast string

	alias bool // of an address, such as tap0:1, which the file has without its label
	added bool // an address was given; ifconfig(8) then brings the link up, even for 0.0.0.0
}

// readIfconfig reads a line of ifconfig(8).
func readIfconfig(words []string) (*Line, error) {
	c := &cursor{words}
	for c.more() && strings.HasPrefix(c.left[0], "-") {
		c.next()
	}
	if len(c.left) < 2 {
		return &Line{Act: Reads}, nil
	}
	i := &ifconfigLine{Line: &Line{Act: Changes, Name: c.next()}}
	if name, _, is := strings.Cut(i.Name, ":"); is {
		i.lose("label", i.Name)
		i.Name, i.alias = name, true
	}
	for c.more() {
		if err := i.word(c); err != nil {
			return nil, err
		}
	}
	return i.Line, i.end()
}

// word reads one word with its value.
func (i *ifconfigLine) word(c *cursor) (err error) {
	word := c.next()
	switch word {
	case "up":
		i.setUp()
	case "down":
		i.setDown()
	case "inet", "arp", "-trailers", "-allmulti", "-dynamic":
	case "promisc", "-promisc":
		i.setPromisc(word[0] != '-')
	case "multicast", "-multicast":
		i.setMulticast(word[0] != '-')
	case "-arp", "allmulti", "trailers", "dynamic", "-broadcast", "-pointopoint":
		i.lose(word)
	case "mtu", "txqueuelen":
		n, err := c.number(word)
		if word == "mtu" {
			i.setMTU(n)
		} else {
			i.setQueue(n)
		}
		return err
	case "hw":
		if kind, err := c.value(word); err != nil || kind != "ether" {
			return fmt.Errorf("hw %s is not supported", kind)
		}
		mac, err := c.value("hw ether")
		if err != nil {
			return err
		}
		return i.setMAC(mac)
	case "netmask":
		i.netmask, err = c.value(word)
	case "pointopoint", "dstaddr":
		i.peer, err = c.value(word)
	case "broadcast":
		i.broadcast, err = c.value(word)
	case "metric":
		err = i.skip(c, word, "0")
	case "add", "del", "inet6":
		return i.ipv6(word, c)
	default:
		if i.added {
			return fmt.Errorf("ifconfig: %q is not supported", word)
		}
		i.address, i.added = word, true
		i.setUp()
	}
	return err
}

// ipv6 reads an IPv6 address: add ADDRESS, del ADDRESS, or inet6 add ADDRESS.
func (i *ifconfigLine) ipv6(word string, c *cursor) error {
	if word == "inet6" && c.more() && (c.left[0] == "add" || c.left[0] == "del") {
		word = c.next()
	}
	text, err := c.value(word)
	if err != nil {
		return err
	}
	a, err := netcfg.ParseAddress(text)
	switch {
	case err != nil:
		return err
	case a.Local.Is4():
		return errors.New("aliases of ifconfig are not supported: add the address to the device itself")
	case word == "del":
		i.also(func(s *netcfg.Spec) {
			KeepAddresses(s, func(b netcfg.Address) bool { return a.Local != b.Local })
		})
		return nil
	}
	i.addAddress(a)
	return nil
}

// end sets the IPv4 address: it replaces the first one of the link.
func (i *ifconfigLine) end() error {
	if !i.added && i.netmask == "" && i.peer == "" && i.broadcast == "" {
		return nil
	}
	text, mask, masked := strings.Cut(i.address, "/")
	local, err := netip.ParseAddr(text)
	switch {
	case i.alias && (!i.added || err != nil || local.IsUnspecified()):
		return errors.New("only an address of an alias is supported")
	case !i.added:
		return errors.New("the netmask, the peer and the broadcast address of an earlier address cannot be changed")
	case text == "0" || err == nil && local.IsUnspecified():
		i.also(func(s *netcfg.Spec) { KeepAddresses(s, func(a netcfg.Address) bool { return a.Local.Is6() }) })
		return nil
	case err != nil || local.Is6():
		return fmt.Errorf("%q is not an IPv4 address", text)
	}
	if masked {
		i.netmask = mask
	}
	bits := -1
	if i.netmask != "" {
		if bits, err = maskBits(i.netmask); err != nil {
			return err
		}
	}
	i.try(func(s *netcfg.Spec) error { return i.set(s, local, bits) })
	return nil
}

// set sets the address. The kernel derives a missing length from the class of the address, and the broadcast address
// from the length, except on a tun, whose link is point-to-point.
func (i *ifconfigLine) set(s *netcfg.Spec, local netip.Addr, bits int) error {
	if bits < 0 {
		if bits = ClassBits(local); s.Mode == link.TUN {
			bits = 32
		}
	}
	length := "/" + strconv.Itoa(bits)
	peer := i.peer
	if peer != "" {
		peer += length
	}
	a, err := ParseAddress(local.String()+length, peer)
	if err != nil {
		return err
	}
	if i.broadcast != "" {
		a, err = WithBroadcast(a, i.broadcast)
	} else if s.Mode != link.TUN {
		a.Broadcast = classBroadcast(local, bits)
	}
	if err != nil {
		return err
	}
	replaced := i.alias
	KeepAddresses(s, func(b netcfg.Address) bool {
		first := b.Local.Is4() && !replaced
		replaced = replaced || first
		return !first
	})
	if i.alias {
		*s.Addresses = append(*s.Addresses, a)
		return nil
	}
	*s.Addresses = append([]netcfg.Address{a}, *s.Addresses...)
	return nil
}

// classBroadcast returns the broadcast address that the kernel derives when ifconfig(8) sets an address, and then its
// netmask: a netmask without one leaves that of the class.
func classBroadcast(local netip.Addr, bits int) netip.Addr {
	own := link.Address{Local: local, Bits: bits}.Derived()
	if !own.Broadcast.IsValid() {
		own.Bits = ClassBits(local)
	}
	return own.Derived().Broadcast
}
