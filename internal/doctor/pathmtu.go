package doctor

import (
	"fmt"

	"github.com/tunadm/tunadm/internal/firewall"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// pathMTU finds a firewall that drops the ICMP messages with which this host reports packets that are larger than the
// MTU of the device or of the other link, so that their senders repeat them for ever.
func pathMTU(j *journey) []Finding {
	p, known := j.located(j.packet)
	far := j.byIndex(p.OutIndex)
	if !known || far == nil || j.wall().err != nil {
		return nil
	}
	near := j.layer3()
	narrow, wide, sender := near, far, p.To // packets to the program
	if far.MTU < near.MTU {
		narrow, wide, sender = far, near, p.From
	}
	from := ofFamily(wide, p.IPv6())
	if narrow.MTU == wide.MTU || from == nil {
		return nil
	}
	message := flow.Packet{From: from.Local, To: sender, Protocol: echo(sender), TooBig: true, Out: wide.Name,
		OutIndex: wide.Index}
	w := &walk{packet: message, steps: j.wall().rules.Walk(message)}
	lost := j.host.Counter("snmp", "Ip", "FragFails")
	if p.IPv6() {
		lost = j.host.Counter("snmp6", "", "Ip6InTooBigErrors")
	}
	for _, h := range []firewall.Hook{firewall.Output, firewall.Postrouting} {
		drops := w.steps.Drops(h)
		if len(drops) == 0 || drops[0].Action <= firewall.MayDrop {
			continue
		}
		what := fmt.Sprintf("packets that are larger than the MTU %d of %s are lost, and the firewall drops the ICMP "+
			"messages to their senders behind %s: %s", narrow.MTU, words.Escape(narrow.Name),
			words.Escape(wide.Name), place(drops[0]))
		if lost == 0 {
			return ok(what + ", but there were no such packets")
		}
		return []Finding{{Level: Error, What: what, counted: lost,
			Means: packets(lost) + " too large to be forwarded",
			Fixes: []fix.Fix{j.opening(w, h, drops),
				fix.Sentence(fmt.Sprintf("give both links the same MTU: %d and %d", narrow.MTU, wide.MTU))}}}
	}
	return nil
}

// ofFamily returns an address of a link, or nil.
func ofFamily(l *netcfg.Device, ipv6 bool) *netcfg.Address {
	for _, a := range own(l) {
		if a.Local.Is6() == ipv6 {
			return &a
		}
	}
	return nil
}
