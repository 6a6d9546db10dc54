package doctor

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/trace"
)

// listenForDrop adds a packet that the firewall dropped: one from a private network behind another link to a host
// behind the device, or a request of the program for the MAC address of this host (IPv6 neighbour discovery). What it
// drops of other networks may be what it is there for.
func (v *view) listenForDrop(all []*conversation, e trace.Event, p flow.Packet) []*conversation {
	noteExpired(all, e, p)
	noteClosed(all, e, p)
	layer3, most := v.layer3(), 64
	asked := v.solicited(p.To)
	switch ours := e.InIndex == v.device.Index || e.InIndex == layer3.Index; {
	case e.Reason != "NETFILTER_DROP" || !oneHost(p.From) || len(all) == most:
		return all
	case !e.ToProgram && p.Protocol == unix.IPPROTO_ICMPV6 && asked.IsValid():
		p = flow.Packet{From: p.From, To: asked, Protocol: p.Protocol, Resolves: true}
	case !e.ToProgram, e.InIndex == 0, ours, !oneHost(p.To), !isPrivate(p.From), v.isOwn(p.From), v.isOwn(p.To):
		return all
	}
	for _, c := range all {
		if c.dropped && c.has(p) {
			c.packets++
			return all
		}
	}
	return append(all, &conversation{Packet: p, packets: 1, dropped: true, since: time.Now()})
}

// solicited returns the address of this host on the link whose owner is asked for at a multicast address. It is invalid
// if the link has no such address.
func (v *view) solicited(group netip.Addr) netip.Addr {
	const same = 3 // the last bytes of the address and of ff02::1:ff00:0/104
	if !netip.MustParsePrefix("ff02::1:ff00:0/104").Contains(group) {
		return netip.Addr{}
	}
	asked := group.As16()
	for _, a := range v.layer3().Addresses {
		if mine := a.Local.As16(); a.Local.Is6() && [same]byte(mine[16-same:]) == [same]byte(asked[16-same:]) {
			return a.Local
		}
	}
	return netip.Addr{}
}

// unresolvable examines a request of the program for the MAC address of this host.
func (v *view) unresolvable(c *conversation) (found, trail []Finding) {
	layer3 := v.layer3()
	j := &journey{view: v, course: fromProgram, packet: flow.Packet{From: c.From, To: c.To, Protocol: c.Protocol,
		In: layer3.Name, InIndex: layer3.Index}}
	for _, f := range v.complete("firewall", resolution(j)) {
		f.Way = j.String()
		found = append(found, f)
	}
	return found, found
}

// noteLostAnswer notes that the kernel dropped an answer of the program to a packet of this host. The firewall stages
// examine what the firewall drops, and a reason without a fix is of no use here, such as one of TCP for a packet that
// came twice.
func (v *view) noteLostAnswer(w *watch, all []*conversation, e trace.Event) {
	ours := e.InIndex == v.device.Index || e.InIndex == v.layer3().Index
	if e.Reason == "" || e.Reason == "NETFILTER_DROP" || e.ToProgram || !ours {
		return
	}
	for _, c := range all {
		answers := e.From == c.To && e.FromPort == c.ToPort && e.Protocol == c.Protocol
		if !answers || c.lostAnswer != nil || !v.isOwn(c.From) {
			continue
		}
		if means, fixes := w.Explain(&e); len(fixes) > 0 {
			c.lostAnswer = &drop{first: e, means: means, fixes: fixes}
		}
	}
}

// dropsAnswers finds that the kernel drops the answers of the program to this host.
func (c *conversation) dropsAnswers() []Finding {
	if c.lostAnswer == nil || !c.repeated() {
		return nil
	}
	return one(Error, "the kernel drops what the program answers to this host: "+c.lostAnswer.first.Reason+", such as "+
		c.lostAnswer.first.Packet.String(), c.lostAnswer.means, c.lostAnswer.fixes...)
}

// noteClosed notes that no socket of this host accepts a packet of the program.
func noteClosed(all []*conversation, e trace.Event, p flow.Packet) {
	for _, c := range all {
		c.closed = c.closed || e.Reason == "NO_SOCKET" && !e.ToProgram && c.has(p)
	}
}
