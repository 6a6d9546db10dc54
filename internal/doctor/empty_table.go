package doctor

import (
	"fmt"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/rtnl"
)

// emptyTable finds a policy rule for some packets that looks up a table without routes, if the device may be meant
// there: the rule names it, or it is a tun that no default route leads to. A table loses its routes with the device.
func emptyTable(v *view) []Finding {
	d := v.layer3()
	if !v.asked() || !d.Up || len(own(d)) == 0 {
		return nil
	}
	for _, r := range v.policies {
		if r.Action != "" || r.Table == 0 || ordinary(r.Table) || r.VRF || r.Not || r.Detached || !selects(r) {
			continue
		}
		exit := d.Mode == link.TUN && !v.hasDefault(d, r.IPv6) && r.In != d.Name
		if !exit && r.In != d.Name || len(v.host.RoutesIn(r.Table, r.IPv6)) > 0 || v.ofOther(r) {
			continue
		}
		add := fix.Sentence("add the routes of this table: ip route add default via GATEWAY dev DEVICE table " +
			tableWord(r.Table))
		if exit {
			family := map[bool][]string{true: {"-6"}}[r.IPv6]
			add = fix.Run(ip(append(family, "route", "add", "default", "dev", d.Name, "table", tableWord(r.Table))...))
			add.Before = "if these packets are for the device: "
		}
		return one(Warning, fmt.Sprintf("a policy rule looks up table %s, which has no route: %s", tableWord(r.Table),
			r.Words()), "the packets take the routes of the next rules; with a device, or when it goes down, the "+
			"kernel deletes its routes in all tables", add)
	}
	return nil
}

// selects reports whether a rule is for packets that arrive through a device, or that some addresses or users send.
func selects(r rtnl.Rule) bool {
	return r.In != "" && r.In != "lo" || r.From.IsValid() && r.From.Bits() > 0 || r.ByUID
}

// ofOther reports whether a rule is for what an address sends that belongs to a link which is not in use, as that of
// another provider, or that nothing here has: it waits for this link, and not for the device.
func (v *view) ofOther(r rtnl.Rule) bool {
	if !r.From.IsValid() || r.From.Bits() == 0 {
		return false
	}
	for number, a := range v.addressesOf(r.From.Addr().Is6()) {
		if !r.From.Contains(a.Local) {
			continue
		}
		if l := v.byIndex(number); l != nil && !(l.Up && l.Carrier) {
			return true
		}
	}
	if !r.From.IsSingleIP() || v.isOwn(r.From.Addr()) {
		return false
	}
	way, err := v.host.Match(flow.Packet{To: r.From.Addr()})
	return err == nil && (way.Refusal != 0 || way.To.Bits() == 0)
}
