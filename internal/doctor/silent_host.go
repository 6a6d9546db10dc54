package doctor

import (
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/poll"
	"github.com/tunadm/tunadm/internal/trace"
)

// A silence is a host behind the device that has told this host its MAC address, and what of it is seen while this host
// asks it in vain.
type silence struct {
	*conversation
	sent  int       // packets of the host
	asked int       // questions after the first one of these, at most inVain
	last  time.Time // of the last of them, or of a question before; zero: none was seen again
	ends  bool      // the host answers, refuses the question, or the question is dropped before it
	all   []*conversation
}

// answersOther reports whether the host answers other questions of this host.
func (s *silence) answersOther(all []*conversation) bool {
	return slices.ContainsFunc(all, func(c *conversation) bool {
		return c.answered && c.From == s.From && c.To == s.To
	})
}

// silentHost finds a host behind a tap that reads the packets of this host and sends others, but does not answer echo
// requests or requests for TCP connections. A host that answers other questions ignores echo requests on purpose.
// It watches one such host.
func (v *view) silentHost(conversations []*conversation) []Finding {
	for _, c := range conversations {
		s, tcp := &silence{conversation: c}, c.Protocol == unix.IPPROTO_TCP
		if c.answered || c.dropped || c.lost != "" || c.stray || c.scan || !v.isOwn(c.From) ||
			!tcp && c.Protocol != echo(c.To) || !v.tellsMAC(c) {
			continue
		}
		if v.watchSilence(s) && (tcp || !s.answersOther(conversations) && !s.answersOther(s.all)) {
			return v.noted("neighbour", s.finding(), c)
		}
		break
	}
	return nil
}

// tellsMAC reports whether the other end of a conversation is on the link itself, behind the device, and has told this
// host its MAC address.
func (v *view) tellsMAC(c *conversation) bool {
	return v.frames() && slices.ContainsFunc(v.host.Neighbours(v.layer3().Index), func(n evidence.Neighbour) bool {
		return n.To == c.To && n.Confirmed() && v.isBehind(n)
	})
}

// inVain is how many questions a host leaves without an answer that has sent packets before.
const inVain = 2

// watchSilence reports whether the host sends packets, and then leaves two questions without an answer.
func (v *view) watchSilence(s *silence) bool {
	const longest, again, pause = 5 * time.Second, 3 * time.Second, 10 * time.Millisecond
	w, err := v.begin(v.device, true, v.besidePorts())
	if err != nil {
		v.unheard = err.Error()
		return false
	}
	defer w.Close()
	silent := func() bool { return s.asked == inVain && time.Since(s.last) > poll.Patient(patience) }
	begun := time.Now()
	more := func() bool {
		within := func(limit time.Duration) bool { return time.Since(begun) < poll.Patient(limit) }
		return !s.ends && !silent() && within(longest) && (within(again) || !s.last.IsZero())
	}
	for ; more(); time.Sleep(pause) {
		w.each(func(e trace.Event) {
			if e.Device == v.device.Name {
				s.all = v.listen(s.all, e)
			}
			s.look(e, v.device.Name)
		})
	}
	return !s.ends && silent()
}

// look records one packet. An answer to ARP does not prove that the host is there: a router may give it in its place. A
// long packet may be too long for the host.
func (s *silence) look(e trace.Event, device string) {
	const short = 576
	p := flow.Packet{From: e.From, To: e.To, Protocol: e.Protocol, FromPort: e.FromPort, ToPort: e.ToPort}
	switch {
	case s.has(mirror(p)) && !asks(e), s.has(e.Cause), s.has(p) && (!e.Passes() || e.Size > short):
		s.ends = true
	case e.Passes() && e.ToProgram && e.Device == device && s.has(p):
		if s.asked < inVain {
			s.last = time.Now()
			s.asked += min(s.sent, 1)
		}
	case e.Passes() && !e.ToProgram && e.Device == device && e.From == s.To && !e.Tells.IsValid():
		s.sent++
	}
}

func (s *silence) finding() []Finding {
	what, let := "echo requests of this host", "ICMP echo requests"
	if s.Protocol == unix.IPPROTO_TCP {
		let = fmt.Sprintf("connections to TCP port %d", s.ToPort)
		what = "requests of this host for " + let
	}
	return one(Warning, fmt.Sprintf("%s, behind it, does not answer %s, but answers ARP", s.To, what),
		fmt.Sprintf("the program reads these packets, and %s of %s were seen meanwhile: the host itself drops the "+
			"requests, as by its own firewall", packets(uint64(s.sent)), s.To),
		fix.Sentence(fmt.Sprintf("let %s pass the firewall inside %s", let, s.To)))
}
