package netcfg

import (
	"fmt"
	"net/netip"
)

// A DetourEnd is one of the two devices of a detour, with its address: IPv4, IPv6 or one of each.
type DetourEnd struct {
	Device    string
	Index     int // 0: not known yet; the detour can be told, not made
	Addresses []netip.Addr
}

// A Detour leads the traffic between addresses of this host out of one device and into the other. The kernel takes such traffic
// for its own affair, by a rule that is asked before all others; the detour asks one more before that. The turns are done in
// their order, and undone in the reverse, so that at no moment there is no rule for the host's own addresses.
type Detour struct {
	Priorities [3]uint32 // of the rules: for what comes from the devices, for what this host sends, for its own addresses
	Table      uint32    // of the routes
	Turns      []Turn
}

// A Turn is one change of the rules or the routes of a namespace. Message tells exactly what comes or goes, so that nothing else is ever removed.
type Turn struct {
	IPv6    bool   `json:"ipv6"`
	Route   bool   `json:"route"`  // of a route; else of a rule
	Remove  bool   `json:"remove"` // it goes, instead of coming
	Words   string `json:"words"`  // as ip(8) has it, after add or del
	Message []byte `json:"message"`
}

// Undo is the turn that takes this one back.
func (t Turn) Undo() Turn {
	t.Remove = !t.Remove
	return t
}

// String is the turn as a command of ip(8).
func (t Turn) String() string {
	family, object, verb := "", "rule", "add"
	if t.IPv6 {
		family = "-6 "
	}
	if t.Route {
		object = "route"
	}
	if t.Remove {
		verb = "del"
	}
	return fmt.Sprintf("ip %s%s %s %s", family, object, verb, t.Words)
}

// detourPriorities are three that nobody uses, before every other rule but the kernel's first, which are those that most people know
// unless there are others before them.
func detourPriorities(rules []Rule) (p [3]uint32, err error) {
	p = [3]uint32{100, 200, 1000}
	for _, r := range rules {
		switch {
		case r.Priority == 0 || r.Priority > p[2]:
		case r.Priority <= 3:
			return p, &Error{Detail: fmt.Sprintf("no room for three rules before %q", r.Words())}
		default:
			p = [3]uint32{r.Priority - 3, r.Priority - 2, r.Priority - 1}
		}
	}
	return p, nil
}
