package doctor

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/firewall"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/link"
)

// hardware returns the MAC addresses of a packet of the journey, as far as they are known.
func (j *journey) hardware(p flow.Packet) (from, to [6]byte) {
	program, here := link.MAC(nil), j.layer3().MAC
	switch {
	case !j.frames() || j.at != nil:
		return from, to
	case j.frame():
		here = nil
		if port, _ := j.port(); port != nil {
			if behind := j.behind(port); len(behind) == 1 {
				program = behind[0].MAC
			}
		}
	default:
		other := p.From
		if j.course == toProgram {
			other = p.To
		}
		for _, n := range j.host.Neighbours(j.layer3().Index) {
			if n.To == other && n.State&unix.NUD_REACHABLE != 0 {
				program = n.MAC
			}
		}
	}
	if j.course == toProgram || j.course == toPort {
		copy(from[:], here)
		copy(to[:], program)
		return from, to
	}
	copy(from[:], program)
	copy(to[:], here)
	return from, to
}

// inIPv6 begins the way of an IPv6 frame through the hooks to which br_netfilter passes frames.
func (j *journey) inIPv6() *walk {
	if j.walk6 == nil {
		p := j.walk.packet
		p.To = netip.IPv6Unspecified()
		j.walk6 = &walk{packet: p}
	}
	return j.walk6
}

// passes reports whether the findings of a stage let the packet pass.
func passes(found []Finding) bool {
	for _, f := range found {
		if f.Level != OK {
			return false
		}
	}
	return true
}

// strangers finds packets of the program from addresses outside the networks of the device, which a rule has dropped
// because the answer to them would not leave through the device.
func (j *journey) strangers(w *walk, h firewall.Hook) []Finding {
	if w.answer || j.course != fromProgram || j.From.IsValid() {
		return nil
	}
	stranger := &walk{packet: w.packet}
	stranger.packet.From = netip.Addr{}
	stranger.steps = j.wall().rules.Walk(stranger.packet)
	j.place(stranger, h)
	for _, v := range stranger.steps.Drops(h) {
		if !v.Return || v.Count == nil || v.Count.Packets == 0 {
			continue
		}
		b := j.blame(v.Count.Packets)
		if b.level == OK {
			return nil
		}
		v.Action = firewall.Drop
		return []Finding{{Level: Warning, counted: b.sure,
			What:  "the firewall drops packets of the program from addresses that are not routed to it: " + place(v),
			Means: "the rule asks for the reverse path of the source (fib, rpfilter); " + b.evidence,
			Fixes: []fix.Fix{j.opening(stranger, h, []firewall.Verdict{v})}}}
	}
	return nil
}
