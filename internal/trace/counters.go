package trace

import (
	"time"

	"github.com/tunadm/tunadm/internal/evidence"
)

// A counter counts lost packets, of one reason or several.
type counter struct {
	file   string // below /proc/net
	group  string
	name   string
	reason string // "": several
}

// losses are the counters of the network namespace that count drops.
var losses = [...]counter{
	{"netstat", "TcpExt", "IPReversePathFilter", "IP_RPFILTER"}, {"netstat", "IpExt", "InCsumErrors", "IP_CSUM"},
	{"netstat", "IpExt", "InNoRoutes", "IP_INNOROUTES"}, {"netstat", "IpExt", "InTruncatedPkts", "PKT_TOO_SMALL"},
	{"netstat", "TcpExt", "ListenOverflows", "TCP_LISTEN_OVERFLOW"},
	{"netstat", "TcpExt", "TCPBacklogDrop", "SOCKET_BACKLOG"},
	{"snmp", "Ip", "InHdrErrors", "IP_INHDR"}, {"snmp", "Ip", "InAddrErrors", "IP_INADDRERRORS"},
	{"snmp", "Ip", "InUnknownProtos", "IP_NOPROTO"}, {"snmp", "Ip", "InDiscards", ""},
	{"snmp", "Ip", "OutDiscards", ""},
	{"snmp", "Ip", "OutNoRoutes", "IP_OUTNOROUTES"}, {"snmp", "Ip", "ReasmFails", "FRAG_REASM_TIMEOUT"},
	{"snmp", "Ip", "FragFails", "PKT_TOO_BIG"}, {"snmp", "Icmp", "InCsumErrors", "ICMP_CSUM"},
	{"snmp", "Tcp", "InCsumErrors", "TCP_CSUM"}, {"snmp", "Udp", "InCsumErrors", "UDP_CSUM"},
	{"snmp", "Udp", "NoPorts", "NO_SOCKET"}, {"snmp", "Udp", "RcvbufErrors", "SOCKET_RCVBUFF"},
	{"snmp6", "", "Ip6InHdrErrors", "IP_INHDR"}, {"snmp6", "", "Ip6InTooBigErrors", "PKT_TOO_BIG"},
	{"snmp6", "", "Ip6InNoRoutes", "IP_INNOROUTES"}, {"snmp6", "", "Ip6InAddrErrors", "IP_INADDRERRORS"},
	{"snmp6", "", "Ip6InUnknownProtos", "IP_NOPROTO"}, {"snmp6", "", "Ip6InTruncatedPkts", "PKT_TOO_SMALL"},
	{"snmp6", "", "Ip6InDiscards", ""}, {"snmp6", "", "Ip6OutDiscards", ""},
	{"snmp6", "", "Ip6OutNoRoutes", "IP_OUTNOROUTES"}, {"snmp6", "", "Ip6ReasmFails", "FRAG_REASM_TIMEOUT"},
	{"snmp6", "", "Icmp6InCsumErrors", "ICMP_CSUM"}, {"snmp6", "", "Udp6InCsumErrors", "UDP_CSUM"},
	{"snmp6", "", "Udp6NoPorts", "NO_SOCKET"}, {"snmp6", "", "Udp6RcvbufErrors", "SOCKET_RCVBUFF"},
}

// refusals are the counters of packets of this host that IPsec refuses before there is a packet to report, and of
// packets that it may not forward, which are reported.
var refusals = [...]counter{
	{"xfrm_stat", "", "XfrmOutNoStates", reasonIPsec}, {"xfrm_stat", "", "XfrmOutPolBlock", reasonIPsec},
	{"xfrm_stat", "", "XfrmOutPolError", reasonIPsec}, {"xfrm_stat", "", "XfrmOutBundleGenError", reasonIPsec},
}

const reasonIPsec = "XFRM_POLICY"

// The counters of the device itself.
const (
	rxDropped = "rx_dropped"
	txDropped = "tx_dropped"
	queueDrop = "qdisc drops"
)

// A tally is the present value of each counter, by its name.
type tally map[string]uint64

// title returns the name of a counter as nstat(8) and the kernel's files have it.
func (c counter) title() string {
	if c.group == "" {
		return c.name
	}
	return c.group + "." + c.name
}

// tally reads the counters of the device, and in a trace without reports also all others that count drops.
func (t *Trace) tally() tally {
	now := tally{}
	h, err := evidence.Open()
	if err != nil {
		return now
	}
	defer h.Close()
	now[rxDropped], now[txDropped] = h.Dropped(t.target.Index)
	for _, c := range refusals {
		now[c.name] = h.Counter(c.file, c.group, c.name)
	}
	if t.Reports() {
		return now
	}
	tables := map[string]map[string]uint64{}
	for _, c := range losses {
		if tables[c.file] == nil {
			tables[c.file] = h.Counters(c.file)
		}
		now[c.title()] = tables[c.file][c.title()]
	}
	now["Ip.InHdrErrors"] -= now["IpExt.InCsumErrors"] // the one includes the other
	for _, q := range h.Queues(t.target.Index) {
		now[queueDrop] += uint64(q.Drops)
	}
	return now
}

// Look compares the counters with those at the start of the trace. What they count and the kernel did not report
// becomes an event. Call it each second and at the end.
func (t *Trace) Look() {
	now := t.tally()
	for n := 0; n < atOnce && t.take(); n++ { // what was reported is not missing
	}
	t.moved(now, rxDropped, false, "")
	t.moved(now, txDropped, true, "")
	for _, c := range refusals {
		known := min(now[c.name]-min(now[c.name], t.counted[c.name]), t.refused)
		t.counted[c.name], t.refused = t.counted[c.name]+known, t.refused-known
		t.movedHere(now, c, true)
	}
	if t.Reports() {
		return
	}
	t.moved(now, queueDrop, true, "QDISC_DROP")
	for _, c := range losses {
		t.movedHere(now, c, false)
	}
}

// movedHere adds an event if a counter of the network namespace has moved.
func (t *Trace) movedHere(now tally, c counter, toProgram bool) {
	if t.moved(now, c.title(), toProgram, c.reason) {
		t.waiting[len(t.waiting)-1].Text = " of this network namespace, possibly of another device"
	}
}

// XDP reports whether an XDP program is attached to the device. If it drops frames in the driver of a tap, the kernel
// neither reports nor counts them.
func (t *Trace) XDP() bool {
	h, err := evidence.Open()
	if err != nil {
		return false
	}
	defer h.Close()
	return h.XDP(t.target.Index)
}

// moved adds an event if a counter has moved by more than was reported, and returns whether it has.
func (t *Trace) moved(now tally, name string, toProgram bool, reason string) bool {
	before := t.counted[name]
	if now[name] <= before {
		return false
	}
	t.counted[name] = now[name]
	e := Event{Time: time.Now(), Counter: name, Packets: int(now[name] - before), Reason: reason,
		ToProgram: toProgram, at: t.target.Index, Device: t.target.Name}
	if !toProgram {
		e.In, e.InIndex = t.target.Name, t.target.Index
	}
	t.waiting = append(t.waiting, e)
	return true
}

// reported counts a reported drop, which the counters of the device or of IPsec count as well.
func (t *Trace) reported(e *Event) {
	switch {
	case e.Reason == reasonIPsec && (e.Function == "ip_forward" || e.Function == "ip6_forward"):
		t.refused++
	case e.Reason == "" || e.at != t.target.Index:
	case e.ToProgram:
		t.counted[txDropped]++
	default:
		t.counted[rxDropped]++
	}
}
