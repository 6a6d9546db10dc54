package doctor

import (
	"net/netip"
	"time"

	"github.com/tunadm/tunadm/internal/firewall"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
)

// inputStages are the places that a packet of the program for this host passes after its receipt.
func inputStages() []stage {
	return []stage{
		{"local-route", localRoute},
		{"firewall", hooks(firewall.BridgeInput, firewall.Input)}, {"invalid", unknownConnection},
		{"ipsec", decrypted},
		{"listener", listener}, {"echo", echoIgnored}, {"arp", arp}, {"firewall", resolution},
		{"return-route", answerRoute},
		{"firewall", answers(firewall.Output, firewall.Postrouting, firewall.Egress)},
	}
}

// localRoute finds an address of this host whose entry in the local table is missing: the kernel then treats packets to
// it as packets to another host.
func localRoute(j *journey) []Finding {
	own := j.packet.To
	way, err := j.host.Find(flow.Packet{To: own})
	if err != nil || way.Local() || own == broadcast || j.unused(own) || own.Is6() && j.becomesLocal(own) {
		return nil
	}
	dev := j.layer3().Name
	add := append(family(own), "route", "add", "local", own.String(), "dev", dev, "table", "local", "proto", "kernel",
		"scope", "host", "src", own.String())
	return one(Error, "the local route of its own address "+own.String()+" is missing",
		"this host does not accept packets to that address: ping gets no answer",
		fix.Run(ip(add...)))
}

// unused reports whether the kernel does not use an address of this host, because another host has it or may have it:
// the checks duplicate and tentative report that.
func (j *journey) unused(own netip.Addr) bool {
	for _, a := range j.addressesOf(own.Is6()) {
		if a.Local == own && (a.Tentative() || a.Duplicate()) {
			return true
		}
	}
	return false
}

// becomesLocal waits for the entry of an IPv6 address: the kernel adds it in a work queue, after the address.
func (j *journey) becomesLocal(own netip.Addr) bool {
	const pause, longest = 20 * time.Millisecond, 1200 * time.Millisecond
	for range longest / pause {
		if way, err := j.host.Match(flow.Packet{To: own}); err == nil && way.Local() {
			return true
		}
		time.Sleep(pause)
	}
	return false
}
