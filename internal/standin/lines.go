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

// An Act is what a [Line] does.
type Act uint8

// The acts.
const (
	Reads     Act = iota // it prints, and changes nothing
	Creates              // Request creates or deletes a TUN/TAP device
	Bridges              // it creates the bridge Name
	Removes              // it deletes the link Name
	Changes              // Set changes the link Name, and Options are those of the port
	Joins                // the links Ports join the bridge Name
	Leaves               // the links Ports leave the bridge Name
	Tunes                // it sets Options of the bridge Name
	Filters              // VLAN of the port Name
	Unrelated            // it does not configure a link
)

// A Line is a line of ip link, ip addr, ip route, ifconfig, route or brctl, or one of an emulated tool.
type Line struct {
	Act     Act
	Request *Request
	Name    string // of a route, it may be "": the kernel finds the link by Via
	Via     netip.Addr
	Ports   []string
	Options []BridgeOption // after the creation, or alone
	VLAN    VLAN
	Set     func(s *netcfg.Spec) error // nil: nothing
	Without []string                   // the parts of the line that tunadm cannot express
}

// A BridgeOption is a property of a bridge or of a port, by its name in a file. A time is in seconds.
type BridgeOption struct{ Name, Value string }

// ReadLine reads the words of a command line. The error is that of a line about a link that is not supported.
func ReadLine(words []string) (*Line, error) {
	l, err := readLine(words)
	if err == nil && l.Act == Changes && l.Set == nil && len(l.Options) == 0 {
		l.Act = Reads // it changes nothing
	}
	return l, err
}

func readLine(words []string) (*Line, error) {
	if len(words) == 0 {
		return &Line{Act: Unrelated}, nil
	}
	name := words[0][strings.LastIndexByte(words[0], '/')+1:]
	switch name {
	case "ifconfig":
		return readIfconfig(words[1:])
	case "route":
		return readRoute(words[1:])
	case "brctl":
		return readBrctl(words[1:])
	case "bridge":
		return readBridge(words[1:])
	case "ip":
		if l, err := readIP(words[1:]); l != nil || err != nil {
			return l, err
		}
	}
	tool := Find(name)
	if tool == nil {
		return &Line{Act: Unrelated}, nil
	}
	r, err := tool.Parse(words[1:])
	switch refusal := new(Refusal); {
	case errors.As(err, &refusal) && refusal.foreign:
		return &Line{Act: Unrelated}, nil
	case err != nil:
		return nil, err
	case r.Netns != "":
		return nil, errElsewhere
	case r.Node != "" && r.Node != driverNode:
		return nil, fmt.Errorf("tunadm opens the driver only at %s", driverNode)
	case r.Ask == Show || r.Ask == Nothing:
		return &Line{Act: Reads}, nil
	}
	return &Line{Act: Creates, Request: r, Name: r.Spec.Name}, nil
}

var errElsewhere = errors.New("it is in another network namespace")

// RootOwns reports whether the owner is the invoking user because the line names none.
func (r *Request) RootOwns() bool { return r.caller }

// A cursor reads the words of a line.
type cursor struct{ left []string }

func (c *cursor) more() bool { return len(c.left) > 0 }

func (c *cursor) next() string {
	word := c.left[0]
	c.left = c.left[1:]
	return word
}

// value returns the word after a keyword.
func (c *cursor) value(keyword string) (string, error) {
	if !c.more() {
		return "", fmt.Errorf("%s requires a value", keyword)
	}
	return c.next(), nil
}

// number reads the number after a keyword.
func (c *cursor) number(keyword string) (int, error) {
	text, err := c.value(keyword)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("%s: %q is not a number", keyword, text)
	}
	return n, nil
}

// also adds a change to the line.
func (l *Line) also(set func(s *netcfg.Spec)) {
	l.try(func(s *netcfg.Spec) error { set(s); return nil })
}

// try adds a change that can fail.
func (l *Line) try(set func(s *netcfg.Spec) error) {
	before := l.Set
	l.Set = func(s *netcfg.Spec) error {
		if before != nil {
			if err := before(s); err != nil {
				return err
			}
		}
		return set(s)
	}
}

func (l *Line) lose(words ...string) { l.Without = append(l.Without, strings.Join(words, " ")) }

func (l *Line) setMTU(n int) { l.also(func(s *netcfg.Spec) { s.MTU = &n }) }

func (l *Line) setMAC(text string) error {
	mac, err := link.ParseMAC(text)
	l.also(func(s *netcfg.Spec) { s.MAC = mac })
	return err
}

func (l *Line) setQueue(n int) { l.also(func(s *netcfg.Spec) { s.TxQueueLen = &n }) }

func (l *Line) setUp() { up := true; l.also(func(s *netcfg.Spec) { s.Up = &up }) }

// setDown takes the link down: the kernel then removes its routes and its IPv6 addresses.
func (l *Line) setDown() {
	l.also(func(s *netcfg.Spec) {
		up := false
		s.Up, s.Routes = &up, nil
		if s.Addresses != nil {
			KeepAddresses(s, func(a netcfg.Address) bool { return a.Local.Is4() })
		}
	})
}

func (l *Line) setMaster(name string) {
	l.also(func(s *netcfg.Spec) { s.Master = &netcfg.Master{Name: name} })
}

func (l *Line) leaveMaster() { l.also(func(s *netcfg.Spec) { s.Master = nil }) }

func (l *Line) setPromisc(on bool) { l.also(func(s *netcfg.Spec) { s.Promisc = &on }) }

func (l *Line) setMulticast(on bool) { l.also(func(s *netcfg.Spec) { s.Multicast = &on }) }

// addAddress adds an address that the link does not have yet.
func (l *Line) addAddress(a netcfg.Address) {
	l.also(func(s *netcfg.Spec) {
		KeepAddresses(s, func(b netcfg.Address) bool { return b.String() != a.String() })
		*s.Addresses = append(*s.Addresses, a)
	})
}

// KeepAddresses removes the addresses that keep refuses.
func KeepAddresses(s *netcfg.Spec, keep func(netcfg.Address) bool) {
	kept := []netcfg.Address{}
	if s.Addresses != nil {
		for _, a := range *s.Addresses {
			if keep(a) {
				kept = append(kept, a)
			}
		}
	}
	s.Addresses = &kept
}

// addRoute adds a route that the link does not have yet.
func (l *Line) addRoute(r netcfg.Route) {
	l.Via = r.Via
	l.also(func(s *netcfg.Spec) {
		dropRoute(s, r)
		*s.Routes = append(*s.Routes, r)
	})
}

// dropRoute removes a route.
func dropRoute(s *netcfg.Spec, r netcfg.Route) {
	kept := []netcfg.Route{}
	if s.Routes != nil {
		for _, old := range *s.Routes {
			if old.String() != r.String() {
				kept = append(kept, old)
			}
		}
	}
	s.Routes = &kept
}

// onOff reads "on" or "off".
func onOff(keyword, text string) (bool, error) {
	switch text {
	case "on":
		return true, nil
	case "off":
		return false, nil
	}
	return false, fmt.Errorf("%s: %q is neither on nor off", keyword, text)
}

// maskBits returns the length of a netmask: 255.255.255.0, or 24.
func maskBits(text string) (int, error) {
	if n, err := strconv.Atoi(text); err == nil && n >= 0 && n <= 128 {
		return n, nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil || !a.Is4() {
		return 0, fmt.Errorf("%q is not a netmask", text)
	}
	bits, ended := 0, false
	for _, b := range a.As4() {
		for i := 7; i >= 0; i-- {
			if one := b>>i&1 == 1; one && ended {
				return 0, fmt.Errorf("%q is not a netmask", text)
			} else if one {
				bits++
			} else {
				ended = true
			}
		}
	}
	return bits, nil
}

// ClassBits returns the length of the network of an IPv4 address that is given without one: by its class.
func ClassBits(a netip.Addr) int {
	if a.Is6() {
		return 128
	}
	switch first := a.As4()[0]; {
	case first < 128:
		return 8
	case first < 192:
		return 16
	case first < 224:
		return 24
	}
	return 32
}

// withMask returns an address whose length may be a netmask, as ADDRESS/LENGTH.
func withMask(text string) (string, error) {
	address, mask, masked := strings.Cut(text, "/")
	if !masked || !strings.Contains(mask, ".") {
		return text, nil
	}
	bits, err := maskBits(mask)
	return address + "/" + strconv.Itoa(bits), err
}
