package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// noUplink finds a bridge whose only ports are TUN/TAP devices, although a route has a gateway behind it, which does
// not answer: the network card was never added, or has got another name.
func noUplink(v *view) []Finding {
	br := v.layer3()
	if !v.bridgePort() {
		return nil
	}
	silent := v.silentGateway(br)
	if !silent.IsValid() {
		return nil
	}
	var ports []string
	for index, p := range v.host.Ports() {
		switch l := v.byIndex(index); {
		case p.Bridge != br.Index || index == br.Index:
		case l == nil || l.Kind != "tun":
			return nil
		default:
			ports = append(ports, words.Escape(l.Name))
		}
	}
	slices.Sort(ports)
	fixes := v.joins(br)
	if len(fixes) == 0 {
		fixes = append(fixes, fix.Sentence("add the network card to the bridge: ip link set dev NAME master "+
			words.Escape(br.Name)))
	}
	what := fmt.Sprintf("no network card is a port of the bridge %s, only %s, and the gateway %s does not answer",
		words.Escape(br.Name), strings.Join(ports, ", "), silent)
	return one(Error, what, "hosts behind the device reach only this host and each other", fixes...)
}

// silentGateway returns a gateway of the routes through a link that does not answer. It is invalid if there is none.
func (v *view) silentGateway(l *netcfg.Device) netip.Addr {
	for _, r := range v.host.UnicastThrough(l.Index) {
		if r.Via.IsValid() && slices.ContainsFunc(v.host.Neighbours(l.Index), func(n evidence.Neighbour) bool {
			return n.To == r.Via && n.Unanswered()
		}) {
			return r.Via
		}
	}
	return netip.Addr{}
}

// joins returns the commands that add a link to a bridge: those that have neither an address nor a master, and are no
// TUN/TAP devices.
func (v *view) joins(br *netcfg.Device) (list []fix.Fix) {
	const most = 3
	for _, l := range v.every() {
		spare := l.Kind == "" || l.Kind == "veth" || l.Kind == "bond" || l.Kind == "vlan"
		if spare && l.Master == "" && len(own(l)) == 0 && len(list) < most {
			list = append(list, fix.Run(ip("link", "set", "dev", l.Name, "up", "master", br.Name)))
		}
	}
	return list
}
