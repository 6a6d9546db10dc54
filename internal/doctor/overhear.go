package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/poll"
	"github.com/tunadm/tunadm/internal/trace"
)

// patience is more time than most answers take. Programs that get none usually try again each second.
const patience = 300 * time.Millisecond

// doctor listens to a device for longestWatch, or for shortestWatch if a conversation has surely no answer by then: the
// kernel asks for a MAC address again after a second.
const shortestWatch, longestWatch = 1100 * time.Millisecond, 2 * time.Second

// anotherRequest is how long it listens if there was a request for the MAC address of a host that may not exist, and
// nextRequest how long at least after the request: the kernel asks three times, each second, and again when its program
// tries again.
const anotherRequest, nextRequest = 3 * time.Second, 1500 * time.Millisecond

// overhear watches for a moment which packets a named device carries if the checks found no error and the stages
// nothing, and examines the way of each conversation without an answer as if the question were about its packets.
func (v *view) overhear(found []Finding) (more, trail []Finding) {
	d := v.device
	explains := func(f Finding) bool { return f.Level == Error || f.Level == Warning && f.Way != "" && !f.vague }
	if !v.asked() || v.explicit() || slices.ContainsFunc(found, explains) || !d.Up || !d.InUse() ||
		v.unused() {
		return nil, nil
	}
	before := v.Question.Packet
	defer func() { v.Question.Packet, v.heard = before, nil }()
	known := slices.Clone(found)
	still := v.newStall()
	still.ended = !d.Carrier || slices.ContainsFunc(found, func(f Finding) bool { return f.Check == "reader" })
	conversations, asked := v.overheard(still)
	if more = v.complete("reader", still.finding()); slices.ContainsFunc(more, explains) {
		return more, nil
	}
	if seen := v.complete("format", v.refusedMeanwhile()); slices.ContainsFunc(seen, explains) {
		return append(more, seen...), nil
	}
	if seen := v.unresolved(conversations, asked); len(seen) > 0 {
		return append(more, seen...), nil
	}
	for _, c := range conversations {
		seen, way := v.heardWay(c, conversations)
		seen = slices.DeleteFunc(seen, func(f Finding) bool { return slices.ContainsFunc(known, f.same) })
		known = append(known, seen...)
		for i := range seen {
			if seen[i].Level <= Warning {
				seen[i].Means = also(seen[i].Means, c.String())
			}
		}
		more, trail = append(more, seen...), append(trail, way...)
	}
	v.Question.Packet, v.heard = before, nil
	if !slices.ContainsFunc(more, func(f Finding) bool { return f.Level <= Warning }) {
		more = append(more, v.shown()...)
	}
	if !slices.ContainsFunc(more, explains) {
		seen, way := v.carriage(conversations)
		more, trail = append(more, seen...), append(trail, way...)
	}
	if !slices.ContainsFunc(more, func(f Finding) bool { return f.Level <= Warning }) {
		more = append(more, v.withoutAnswers(conversations)...)
	}
	if v.unheard != "" {
		more = append(more, v.complete("dropped", one(Unknown, "what the device carries: "+v.unheard, ""))...)
	}
	return more, trail
}

// heardWay examines the way of one of all conversations.
func (v *view) heardWay(c *conversation, all []*conversation) (seen, way []Finding) {
	v.Question.Packet, v.heard = c.Packet, c
	seen = v.evident(c, all)
	switch {
	case len(seen) > 0:
	case c.stray:
		seen = v.complete("answers", v.strayAnswer(c))
	case c.directed:
		seen = v.complete("forwarding", v.directedBroadcast(c))
	case c.Resolves:
		seen, way = v.unresolvable(c)
	default:
		seen, way = v.follow()
	}
	return seen, way
}

// unused reports whether the device has carried no packet since its creation, except those of the kernel itself.
func (v *view) unused() bool {
	d := v.device
	uncounted := v.queueOf(d, func(q evidence.Queue) bool { return q.Parent == evidence.Root && q.Kind == "noqueue" })
	return d.Stats.RxPackets+d.Stats.TxPackets == 0 && uncounted == nil &&
		v.host.Sent(d.Index) <= v.host.Counter("dev_snmp6/"+d.Name, "", "Ip6OutMcastPkts")
}

// also appends a sentence to another, which may be empty.
func also(text, more string) string {
	if text == "" {
		return more
	}
	return text + "; " + more
}

// A conversation is the packets from one address to another and its port that passed the device, from any port.
type conversation struct {
	flow.Packet          // the first one
	source      link.MAC // of the first one from the program; nil: this host sent it, or the device has no frames
	packets     int
	answered    bool
	dropped     bool   // by the firewall
	lost        string // why the kernel dropped it; "": it did not
	lostAnswer  *drop  // an answer of the program that the kernel dropped; nil: none
	scan        bool   // the sender tries many ports of the other end
	stray       bool   // it answers packets that did not arrive through the device
	directed    bool   // it is a broadcast to another network
	refused     bool   // with an ICMP error
	closed      bool   // no socket of this host accepts it
	unfinished  bool   // its checksum is left to the device
	expired     int    // answers that this host did not forward, because their TTL was used up
	via         string // the link through which these arrived
	since       time.Time
}

func (c *conversation) String() string {
	what := "without an answer"
	switch {
	case c.stray, c.directed:
		return "seen just now: " + packets(uint64(c.packets))
	case c.lostAnswer != nil:
		what = "with answers that the kernel dropped (" + c.lostAnswer.first.Reason + ")"
	case c.closed:
		what = "refused"
	case c.answered:
		what = "with answers of the program"
	case c.lost != "":
		what = "dropped by the kernel (" + c.lost + ")"
	case c.dropped:
		what = "dropped by the firewall"
	}
	return fmt.Sprintf("seen just now: %s of %s, %s", packets(uint64(c.packets)), c.Packet, what)
}

// overheard returns the conversations that pass the device within longestWatch: those without an answer, and the
// answered ones of this host, which may not get the answers. It stops if one has surely no answer. It also returns the
// requests for MAC addresses that nobody answered, of hosts behind the device or other ports of its bridge. Meanwhile,
// it observes whether the program reads.
func (v *view) overheard(still *stall) (all []*conversation, asked []*request) {
	const pause, most = 10 * time.Millisecond, 4
	w, err := v.begin(v.device, true, v.besidePorts())
	if err != nil {
		v.unheard = err.Error()
		return nil, nil
	}
	defer w.Close()
	if v.unheard = w.Without(); v.unheard != "" {
		if still.waiting > 0 {
			still.observe(poll.Patient(longestWatch))
		}
		return nil, nil
	}
	v.sights = sights{}
	quiet, sent := true, uint64(0)
	begun := time.Now()
	more := func() bool {
		within := func(limit time.Duration) bool { return time.Since(begun) < poll.Patient(limit) }
		return within(shortestWatch) || !slices.ContainsFunc(all, (*conversation).unanswered) &&
			(within(longestWatch) || within(anotherRequest) && slices.ContainsFunc(all, (*conversation).triedOnce) ||
				slices.ContainsFunc(asked, func(r *request) bool {
					return v.askedOnce(r) && (within(anotherRequest) || time.Since(r.since) < poll.Patient(nextRequest))
				}))
	}
	for ; more(); time.Sleep(pause) {
		w.each(func(e trace.Event) {
			quiet = quiet && e.Device != v.device.Name
			v.notice(&e)
			if asked = listenRequest(asked, e, v.device.Name); e.Reason != "" || e.Device == v.device.Name {
				all = v.listen(all, e)
			}
			v.noteLostAnswer(w, all, e)
			if e.Passes() && e.ToProgram && !e.To.IsMulticast() {
				sent++
				still.arrive(sent) // some queueing disciplines do not count
			}
		})
		still.look()
	}
	if !still.arrived.IsZero() {
		still.observe(poll.Patient(2 * unreadFor))
	}
	if quiet {
		v.unheard = fmt.Sprintf("no packet passed within %v", poll.Patient(longestWatch).Round(100*time.Millisecond))
	}
	noteScans(all, asked)
	v.noteAnswers(all, asked)
	v.noteReach(all)
	all = slices.DeleteFunc(all, func(c *conversation) bool {
		return !c.old() && !c.stray || c.answered && !c.closed && !v.isOwn(c.From)
	})
	slices.SortStableFunc(all, func(a, b *conversation) int { return a.rank() - b.rank() })
	return all[:min(most, len(all))], slices.DeleteFunc(asked, (*request).settled)
}

// listen adds the packet of an event to its conversation.
func (v *view) listen(all []*conversation, e trace.Event) []*conversation {
	p := flow.Packet{From: e.From, To: e.To, Protocol: e.Protocol, FromPort: e.FromPort, ToPort: e.ToPort}
	if e.Reason != "" {
		return v.listenForDrop(all, e, p)
	}
	if p.Protocol == 0 || !oneHost(p.From) || !oneHost(p.To) {
		return all
	}
	noteRefused(all, e)
	back := mirror(p)
	p.ToMAC = e.ToMAC
	if asks(e) { // the first answer may be to a question from before the watch
		all = slices.DeleteFunc(all, func(c *conversation) bool { return c.stray && c.has(back) })
	}
	for _, c := range all {
		switch {
		case c.has(back) && !asks(e):
			c.answered = true
			return all
		case c.has(p) && c.ToMAC == p.ToMAC && !e.Answers || c.stray && e.Answers && c.From == p.From && c.To == p.To:
			c.packets++
			return all
		}
	}
	const most = 128
	stray := e.ToProgram && e.Answers && v.isOwn(p.From)
	directed := v.isDirected(e)
	if len(all) == most || e.ToProgram && !v.isOwn(p.From) || !stray && !directed && !v.awaits(e) {
		return all
	}
	c := &conversation{Packet: p, packets: 1, since: time.Now(), stray: stray, directed: directed,
		unfinished: e.Unfinished}
	if !e.ToProgram && e.FromMAC != [6]byte{} {
		c.source = e.FromMAC[:]
	}
	return append(all, c)
}

// oneHost reports whether an address is that of one host, which can answer.
func oneHost(ip netip.Addr) bool {
	return ip.IsValid() && !ip.IsUnspecified() && !ip.IsMulticast() && ip != broadcast
}
