// Package trace shows what the kernel does with the packets of a device: those that it drops, with its reason, and
// those that pass. BPF programs at the kernel's tracepoints report them; the device and its packets are not touched.
package trace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/bpf"
)

// A Device is a device whose packets are traced.
type Device struct {
	Name   string
	Index  int
	Master int // the index of its bridge; 0: none
	// Beside are the indexes of other devices whose packets are reported when their drivers hand them to the kernel.
	Beside []int
}

// A Trace reads what the kernel reports.
type Trace struct {
	*layout
	target  target
	ring    *bpf.Ring // nil: no BPF program reports packets
	monitor *monitor  // nil: the drop monitor reports no packets
	lost    *bpf.Map
	probes  []interface{ Close() }
	symbols *symbols // nil: not read yet
	host    host
	boot    time.Time // when the kernel's clock was 0
	counted tally     // the counters of drops: how far they have been reported
	refused uint64    // reported packets that IPsec refused to forward, not yet found in its counters
	waiting []Event   // not returned by Next yet
	bridge  database  // of the device's bridge
	without error     // why no BPF program reports packets; nil: it does
}

// ringSize is the room for reports that were not read yet: 4000 packets.
const ringSize = 1 << 20

// atOnce is how many reports are read in one go, a full ring. Under load more arrive meanwhile.
const atOnce = 1 << 13

// Open starts a trace of a device of the thread's network namespace: of the packets that the kernel drops, and with
// passes also of those that it hands to the device or takes from it. If that is not possible, the events are those of
// the drop monitor or of counters, and Without returns why.
func Open(d Device, passes bool) (*Trace, error) {
	var st unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &st); err != nil {
		return nil, fmt.Errorf("inspect the network namespace: %w", err)
	}
	h, err := openHost()
	if err != nil {
		return nil, err
	}
	t := &Trace{boot: bootTime(), host: h, target: target{d, uint32(st.Ino)}}
	if t.without = t.open(passes); t.without != nil {
		t.monitor, _ = openMonitor() // most kernels have none; the first reason is the one that helps
	}
	t.counted = t.tally()
	return t, nil
}

// open has the kernel report packets.
func (t *Trace) open(passes bool) (err error) {
	defer func() {
		if err != nil {
			t.detach()
		}
	}()
	if t.layout, err = readLayout(); err != nil {
		return err
	}
	if t.ring, err = bpf.NewRing(ringSize); err != nil {
		return err
	}
	if t.lost, err = bpf.NewNumber(); err != nil {
		return err
	}
	points := []kind{dropped}
	if passes {
		points = append(points, sent, received)
	}
	for _, k := range points {
		probe, err := t.build(k).Attach(k.tracepoint())
		if err != nil {
			return err
		}
		t.probes = append(t.probes, probe)
	}
	return nil
}

// bootTime returns the time at which CLOCK_MONOTONIC was 0.
func bootTime() time.Time {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	return time.Now().Add(-time.Duration(now.Nano()))
}

// Close ends the trace.
func (t *Trace) Close() {
	t.detach()
	t.host.close()
}

// detach ends the kernel's reports.
func (t *Trace) detach() {
	for _, p := range t.probes {
		p.Close()
	}
	if t.ring != nil {
		t.ring.Close()
	}
	if t.lost != nil {
		t.lost.Close()
	}
	if t.monitor != nil {
		t.monitor.close()
	}
	t.probes, t.ring, t.lost, t.monitor = nil, nil, nil, nil
}

// FD returns the descriptor that is readable when there is an event; -1: events come from Look only.
func (t *Trace) FD() int {
	switch {
	case t.ring != nil:
		return t.ring.FD()
	case t.monitor != nil:
		return t.monitor.socket.FD()
	}
	return -1
}

// Next returns the next event; false: there is none yet.
func (t *Trace) Next() (e Event, ok bool) {
	for n := 0; n < atOnce && len(t.waiting) == 0 && t.take(); n++ {
	}
	if len(t.waiting) == 0 {
		return e, false
	}
	e, t.waiting = t.waiting[0], t.waiting[1:]
	return e, true
}

// take reads a report of the kernel. One of a packet that nobody misses, or of another port, is left out. It returns
// false if there is none.
func (t *Trace) take() bool {
	switch {
	case t.monitor != nil:
		return t.monitor.take(t)
	case t.ring == nil:
		return false
	}
	return t.ring.Next(func(record []byte) {
		e := t.event(record)
		t.reported(&e)
		if !e.harmless() && !t.ofOtherPort(&e) {
			t.waiting = append(t.waiting, e)
		}
	})
}

// Lost returns the number of events that the kernel could not report, because those before had not been read.
func (t *Trace) Lost() (n uint64) {
	switch {
	case t.lost != nil:
		n, _ = t.lost.Number()
	case t.monitor != nil:
		n = t.monitor.lost
	}
	return n
}

// Reports reports whether the kernel reports packets. Otherwise all events are those of counters.
func (t *Trace) Reports() bool { return t.ring != nil || t.monitor != nil }

// Without returns why the events are those of the drop monitor or of counters; "": a BPF program reports them.
func (t *Trace) Without() string {
	switch err := t.without; {
	case err == nil:
		return ""
	case errors.Is(err, fs.ErrNotExist):
		return "the kernel does not describe its types (no /sys/kernel/btf/vmlinux)"
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() == 0:
		return "CAP_BPF and CAP_PERFMON are required, in the first user namespace"
	case errors.Is(err, fs.ErrPermission):
		return "root, or CAP_BPF and CAP_PERFMON, are required"
	case errors.Is(err, unix.ENOSYS):
		return "the kernel has no BPF"
	default:
		return err.Error()
	}
}
