package loop

import (
	"net/netip"

	"github.com/tunadm/tunadm/internal/attach"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/state"
	"github.com/tunadm/tunadm/netcfg"
)

// A Memory is what a loop changed, or was about to change, in a namespace.
type Memory struct {
	Devices []device `json:"devices"`
	Rules   []rules  `json:"rules"` // one a family
}

// A device is one that End deletes, or returns to its earlier state.
type device struct {
	Name      state.Text   `json:"name"`
	Index     int          `json:"index"`
	Made      bool         `json:"made"` // End deletes it, and ignores the rest
	Addresses []netip.Addr `json:"addresses"`
	Routes    []route      `json:"routes"`
	MTU       *int         `json:"mtu"`  // nil: not changed
	Down      bool         `json:"down"` // it was down

	Before *attach.Traces `json:"before"` // what attaching to it changes; nil: the loop has not attached
}

// A route is one through a device to an address of the other end.
type route struct {
	To    netip.Prefix `json:"to"`
	Table uint32       `json:"table"`
}

// rules are the rules of one family that the loop adds and removes.
type rules struct {
	Add    []rule `json:"add"`
	Remove []rule `json:"remove"`
}

// A rule selects a table for packets that come in through a device, or for all packets.
type rule struct {
	IPv6     bool       `json:"ipv6"`
	Priority uint32     `json:"priority"`
	In       state.Text `json:"iif"` // "": any
	Table    uint32     `json:"table"`
	Protocol uint8      `json:"protocol"`
}

func recordOf(r netcfg.Rules) rules {
	list := func(all []rtnl.Rule) (to []rule) {
		for _, r := range all {
			to = append(to, rule{r.IPv6, r.Priority, state.Text(r.In), r.Table, r.Protocol})
		}
		return to
	}
	return rules{list(r.Add), list(r.Remove)}
}

// rules returns the rules that were written down.
func (r rules) rules() netcfg.Rules {
	list := func(all []rule) (to []rtnl.Rule) {
		for _, r := range all {
			to = append(to, rtnl.Rule{
				IPv6: r.IPv6, Priority: r.Priority, In: string(r.In), Table: r.Table, Protocol: r.Protocol,
			})
		}
		return to
	}
	return netcfg.Rules{Add: list(r.Add), Remove: list(r.Remove)}
}
