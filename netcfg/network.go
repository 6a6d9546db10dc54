package netcfg

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"sync"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A Network is everything outside a device that decides where its packets go.
type Network struct {
	Links  []*Device // all links of the namespace, of every kind, with their addresses, without routes
	Rules  []Rule    // in the kernel's order, IPv4 first
	Routes []NetworkRoute
}

// Network reads the namespace. It reuses the devices, which were read before, for their links.
func (ns *Namespace) Network(devices []*Device) (*Network, error) {
	links, err := ns.dumpLinks(false, true)
	if err != nil {
		return nil, fmt.Errorf("read links: %w", err)
	}
	if err := ns.readAddresses(links); err != nil {
		return nil, err
	}
	byIndex := indexed(links)
	known := indexed(devices)
	for i, l := range links {
		if m := byIndex[l.masterIndex]; m != nil {
			l.Master, l.MasterKind = m.Name, m.Kind
		}
		if d := known[l.Index]; d != nil {
			links[i] = d
		}
	}
	n := &Network{Links: links}
	if n.Rules, err = ns.readRules(); err != nil {
		return nil, err
	}
	return n, n.readRoutes(ns)
}

// Link returns the link with a name or an alternative name, or nil.
func (n *Network) Link(name string) *Device {
	for _, l := range n.Links {
		if l.Name == name || slices.Contains(l.AltNames, name) {
			return l
		}
	}
	return nil
}

// ByIndex returns the link with an index, or nil.
func (n *Network) ByIndex(index int) *Device {
	for _, l := range n.Links {
		if l.Index == index {
			return l
		}
	}
	return nil
}

// A Rule is a policy rule, see ip-rule(8).
type Rule struct {
	IPv6     bool
	Priority uint32
	From, To netip.Prefix // invalid: any
	In, Out  string       // devices; "": any
	Detached bool         // In or Out does not exist
	Table    uint32       // 0: none
	Mark     uint32       // the firewall mark; 0: any
	Action   string       // "prohibit" and the like; "": look up Table
	Protocol uint8        // the origin, such as kernel or static; it decides nothing
	Odd      bool         // the rule has conditions or actions that the other fields cannot express
}

// actions maps the kernel's types of rules and routes that discard packets to their names.
var actions = map[uint8]string{
	unix.RTN_BLACKHOLE: "blackhole", unix.RTN_UNREACHABLE: "unreachable", unix.RTN_PROHIBIT: "prohibit",
}

// Words returns the rule as ip rule add and ip rule del accept it.
func (r Rule) Words() string { return fix.Command{Words: r.words()}.String() }

func (r Rule) words() []string {
	words := []string{"pref", strconv.FormatUint(uint64(r.Priority), 10)}
	for _, part := range []struct {
		given       bool
		word, value string
	}{
		{r.From.IsValid(), "from", r.From.String()}, {r.To.IsValid(), "to", r.To.String()},
		{r.Mark != 0, "fwmark", fmt.Sprintf("%#x", r.Mark)}, {r.In != "", "iif", r.In}, {r.Out != "", "oif", r.Out},
		{r.Table != 0, "lookup", tableWord(r.Table)}, {r.Action != "", "type", r.Action},
	} {
		if part.given {
			words = append(words, part.word, part.value)
		}
	}
	return words
}

// tableWord returns a table as ip rule prints it.
func tableWord(table uint32) string {
	if table == tableLocal {
		return "local"
	}
	return strconv.FormatUint(uint64(table), 10)
}

// Delete returns the command that deletes the rule. If only a part of the rule is known, it returns a command that
// prints the rule.
func (r Rule) Delete() fix.Fix {
	ip := []string{"ip"}
	if r.IPv6 {
		ip = append(ip, "-6")
	}
	if r.Odd {
		show := append(ip, "rule", "show", "pref", strconv.FormatUint(uint64(r.Priority), 10))
		return fix.Fix{Before: "inspect the rule: ", Commands: []fix.Command{{Words: show, Namespace: true}}}
	}
	return fix.Run(fix.InNamespace(append(append(ip, "rule", "del"), r.words()...)...))
}

// detachedFlags are set if a rule names a device that does not exist.
const detachedFlags = unix.FIB_RULE_IIF_DETACHED | unix.FIB_RULE_OIF_DETACHED

// decodeRule decodes a message with a struct fib_rule_hdr, which is as long as a struct rtmsg.
func decodeRule(body []byte) (Rule, bool) {
	if len(body) < unix.SizeofRtMsg {
		return Rule{}, false
	}
	r := Rule{IPv6: body[0] == unix.AF_INET6, Table: uint32(body[4]), Action: actions[body[7]]}
	flags := rtnl.Uint32(body[8:])
	r.Detached = flags&detachedFlags != 0
	r.Odd = flags&unix.FIB_RULE_INVERT != 0 || body[3] != 0 || body[7] != unix.FR_ACT_TO_TBL && r.Action == ""
	for kind, value := range rtnl.Attributes(body[unix.SizeofRtMsg:]) {
		ip, _ := netip.AddrFromSlice(value)
		switch kind {
		case nl.FRA_PRIORITY:
			r.Priority = rtnl.Uint32(value)
		case nl.FRA_SRC:
			r.From = netip.PrefixFrom(ip, int(body[2]))
		case nl.FRA_DST:
			r.To = netip.PrefixFrom(ip, int(body[1]))
		case nl.FRA_IIFNAME:
			r.In = rtnl.Text(value)
		case nl.FRA_OIFNAME:
			r.Out = rtnl.Text(value)
		case nl.FRA_TABLE:
			r.Table = rtnl.Uint32(value)
		case nl.FRA_FWMARK:
			r.Mark = rtnl.Uint32(value)
		case nl.FRA_FWMASK:
			r.Odd = r.Odd || rtnl.Uint32(value) != 0xffffffff
		case nl.FRA_SUPPRESS_PREFIXLEN, nl.FRA_SUPPRESS_IFGROUP:
			r.Odd = r.Odd || rtnl.Uint32(value) != 0xffffffff
		case nl.FRA_PROTOCOL:
			r.Protocol = rtnl.Uint8(value)
		default:
			r.Odd = true
		}
	}
	return r, true
}

// A Way is where the kernel sends a packet of this host.
type Way struct {
	Index   int          // of the outgoing link; 0: none
	Local   bool         // the destination is this host
	Match   netip.Prefix // the destination prefix of the route
	Table   uint32
	Foreign bool // the kernel or a daemon added the route
}

// withWords makes the netlink library request the kernel's error messages.
var withWords = sync.OnceFunc(func() { nl.EnableErrorMessageReporting = true })

// Way returns where the kernel sends a packet with these addresses, by all rules and routes. Only a caller that changes
// nothing may use it: the library starts the poller of the Go runtime, see internal/rtnl.
func (ns *Namespace) Way(from, to netip.Addr) (Way, error) {
	withWords()
	options := &netlink.RouteGetOptions{SrcAddr: from.AsSlice(), FIBMatch: true}
	found, err := netlink.RouteGetWithOptions(to.AsSlice(), options)
	for _, none := range []error{unix.ENETUNREACH, unix.EACCES, unix.EHOSTUNREACH, unix.EINVAL} {
		if errors.Is(err, none) {
			return Way{}, nil // there is no route, or a rule forbids it
		}
	}
	if err != nil || len(found) == 0 {
		return Way{}, err
	}
	r := found[0]
	match, _ := netip.AddrFromSlice(r.Dst.IP) // the default route's IPv4 address has 16 bytes
	bits, _ := r.Dst.Mask.Size()
	return Way{Index: r.LinkIndex, Local: r.Type == unix.RTN_LOCAL, Match: netip.PrefixFrom(match.Unmap(), bits),
		Table: uint32(r.Table), Foreign: r.Protocol != unix.RTPROT_BOOT && r.Protocol != unix.RTPROT_STATIC}, nil
}

// A NetworkRoute is a route that the kernel did not derive from an address.
type NetworkRoute struct {
	Route
	Index   int    // of its link; 0: none, or several
	Barrier string // "unreachable" and the like, of a route that discards packets
}

// readRoutes reads the routes of both families.
func (n *Network) readRoutes(ns *Namespace) error {
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		routes, err := ns.routes(family, unix.RTPROT_UNSPEC, 0)
		if err != nil {
			return fmt.Errorf("read routes: %w", err)
		}
		for _, r := range routes {
			n.Routes = append(n.Routes, NetworkRoute{r.Route, r.index, r.barrier})
		}
	}
	return nil
}

// Main reports whether the route is in the main table.
func (r NetworkRoute) Main() bool { return r.table() == tableMain }
