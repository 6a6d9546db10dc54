package doctor

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/firewall"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// layer3 returns the link that has the addresses for the packets of the journey. Those of the program's own sockets do
// not pass the device.
func (j *journey) layer3() *netcfg.Device {
	if j.carried() {
		return j.at
	}
	return j.view.layer3()
}

// bridgePort reports whether the packet passes a bridge of which the device is a port.
func (j *journey) bridgePort() bool { return !j.carried() && j.view.bridgePort() }

// carried reports whether the packet is one of the program's own sockets.
func (j *journey) carried() bool { return j.course == carriedIn || j.course == carriedOut }

// wanted reports whether packets such as this one were seen: the reader asks about it, or the rule that leads it to the
// program has counted some.
func (j *journey) wanted() bool {
	return j.explicit() || j.leads != nil && j.leads.Count != nil && j.leads.Count.Packets > 0
}

// asWanted is the evidence of wanted.
func (j *journey) asWanted() string {
	if j.leads == nil {
		return ""
	}
	return "the packets are led to it by " + place(*j.leads)
}

// outerPath finds a reverse path filter that drops packets of other hosts.
func outerPath(j *journey) []Finding {
	value := j.largest("rp_filter", j.at.Name)
	p := j.packet
	p.Mark = j.markOf(j.walk)
	if j.course == carriedOut {
		back := j.walkBack()
		if back == nil {
			return nil
		}
		back.steps.Hook(firewall.Prerouting)
		p, p.Mark = back.packet, j.markOf(back)
		p = flow.Packet{From: p.From, To: p.To, Protocol: p.Protocol, FromPort: p.FromPort, ToPort: p.ToPort,
			In: j.at.Name, InIndex: j.at.Index, Mark: p.Mark}
	}
	if value == 0 || p.IPv6() || !j.spoofed(p) {
		return nil
	}
	what := fmt.Sprintf("the kernel drops packets from %s that arrive through %s (rp_filter %d)", p.From,
		words.Escape(j.at.Name), value)
	n := j.host.Counter("netstat", "TcpExt", "IPReversePathFilter")
	if n == 0 && !j.explicit() || j.carried() && j.traffic().sent > 0 || j.course == inward && !j.wanted() ||
		j.course == carriedIn && j.view.heard == nil && j.entersElsewhere(p) {
		return ok(what)
	}
	return one(Error, what, fmt.Sprintf("the return path to that address leaves through another device, so the "+
		"kernel treats them as spoofed; it dropped %s in this network namespace", packets(n)),
		fix.Run(fix.Sysctl("ipv4", j.at.Name, "rp_filter", "2")))
}

// entersElsewhere reports whether other hosts reach this one through another of its links to other networks, to which
// their return path leads.
func (j *journey) entersElsewhere(p flow.Packet) bool {
	way, err := j.host.Find(flow.Packet{From: p.To, To: p.From})
	return err == nil && way.Refusal == 0 && slices.ContainsFunc(j.entrances(p.IPv6()), func(e entrance) bool {
		return e.link != j.at && e.link.Index == way.Index
	})
}

// spoofed reports whether the kernel refuses a packet of another host because of its return path. For a packet to this
// host it says no more than EINVAL.
func (j *journey) spoofed(p flow.Packet) bool {
	way, err := j.host.Find(p)
	if err != nil || way.Refusal != unix.EINVAL {
		return err == nil && way.Refusal == unix.EXDEV
	}
	back := flow.Packet{From: p.To, To: p.From}
	if j.largest("src_valid_mark", j.at.Name) != 0 {
		back.Mark = p.Mark
	}
	way, err = j.host.Find(back)
	return err == nil && !way.Local() && (way.Refusal != 0 || way.Index != j.at.Index)
}

// markOf returns the mark that rules have given a packet that arrives.
func (j *journey) markOf(w *walk) uint32 {
	if w == nil || w.steps == nil {
		return j.packet.Mark
	}
	mark, _ := w.steps.MarkNow()
	return mark
}

// outerForwarding finds packets of other hosts that this host does not forward to the program.
func outerForwarding(j *journey) []Finding {
	if j.forwards(j.at.Name) {
		return nil
	}
	kind := map[bool]string{false: "IPv4", true: "IPv6"}[j.packet.IPv6()]
	what := fmt.Sprintf("this host does not forward %s packets that arrive through %s, such as those to %s", kind,
		words.Escape(j.at.Name), j.packet.To)
	if !j.wanted() {
		return ok(what)
	}
	return one(Error, what, "other hosts do not reach those behind the device",
		j.forwardFixes()...)
}

// prefixed returns a text with another before it, or nothing.
func prefixed(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}

// publishedHost finds a rule that leads packets to a host behind the device which does not exist.
func publishedHost(j *journey) []Finding {
	if j.leads == nil || !j.frames() {
		return nil
	}
	for _, n := range j.host.Neighbours(j.layer3().Index) {
		if n.To != j.packet.To || !n.Unanswered() {
			continue
		}
		what := fmt.Sprintf("nobody behind it answers for %s, to which a rule of the firewall leads packets: %s", n.To,
			place(*j.leads))
		if unused(*j.leads) {
			return ok(what)
		}
		return one(Warning, what, "this host has no MAC address for it", fix.Sentence("start the host "+n.To.String()+
			", or correct the address in the rule"))
	}
	return nil
}

// outerReturn finds answers of hosts behind the device that leave through another link than the one of the request.
func outerReturn(j *journey) []Finding {
	layer3 := j.layer3()
	p := flow.Packet{From: j.packet.To, To: j.packet.From, Protocol: j.packet.Protocol, FromPort: j.packet.ToPort,
		ToPort: j.packet.FromPort, In: layer3.Name, InIndex: layer3.Index}
	way, err := j.host.Find(p)
	if err != nil || way.Refusal != 0 || way.Local() || way.Index == j.at.Index || way.Index == layer3.Index {
		return nil
	}
	other := j.byIndex(way.Index)
	if other == nil {
		return nil
	}
	what := fmt.Sprintf("answers to hosts such as %s leave through %s, although their packets arrive through %s",
		j.packet.From, words.Escape(other.Name), words.Escape(j.at.Name))
	if !j.wanted() || j.remarked() {
		return ok(what)
	}
	return one(Warning, what, "the other end drops answers from an unexpected address"+prefixed("; ", j.asWanted()),
		j.outThrough(j.at, p))
}

// remarked reports whether a rule may give answers a mark, with which the kernel selects another route.
func (j *journey) remarked() bool {
	back := j.walkBack()
	if back == nil {
		return false
	}
	back.steps.Hook(firewall.Prerouting)
	mark, known := back.steps.MarkNow()
	return !known || mark != 0
}

// outThrough returns how to lead an answer to the link of the request, by a table with its default route. More specific
// routes of the table main, such as those of other networks of this host, come first.
func (v *view) outThrough(l *netcfg.Device, p flow.Packet) fix.Fix {
	const table, halves = "100", "1" // 0.0.0.0/1 and 128.0.0.0/1 replace a default route
	command := func(words ...string) fix.Command { return ip(append(family(p.To), words...)...) }
	for _, r := range v.host.DefaultsThrough(l.Index) {
		if r.Type != unix.RTN_UNICAST || r.To.Bits() != 0 || r.To.Addr().Is6() != p.IPv6() || !r.Via.IsValid() {
			continue
		}
		use, from := tableWord(r.Table), p.From.String()
		var commands []fix.Command
		if r.Table == tableMain {
			use = table
			commands = append(commands, command("route", "replace", "default", "via", r.Via.String(), "dev", l.Name,
				"table", table))
		}
		return fix.Run(append(commands, command("rule", "add", "from", from, "lookup", use),
			command("rule", "add", "from", from, "lookup", "main", "suppress_prefixlength", halves))...)
	}
	return fix.Sentence("lead packets from " + p.From.String() + " through " + words.Escape(l.Name) +
		": ip rule add from " + p.From.String() + " lookup TABLE, with a default route in that table, such as " + table)
}

// weighOutside judges a drop of packets between other hosts and the program, or its sockets. Without
// evidence of them, perhaps nobody sends such packets.
func (j *journey) weighOutside(w *walk, v firewall.Verdict) (level Level, evidence string, counted uint64) {
	n := j.vanished()
	text := fmt.Sprintf("this host received %s that it neither delivered nor forwarded", packets(n))
	if (j.course == carriedOut) != w.answer && j.carried() {
		n = j.host.Counter("snmp", "Ip", "OutDiscards")
		text = "this host could not send " + packets(n)
	}
	if v.Count != nil {
		n = v.Count.Packets
		text = "the rule has dropped " + packets(n)
	}
	switch {
	case w.answer && !j.carried() && j.leads == nil && !j.explicit():
		return OK, "", 0
	case j.carried() && j.view.heard != nil && j.course == carriedIn && !j.view.heard.repeated():
		return Warning, j.view.heard.String(), 0 // somebody may have tried the port once
	case j.carried() && j.view.heard != nil:
		return Error, j.view.heard.String(), 0
	case j.carried():
		if j.traffic().sent > 0 || n == 0 {
			return OK, "", 0
		}
		return Error, text + ", and the program has sent nothing through the device", 0
	case j.leads != nil && unused(*j.leads):
		return OK, "", 0
	case j.leads != nil && (j.wanted() || n > 0):
		return Error, j.asWanted(), j.led()
	case j.explicit() && v.Count != nil:
		return Error, text, n
	case j.explicit():
		return Warning, "neither the rule nor the policy counts packets", 0
	case v.Named && v.Count != nil && j.leads == nil && !j.translated():
		return Warning, text, n
	}
	return OK, "", 0
}

// translated reports whether packets of the host behind the device leave with another source: other networks then know
// no way to it, and a firewall that drops what they send there is as it should be.
func (j *journey) translated() bool {
	p := j.packet
	p.From, p.To, p.In, p.Out, p.InIndex, p.OutIndex = p.To, p.From, j.layer3().Name, j.at.Name, j.layer3().Index,
		j.at.Index
	is, known := j.wall().rules.MasqueradesFor(p)
	return is || !known
}

// led returns how many packets the rule that leads the packet to the program has counted.
func (j *journey) led() uint64 {
	if j.leads == nil || j.leads.Count == nil {
		return 0
	}
	return j.leads.Count.Packets
}
