package doctor

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/firewall"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/words"
)

// dropped judges a packet that chains of one hook drop. A firewall that drops what nobody sends is as it should be, so
// only the traffic of the device and the counters of the rules make it an error.
func (j *journey) dropped(w *walk, h firewall.Hook, drops []firewall.Verdict) []Finding {
	v := drops[0]
	if v.Action == firewall.MayDrop && v.MAC && v.Named && v.Count != nil && v.Count.Packets > 0 {
		v.Action = firewall.Drop // the counter shows it
		drops = append([]firewall.Verdict{v}, drops[1:]...)
	}
	if v.Action == firewall.MayDrop {
		return one(Unknown, "the firewall may drop "+j.those(w)+": "+place(v), "not understood: "+v.Doubt)
	}
	both := w.answer && j.course != through && j.at == nil && !w.packet.Resolves && !j.demanded()
	if both && j.dropsToo(w, h, false) {
		return nil // the packets of the other direction show it
	}
	what := "the firewall drops " + j.those(w) + ": " + place(v)
	if v.Action == firewall.Reject {
		what = "the firewall rejects " + j.those(w) + ": " + place(v)
	}
	level, evidence, counted := j.weigh(w, h, v)
	if level == OK {
		return ok(what + ", but no counter shows such packets")
	}
	w.dropped, j.refused = true, true
	opening := j.opening(w, h, drops)
	if (j.course == through || j.course == inward) && !w.answer {
		if back := j.walkBack(); back != nil {
			j.place(back, h)
			opening.Commands = append(opening.Commands, j.opening(back, h, back.steps.Drops(h)).Commands...)
		}
	}
	return []Finding{{Level: level, What: what, Means: evidence, counted: counted, Fixes: []fix.Fix{opening}}}
}

// those names the packets that a verdict is about.
func (j *journey) those(w *walk) string {
	dev := words.Escape(j.layer3().Name)
	switch {
	case w.packet.Resolves && w.packet.IPv6():
		return "the packets of IPv6 neighbour discovery between this host and the program"
	case w.packet.Resolves && j.frame():
		return fmt.Sprintf("the ARP packets between %s and other ports of %s", words.Escape(j.device.Name),
			words.Escape(j.device.Master))
	case w.packet.Resolves:
		return "the ARP packets between this host and the program"
	case j.frame():
		kind := "frames"
		if w.packet.IPv6() {
			kind = "IPv6 frames"
		}
		return fmt.Sprintf("%s between %s and other ports of %s", kind, words.Escape(j.device.Name),
			words.Escape(j.device.Master))
	case j.socket != nil && j.at == nil:
		return j.serviceWords(w.answer)
	case j.carried():
		return j.carriedWords(w.answer)
	case j.course == inward && w.answer:
		return "answers to other hosts from behind the device, such as " + w.packet.String()
	case j.course == inward:
		return "packets of other hosts to those behind the device, such as " + j.packet.String()
	case j.course == through && w.answer:
		return "answers from other networks to the program"
	case j.course == through:
		return "packets of the program to other networks, such as " + w.packet.To.String()
	case j.course == toProgram && w.answer:
		return "answers of the program that arrive through " + dev
	case j.course == toProgram:
		return "packets of this host that leave through " + dev
	case w.answer:
		return "answers of this host that leave through " + dev
	}
	return "packets of the program to this host"
}

// place names the rule or the policy of a verdict.
func place(v firewall.Verdict) string {
	chain := strings.Join([]string{v.Family, v.Table, v.Chain}, " ")
	text := "the policy of the chain " + chain
	if !v.Policy {
		handle := ""
		if v.Handle != 0 {
			handle = fmt.Sprintf(" (handle %d)", v.Handle)
		}
		text = fmt.Sprintf("rule %d of the chain %s%s: %s", v.Number, chain, handle, v.Rule)
	}
	if v.Count != nil {
		text += ", " + packets(v.Count.Packets)
	}
	return words.Escape(text)
}

// weigh judges a drop. The text is the evidence.
func (j *journey) weigh(w *walk, h firewall.Hook, v firewall.Verdict) (level Level, evidence string, counted uint64) {
	switch {
	case j.exact() && !w.packet.Resolves && j.view.heard != nil:
		return j.weighHeard(w, v)
	case j.exact() && !w.packet.Resolves:
		return Error, "", 0
	}
	level, evidence, counted = j.weighTraffic(w, h, v)
	if j.demanded() && !w.packet.Resolves {
		if asked, text := j.weighAsked(w, h, v); asked < level {
			return asked, text, counted
		}
	}
	return level, evidence, counted
}

// weighAsked judges a drop of the packet of a question without a protocol, of which no packet may have been seen. It is
// certain that the kernel drops the packet, but perhaps the question is about a protocol that passes.
func (j *journey) weighAsked(w *walk, h firewall.Hook, v firewall.Verdict) (Level, string) {
	does := "drops"
	if v.Action == firewall.Reject {
		does = "rejects"
	}
	for _, protocol := range []uint8{unix.IPPROTO_TCP, unix.IPPROTO_UDP} {
		p := w.steps.Packet
		p.Protocol = protocol
		if j.wall().rules.Walk(p).Hook(h).Action <= firewall.MayDrop {
			return Warning, fmt.Sprintf("it %s %s; --proto asks for another protocol", does, w.packet)
		}
	}
	return Error, fmt.Sprintf("it %s %s, and likewise TCP and UDP", does, w.packet)
}

// weighTraffic judges a drop by the traffic of the device.
func (j *journey) weighTraffic(w *walk, h firewall.Hook, v firewall.Verdict) (level Level, evidence string,
	counted uint64) {
	if v.Count != nil && v.Count.Packets == 0 {
		return OK, "", 0
	}
	if j.at != nil {
		return j.weighOutside(w, v)
	}
	if j.socket != nil && !w.packet.Resolves {
		return j.weighService(v)
	}
	if v.Named && v.Count != nil {
		return Error, "the rule has dropped " + packets(v.Count.Packets), v.Count.Packets
	}
	t := j.traffic()
	if v.Action == firewall.Reject { // the kernel answered with ICMP
		t.received -= min(t.received, j.host.Counter("snmp", "Icmp", "OutDestUnreachs")+
			j.host.Counter("snmp6", "", "Icmp6OutDestUnreachs"))
	}
	evidence = fmt.Sprintf("the program has sent %s and received %s", packets(t.sent), packets(t.received))
	refused := j.host.Counter("snmp", "Ip", "OutDiscards")
	switch {
	case w.packet.Resolves:
		return j.weighNeighbours(w)
	case j.course == toProgram && !w.answer:
		if t.received == 0 && refused > 0 {
			return Error, fmt.Sprintf("this host could not send %s, and %s", packets(refused), evidence), refused
		}
		if t.received == 0 && t.sent > 0 && j.dropsToo(w, h, true) {
			return Error, evidence, 0
		}
	case t.sent == 0:
	case j.course == through:
		if t.unanswered() {
			return Warning, evidence, 0
		}
	case j.frame() && w.packet.IPv6():
		// Every bridge has some IPv6 multicast; it is evidence if there is little else.
		if n := j.own6("Ip6InMcastPkts"); n*2 >= t.sent || v.Count != nil {
			return Warning, evidence + fmt.Sprintf("; the bridge received %s of IPv6 multicast", packets(n)), 0
		}
	case w.answer, j.frame(), t.received == 0:
		return Error, evidence, 0
	case j.course == fromProgram && j.dropsToo(w, h, true) && !j.hasForwarded():
		return Error, evidence + ", but this host gets no answer from it", 0
	case t.unanswered():
		return Warning, evidence, 0
	}
	return OK, "", 0
}

// hasForwarded reports whether this host has forwarded a packet, so that those of the program may be for other hosts.
func (j *journey) hasForwarded() bool {
	if j.packet.IPv6() {
		return j.host.Counter("snmp6", "", "Ip6OutForwDatagrams") > 0
	}
	return j.host.Counter("snmp", "Ip", "ForwDatagrams") > 0
}

// dropsToo reports whether the hook also drops the same packet of a connection that exists, or of a new one.
func (j *journey) dropsToo(w *walk, h firewall.Hook, established bool) bool {
	p := w.steps.Packet
	p.Established = established
	return j.wall().rules.Walk(p).Hook(h).Action > firewall.MayDrop
}

// A traffic is what the device has carried, without the IPv6 multicast of both ends, and without ARP if there is
// nothing else.
type traffic struct {
	sent, received uint64 // by the program
	bytes          uint64 // sent by the program
}

func (v *view) traffic() traffic {
	d, file := v.device, "dev_snmp6/"+v.device.Name
	less := func(n, part uint64) uint64 { return n - min(n, part) }
	multicast := v.host.Counter(file, "", "Ip6OutMcastPkts")
	t := traffic{
		sent:     less(d.Stats.RxPackets, v.host.Counter(file, "", "Ip6InMcastPkts")),
		received: less(d.Stats.TxPackets, multicast),
		bytes:    less(d.Stats.RxBytes, v.host.Counter(file, "", "Ip6InMcastOctets")),
	}
	const ethernet, arp = 14, 42
	if v.frames() {
		octets := v.host.Counter(file, "", "Ip6OutMcastOctets") + multicast*ethernet
		if less(d.Stats.TxBytes, octets) <= t.received*arp {
			t.received = 0
		}
	}
	return t
}

// unanswered reports whether the program has sent more than it received. A download does not
// count: its packets are large.
func (t traffic) unanswered() bool {
	const large = 300
	return t.sent > t.received && t.bytes < t.sent*large
}
