package doctor

import (
	"fmt"
	"time"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/poll"
)

// A queueState has the counters of the packets to the program at one time.
type queueState struct {
	handed uint64 // to the driver, by the queueing discipline; 0: it does not count them
	own    uint64 // of the kernel itself, which it sends to find neighbours and routers
	read   uint64 // by programs
	lost   uint64 // by the driver, for example because the queue was full
	losses uint64 // of the carrier: each time the last program detached, the packets in the queue were lost
}

func (v *view) queueState() (s queueState) {
	index := v.device.Index
	v.host.QueuesNow(index)
	s.handed = v.host.Sent(index) // before the others: what arrives meanwhile does not count
	s.read, s.losses = v.host.Read(index), v.host.CarrierLosses(index)
	_, s.lost = v.host.Dropped(index)
	s.own = v.host.CounterNow("dev_snmp6/"+v.device.Name, "", "Ip6OutMcastPkts")
	return s
}

// A stall observes an attached program that may read no packet.
type stall struct {
	*view
	first   queueState
	waiting uint64    // packets that waited at first, or were lost when an earlier program detached
	begun   time.Time // the observation
	arrived time.Time // when the first packet since then arrived; zero: none has
	news    uint64    // the packets since then
	ended   bool      // the program reads, or has detached
	looked  int
	running int // how often a program was found on a processor or waiting for one
	ticks   uint64
}

// unreadFor is longer than a program that reads its packets lets one wait.
const unreadFor = time.Second

func (v *view) newStall() *stall {
	d := v.device
	s := &stall{view: v, first: v.queueState(), begun: time.Now()}
	s.waiting = s.first.handed - min(s.first.handed, s.first.read)
	switch own := s.first.own + s.strangers(); {
	case s.first.read > 0 && d.VnetHdr: // a packet may be counted as several
		s.waiting = 0
	case s.first.read > 0:
		s.waiting -= min(s.waiting, d.Stats.TxDropped)
	case s.waiting <= own:
		s.waiting = 0
	}
	_, s.ticks = s.processors()
	return s
}

// strangers returns how many packets of the kernel itself may not be among its own of the device: those that a bridge
// forwards from other ports, or those from the time before the MTU became too small for IPv6.
func (s *stall) strangers() uint64 {
	if d := s.device; s.bridgePort() || d.MTU < link.MTUMinV6 {
		return ownPackets
	}
	return 0
}

// processors reports whether a program is on a processor or waits for one, and the CPU time of all.
func (s *stall) processors() (running bool, ticks uint64) {
	for _, h := range s.device.Holders {
		p, _ := s.process(h.PID)
		running, ticks = running || p.state == "R", ticks+p.ticks
	}
	return running, ticks
}

// look looks at the program and the counters again.
func (s *stall) look() {
	if s.ended {
		return
	}
	now := s.queueState()
	if s.ended = now.read != s.first.read || now.losses != s.first.losses; s.ended {
		return
	}
	s.looked++
	if running, _ := s.processors(); running {
		s.running++
	}
	less := func(n, part uint64) uint64 { return n - min(n, part) }
	grown := less(less(now.handed, s.first.handed), less(now.own, s.first.own)+s.strangers())
	if grown > less(now.lost, s.first.lost) || s.full() && grown > 0 {
		s.arrive(grown)
	}
}

// arrive notes how many packets have arrived since the beginning.
func (s *stall) arrive(n uint64) {
	if s.arrived.IsZero() {
		s.arrived = time.Now()
	}
	s.news = max(s.news, n)
}

// lasts reports whether a packet that arrived during the observation was not read.
func (s *stall) lasts() bool {
	return !s.ended && !s.arrived.IsZero() && time.Since(s.arrived) > poll.Patient(unreadFor)
}

// full reports whether at first as many packets waited as the queue holds.
func (s *stall) full() bool { return s.waiting >= uint64(s.device.TxQueueLen) }

// certain reports whether the packets that waited at first do so: no program has detached since the first of them
// arrived. The device lost its carrier once when it was created.
func (s *stall) certain() bool {
	switch {
	case s.moving:
		return s.first.losses == 0
	case s.device.MultiQueue: // a program may have detached one of several queues
		return false
	}
	return s.first.losses == 0 || s.first.losses == 1 && (s.first.read == 0 || s.full())
}

// likely reports whether packets wait, as far as the counters show. If several programs have detached, they do not show
// whether packets wait or were lost.
func (s *stall) likely() bool { return s.waiting > 0 && s.first.losses <= 1 }

// observe looks until there is an answer, or for so long.
func (s *stall) observe(longest time.Duration) {
	const pause = 20 * time.Millisecond
	for end := time.Now().Add(longest); time.Now().Before(end) && !s.ended && !s.lasts(); s.look() {
		time.Sleep(pause)
	}
}

// finding reports a program that reads nothing; nil: it reads, or nothing waits for it.
func (s *stall) finding() []Finding {
	d := s.device
	took := time.Since(s.begun).Round(10 * time.Millisecond)
	waiting, within := s.waiting, ""
	switch certain := s.waiting > 0 && s.certain(); {
	case s.ended:
		return nil
	case !certain && s.lasts():
		waiting, within = s.news, " of the last "+took.String()
	case !certain && !s.likely():
		return nil
	case !certain:
		return opinion(one(Warning, fmt.Sprintf("the attached program may not read: %s wait in its queue, or were "+
			"lost when a program detached, and it read none in %s", packets(waiting), took), s.instead(took),
			fix.Sentence("restart the program")))
	case s.moving:
		within = " of the last " + s.Watch.String()
	}
	verb := map[bool]string{true: "waits", false: "wait"}[waiting == 1]
	what := fmt.Sprintf("the attached program does not read: %s%s %s in its queue", packets(waiting), within, verb)
	if waiting > uint64(d.TxQueueLen) {
		what += " or were dropped"
	}
	what += ", and it read none in " + took.String()
	level := Error
	if d.Stats.RxPackets > 0 && s.first.read == 0 { // it may be meant to write only
		level = Warning
		what += "; it wrote " + packets(d.Stats.RxPackets)
	}
	found := one(level, what, s.instead(took), fix.Sentence("restart the program"))
	found[0].counted = d.Stats.TxDropped
	return opinion(found)
}

// instead returns what the program did instead of reading.
func (s *stall) instead(took time.Duration) string {
	_, ticks := s.processors()
	used := time.Duration(ticks-min(ticks, s.ticks)) * 10 * time.Millisecond
	if used > took/2 || s.looked > 1 && s.running*2 > s.looked {
		return fmt.Sprintf("it runs in a loop (%d ms CPU time in %s): %s", used.Milliseconds(), took, s.device.UsedBy())
	}
	return "it waits for something else: " + s.device.UsedBy()
}

// unreadPackets finds packets that wait for the attached program, which reads none of them for a while.
func (v *view) unreadPackets() []Finding {
	s := v.newStall()
	switch {
	case !s.likely():
		return nil
	case s.certain():
		s.observe(poll.Patient(unreadFor))
	default:
		s.observe(poll.Patient(2 * unreadFor))
	}
	return s.finding()
}
