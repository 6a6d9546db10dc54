package doctor

import (
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/firewall"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/poll"
)

// old reports whether an answer of a program would have come.
func (c *conversation) old() bool { return time.Since(c.since) > poll.Patient(patience) }

// unanswered reports whether the conversation has surely no answer: the kernel answers pings and connections at once. A
// program may think about an answer to UDP.
func (c *conversation) unanswered() bool {
	return !c.answered && !c.dropped && c.old() && c.repeated() && c.Protocol != unix.IPPROTO_UDP
}

// seen reports whether the packet of this host passed the device: then its route leads there.
func (j *journey) seen() bool {
	heard := j.view.heard
	return heard != nil && j.isOwn(heard.From) && !heard.dropped
}

// forThisHost reports whether the program sends the conversation to a MAC address of this host there: that of the
// device or of its bridge, or of another port, whose frames the bridge takes too.
func (c *conversation) forThisHost(v *view) bool {
	if c.source == nil {
		return true
	}
	if v.bridgePort() {
		for port := range v.siblings() {
			if slices.Equal(c.ToMAC[:], port.MAC) {
				return true
			}
		}
	}
	return slices.Equal(c.ToMAC[:], v.layer3().MAC) || slices.Equal(c.ToMAC[:], v.device.MAC)
}

// repeated reports whether the sender tries again, as a program does that requires the answer.
func (c *conversation) repeated() bool { return c.packets > 1 }

// has reports whether a packet is one of the conversation. Each attempt of a program may have another source port.
func (c *conversation) has(p flow.Packet) bool {
	return c.From == p.From && c.To == p.To && c.Protocol == p.Protocol && c.ToPort == p.ToPort
}

// rank orders conversations: those without an answer first, and attempts of a scan last.
func (c *conversation) rank() int {
	switch {
	case c.scan:
		return 2
	case c.answered && c.lostAnswer == nil:
		return 1
	}
	return 0
}

// noteScans finds the senders that try many ports of one host, and those that ask for many MAC addresses.
func noteScans(all []*conversation, asked []*request) {
	const many = 4
	type pair struct{ from, to netip.Addr }
	tried := map[pair]int{}
	for _, c := range all {
		if !c.answered {
			tried[pair{c.From, c.To}]++
		}
	}
	for _, c := range all {
		c.scan = tried[pair{c.From, c.To}] >= many
	}
	clear(tried)
	for _, r := range asked {
		if !r.answered {
			tried[pair{from: r.from}]++
		}
	}
	for _, r := range asked {
		r.scan = tried[pair{from: r.from}] >= many
	}
}

// noteAnswers notes the hosts of other networks that answer programs, and who gets answers of these.
func (v *view) noteAnswers(all []*conversation, asked []*request) {
	v.answering = nil
	for _, c := range all {
		if !c.answered || v.isOwn(c.From) || v.isOwn(c.To) || v.onSubnet(v.layer3(), c.To) {
			continue
		}
		v.answering = append(v.answering, c.To)
		for _, r := range asked {
			r.talks = r.talks || r.from == c.From
		}
	}
}

// answersCome reports whether the watched programs get answers from a host of another network behind the same next hop.
func (v *view) answersCome(from netip.Addr) bool {
	way, err := v.host.Find(flow.Packet{To: from})
	return err == nil && slices.ContainsFunc(v.answering, func(other netip.Addr) bool {
		o, err := v.host.Find(flow.Packet{To: other})
		same := way.Via.IsValid() && o.Via == way.Via || other == from
		return err == nil && o.Index == way.Index && same
	})
}

// evident finds causes that the packets of a conversation show without their way.
func (v *view) evident(c *conversation, all []*conversation) []Finding {
	for _, cause := range []struct {
		check string
		look  func() []Finding
	}{
		{"dropped", func() []Finding { return c.dropsAnswers() }},
		{"hops", func() []Finding { return v.expiredAnswers(c) }},
		{"own-tunnel", func() []Finding { return v.carriesItself(c) }},
		{"ipv6-off", func() []Finding { return v.wantsIPv6(c) }},
		{"source-nat", func() []Finding { return v.translatedInto(c, all) }},
		{"checksum", func() []Finding { return v.unfinished(c) }},
	} {
		if found := v.complete(cause.check, cause.look()); len(found) > 0 {
			return found
		}
	}
	return nil
}

// unrefuted returns the findings about the device without those that its counters suggested, and that answers refute
// which were seen since, or that a finding of the same check explains by packets. The counters include multicast that
// was sent before the program attached.
func (v *view) unrefuted(all, seen []Finding) []Finding {
	return slices.DeleteFunc(all, func(f Finding) bool {
		explained := f.vague && slices.ContainsFunc(seen, func(s Finding) bool {
			return s.Check == f.Check && s.Level <= f.Level
		})
		return f.Device == v.device.Name && (explained || f.far.IsValid() && v.answersCome(f.far))
	})
}

// settle watches the packets of the question before a finding is reported that answers refute: counters are those of
// all packets since the device was created, also of those before an earlier fix.
func (v *view) settle(all []Finding) []Finding {
	doubted := func(f Finding) bool { return f.Device == v.device.Name && f.far.IsValid() }
	if !v.demanded() || v.Watch > 0 || !v.device.InUse() || !slices.ContainsFunc(all, doubted) {
		return all
	}
	still := v.newStall()
	still.ended = true
	heard, _ := v.overheard(still)
	return slices.DeleteFunc(all, func(f Finding) bool {
		lost := func(c *conversation) bool { return !c.answered && c.To == f.far && c.From == v.From }
		return doubted(f) && (v.answersCome(f.far) || f.unlikely && !slices.ContainsFunc(heard, lost))
	})
}

// meaningless reports whether a firewall, or the lack of a program, may be meant to keep the sender of the packet from
// an answer: the sender scans, it is on the Internet, or it tried once.
func (j *journey) meaningless() bool {
	heard := j.view.heard
	return heard != nil && !heard.Resolves && (heard.scan || j.stranger(heard.From) || !heard.repeated())
}

// stranger reports whether an address is one of the Internet, which only a default route covers.
func (j *journey) stranger(from netip.Addr) bool {
	if isPrivate(from) || j.isOwn(from) || !from.IsGlobalUnicast() || j.onSubnet(j.layer3(), from) {
		return false
	}
	return j.byDefault(flow.Packet{To: from})
}

// weighHeard judges a drop of packets that were seen just now. Ports are closed on purpose: what another network sends
// is at most a warning, like a single packet. A drop is ignored if the sender scans or is on the Internet, or
// if no program listens on the port.
func (j *journey) weighHeard(w *walk, v firewall.Verdict) (level Level, text string, counted uint64) {
	heard := j.view.heard
	j.shut = j.course == fromProgram && !w.answer && !j.served()
	switch {
	case j.shut, heard.scan, j.stranger(heard.From):
		return OK, "", 0
	case j.course == inward || !heard.repeated():
		return Warning, "", 0
	case v.Count != nil && v.Count.Packets > 0:
		return Error, "", v.Count.Packets
	}
	return Error, "", 0
}

// served reports whether a program of this host, or the kernel itself, takes the packet.
func (j *journey) served() bool {
	p := j.packet
	if p.Protocol != unix.IPPROTO_TCP && p.Protocol != unix.IPPROTO_UDP || p.ToPort == 0 {
		return true
	}
	all, err := j.host.Listeners(p.Protocol, p.ToPort)
	to, from := netip.AddrPortFrom(p.To, p.ToPort), netip.AddrPortFrom(p.From, p.FromPort)
	return err != nil || slices.ContainsFunc(all, func(l evidence.Listener) bool {
		return l.Takes(to, from, j.layer3().Index)
	})
}
