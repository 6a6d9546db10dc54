package commands

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/trace"
	"github.com/tunadm/tunadm/internal/words"
)

// A traceReport prints the packets of a trace.
type traceReport struct {
	*traceOptions
	trace  *trace.Trace
	device string

	text             bytes.Buffer // what was not written yet
	dropped, passing int
	flows            map[traceFlow]*int
	order            []traceFlow // in the order of their first packet
	explained        map[string]bool
}

// A traceFlow is what the packets have in common of which one line is printed.
type traceFlow struct {
	toProgram        bool
	reason, function string
	device, in, out  string
	from, to         netip.Addr
	protocol         uint8
	toPort, fromPort uint16
	text             string // the packet, if it has no addresses
}

// flowsMost is the number of flows of which repeated packets are folded. Further flows are printed packet by packet.
const flowsMost = 10_000

// drain prints the packets that have been reported. It returns true if the last one of --count was among them.
func (r *traceReport) drain() (done bool, err error) {
	const most = 8192 // then signals and the end of the run come first: packets may arrive faster than they are printed
	for n := 0; !done && n < most; n++ {
		e, ok := r.trace.Next()
		if !ok {
			break
		}
		if err := r.add(&e); err != nil {
			return false, err
		}
		done = r.count > 0 && r.dropped+r.passing >= r.count
	}
	return done, r.flush()
}

func (r *traceReport) flush() error {
	_, err := r.stdout.Write(r.text.Bytes())
	r.text.Reset()
	return err
}

// add counts one packet, and prints it if its flow is new.
func (r *traceReport) add(e *trace.Event) error {
	if e.Passes() {
		r.passing++
	} else {
		r.dropped += e.Packets
	}
	if r.json {
		return r.addJSON(e)
	}
	if e.Counter != "" {
		fmt.Fprintf(&r.text, "%s  %s  %s counts %s%s  %s\n", e.Time.Format("15:04:05.000000"), direction(e.ToProgram),
			e.Counter, packets(e.Packets), e.Text, verdict(cmp.Or(e.Reason, "no reason known"), ""))
		r.explain(e)
		return nil
	}
	key := traceFlow{e.ToProgram, e.Reason, e.Function, e.Device, e.In, e.Out, e.From, e.To, e.Protocol, e.ToPort,
		e.FromPort, ""}
	if !e.From.IsValid() {
		key.text = e.Text
	}
	if n := r.flows[key]; n != nil && !e.Passes() {
		*n++
		return nil
	}
	if len(r.order) < flowsMost && !e.Passes() {
		n := 1
		r.flows[key] = &n
		r.order = append(r.order, key)
	}
	fmt.Fprintf(&r.text, "%s  %s  %s  %d bytes  %s\n", e.Time.Format("15:04:05.000000"), direction(e.ToProgram), e.Text,
		e.Size, verdict(e.Reason, e.Function))
	if !e.Passes() {
		r.explain(e)
	}
	return nil
}

// direction returns the direction of a packet in words of one width.
func direction(toProgram bool) string {
	if toProgram {
		return "to program  "
	}
	return "from program"
}

// verdict returns what the kernel did with a packet.
func verdict(reason, function string) string {
	switch {
	case reason == "":
		return "passes"
	case function == "":
		return "dropped: " + reason
	}
	return "dropped: " + reason + " in " + function
}

// explain prints the cause and the fixes, unless they were printed before.
func (r *traceReport) explain(e *trace.Event) {
	means, fixes := r.trace.Explain(e)
	var text strings.Builder
	if means != "" {
		fmt.Fprintf(&text, "    cause: %s\n", words.Printable(means))
	}
	for _, f := range fixes {
		fmt.Fprintf(&text, "    fix: %s\n", words.Printable(f.In(r.netns).String()))
	}
	if s := text.String(); !r.explained[s] {
		r.explained[s] = true
		r.text.WriteString(s)
	}
}

// summary prints the flows of several packets with their numbers, and how many packets there were.
func (r *traceReport) summary() error {
	for _, key := range r.order {
		n := *r.flows[key]
		if n < 2 {
			continue
		}
		what := key.text
		if what == "" {
			what = packetOf(key)
		}
		fmt.Fprintf(&r.text, "%d times  %s  %s  %s\n", n, direction(key.toProgram), what,
			verdict(key.reason, key.function))
	}
	err := r.flush()
	text := fmt.Sprintf("the kernel dropped %s", packets(r.dropped))
	if r.verbose && r.trace.Without() == "" {
		text += fmt.Sprintf(", and passed %s", packets(r.passing))
	}
	if lost := r.trace.Lost(); lost > 0 {
		text += fmt.Sprintf("; %s more could not be reported in time", packets(int(lost)))
	}
	r.sayOf(r.device, text)
	return err
}

// packetOf returns a packet of a flow in words.
func packetOf(f traceFlow) string {
	p := flow.Packet{From: f.from, To: f.to, Protocol: f.protocol, FromPort: f.fromPort, ToPort: f.toPort}
	return p.String()
}

// packets returns a number of packets in words.
func packets(n int) string {
	if n == 1 {
		return "1 packet"
	}
	return strconv.Itoa(n) + " packets"
}

// addJSON prints one packet as JSON.
func (r *traceReport) addJSON(e *trace.Event) error {
	j := jsonTraced{
		Time: e.Time.Format("2006-01-02T15:04:05.000000Z07:00"), Device: r.device, Direction: "from",
		Reason: orNull(e.Reason), Function: orNull(e.Function), At: orNull(e.Device), In: orNull(e.In),
		Out: orNull(e.Out), Counter: orNull(e.Counter), Packets: e.Packets, Size: e.Size, Packet: e.Text,
		Protocol: e.Protocol, Fix: []string{},
	}
	if e.ToProgram {
		j.Direction = "to"
	}
	if e.From.IsValid() {
		j.From, j.To = orNull(e.From.String()), orNull(e.To.String())
	}
	if e.FromPort != 0 || e.ToPort != 0 {
		j.FromPort, j.ToPort = &e.FromPort, &e.ToPort
	}
	if !e.Passes() {
		means, fixes := r.trace.Explain(e)
		j.Means = means
		for _, f := range fixes {
			j.Fix = append(j.Fix, f.In(r.netns).String())
		}
	}
	return encode(&r.text, j)
}
