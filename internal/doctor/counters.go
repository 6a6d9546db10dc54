package doctor

import (
	"fmt"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/words"
)

// A blame is how many of the packets that a counter of the network namespace shows came from the program.
type blame struct {
	level    Level // Error: some of them for certain; Warning: probably; OK: no evidence
	sure     uint64
	evidence string
}

// blame attributes packets that the network namespace counted after their receipt. A counter of the namespace is
// evidence only if the other devices cannot have received the packets, or if the number fits the device alone.
func (v *view) blame(n uint64) blame {
	t := v.traffic()
	if n == 0 || t.sent == 0 {
		return blame{level: OK}
	}
	others, busiest := v.others(n)
	slack := t.sent/4 + 16 // what arrives between the reading of the devices and that of the counter
	b := blame{level: OK, evidence: fmt.Sprintf("the program has sent %s, and received %s", packets(t.sent),
		packets(t.received))}
	switch {
	case n > t.sent+others+slack:
		// Most of them came from a device that does not exist any more.
	case n > others:
		b.level, b.sure = Error, min(n-others, t.sent)
		if t.received >= t.sent {
			b.level = Warning // the program gets answers
		}
	case n <= t.sent+slack && n*2 >= t.sent && t.received < t.sent:
		b.level = Warning
		b.evidence += "; the counter is that of the network namespace, and " + busiest + " also received packets"
	}
	return b
}

// tells reports whether the counter decides about the packet of a question, or about typical ones: that some packets
// probably were from the program says less than that the packet of a question surely is dropped.
func (b blame) tells(explicit bool) bool { return b.level == Error || b.level == Warning && !explicit }

// others returns how many packets the other devices have received, at least if they are fewer than n, and one of these.
func (v *view) others(n uint64) (received uint64, busiest string) {
	var most uint64
	for _, l := range v.receivers() {
		if l.Index == v.device.Index || l.Name == v.device.Master || l.Loopback || l.Packets == 0 {
			continue
		}
		one := l.Packets - min(l.Packets, l.OtherHost) // the IP layer does not count those
		if received <= n {
			one -= min(one, v.host.Counter("dev_snmp6/"+l.Name, "", "Ip6InMcastPkts"))
		}
		received += one
		if one > most {
			most, busiest = one, words.Escape(l.Name)
		}
	}
	return received, busiest
}

// receivers returns the links that have received packets.
func (v *view) receivers() (all []evidence.Receiver) {
	if v.links.all == nil {
		if all, few := v.host.Receivers(); few {
			return all
		}
	}
	for _, l := range v.every() {
		all = append(all, evidence.Receiver{Index: l.Index, Name: l.Name, Loopback: l.Kind == "loopback",
			Packets: l.Stats.RxPackets, OtherHost: l.Stats.RxOtherHost})
	}
	return all
}

// part returns how many of n packets to report.
func (b blame) part(n uint64) uint64 {
	if b.sure > 0 {
		return b.sure
	}
	return n
}

// finding returns a finding with the evidence, or none.
func (b blame) finding(what, means string) []Finding {
	if b.level == OK {
		return nil
	}
	return []Finding{{Level: b.level, What: what, Means: means + "; " + b.evidence, counted: b.sure}}
}

// own6 returns an IPv6 counter of the device that receives the packets. It is the device's own.
func (j *journey) own6(name string) uint64 {
	return j.host.Counter("dev_snmp6/"+j.layer3().Name, "", name)
}
