package doctor

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// ignoresARP finds that this host does not answer ARP requests for an own address that arrive through a link, because
// the address is on another link, or in another network than the host that asks; an invalid one asks from the network.
func (v *view) ignoresARP(dev, holder *netcfg.Device, from, to netip.Addr) []Finding {
	const onLink, inNetwork, never = 1, 2, 8
	value, name, at := v.largest("arp_ignore", dev.Name), words.Escape(dev.Name), words.Escape(holder.Name)
	has := func(a netcfg.Address) bool { return a.Local == to }
	near := func(a netcfg.Address) bool { return has(a) && (!from.IsValid() || a.Subnet().Contains(from)) }
	why := fmt.Sprintf("%s has the address, and not %s", at, name)
	zero := fix.Run(v.zeroes("arp_ignore", dev.Name)...)
	list := []fix.Fix{zero}
	switch {
	case value == never:
		why = "it answers none at all"
	case value == inNetwork && slices.ContainsFunc(dev.Addresses, has):
		if slices.ContainsFunc(dev.Addresses, near) {
			return nil
		}
		why = fmt.Sprintf("%s is in another network than this address", from)
	case value != onLink && value != inNetwork || slices.ContainsFunc(dev.Addresses, has):
		return nil
	default:
		if all, _ := v.setting("ipv4", "all", "arp_ignore"); all != "0" && value == onLink {
			list = []fix.Fix{fix.Run(ip("addr", "add", to.String()+"/32", "dev", dev.Name)), zero}
		}
	}
	return one(Error, fmt.Sprintf("this host answers no ARP requests for %s that arrive through %s (arp_ignore %d)",
		to, name, value), fmt.Sprintf("%s; hosts behind %s do not find its MAC address", why, name), list...)
}
