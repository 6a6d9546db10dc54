package doctor

import (
	"fmt"
	"slices"
	"time"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/trace"
	"github.com/tunadm/tunadm/netcfg"
)

// observe watches the named devices: the counters then count from the beginning of this time, and each reason for which
// the kernel dropped packets of the devices becomes a finding.
func (v *view) observe() ([]Finding, error) {
	watched := v.named()
	traces := make([]*watch, 0, len(watched))
	for _, d := range watched {
		w, err := v.begin(d, false, nil)
		if err != nil {
			return nil, err
		}
		defer w.Close()
		traces = append(traces, w)
	}
	links, indexes := map[int]string{}, []int{}
	for _, l := range v.every() {
		links[l.Index] = l.Name
	}
	for _, d := range watched {
		indexes = append(indexes, d.Index)
	}
	v.host.Mark(links, indexes)
	wall, before := v.wall(), v.every()
	const pause = 50 * time.Millisecond // the room for reports is that of 4000 packets
	for end := time.Now().Add(v.Watch); time.Now().Before(end); time.Sleep(min(pause, time.Until(end))) {
		for _, w := range traces {
			w.collect()
		}
	}
	if err := v.read(true); err != nil {
		return nil, err
	}
	v.grow(before)
	v.moving, v.rules = true, nil
	if now := v.wall(); now.err == nil && wall.err == nil {
		now.rules.Since(wall.rules)
	}
	wall.close()
	var found []Finding
	for _, w := range traces {
		w.collect()
		found = append(found, w.findings(v)...)
	}
	return found, nil
}

// named returns the devices of the question.
func (v *view) named() []*netcfg.Device {
	return slices.DeleteFunc(slices.Clone(v.candidates), func(d *netcfg.Device) bool {
		return !slices.ContainsFunc(append([]string{v.Question.Device}, v.More...), func(name string) bool {
			return d.Name == name || slices.Contains(d.AltNames, name)
		})
	})
}

// grow makes the counters of all links count from those of an earlier reading.
func (v *view) grow(before []*netcfg.Device) {
	for _, l := range v.every() {
		i := slices.IndexFunc(before, func(o *netcfg.Device) bool { return o.Index == l.Index })
		if i < 0 {
			continue
		}
		s, o := &l.Stats, before[i].Stats
		for _, c := range []struct {
			now    *uint64
			before uint64
		}{
			{&s.RxPackets, o.RxPackets}, {&s.RxBytes, o.RxBytes}, {&s.RxErrors, o.RxErrors},
			{&s.RxDropped, o.RxDropped}, {&s.RxOtherHost, o.RxOtherHost}, {&s.TxPackets, o.TxPackets},
			{&s.TxBytes, o.TxBytes}, {&s.TxErrors, o.TxErrors}, {&s.TxDropped, o.TxDropped},
		} {
			*c.now -= min(*c.now, c.before)
		}
	}
}

// A watch collects what the kernel reports of one device.
type watch struct {
	*trace.Trace
	device *netcfg.Device
	drops  []drop // in the order of their first packets
}

// A drop is a reason for which the kernel dropped packets, and one of these.
type drop struct {
	first   trace.Event
	packets uint64
	means   string
	fixes   []fix.Fix
}

// begin begins to watch a device: what the kernel drops, and with passes also the packets that the device carries, and
// those that arrive through others beside it.
func (v *view) begin(d *netcfg.Device, passes bool, beside []int) (*watch, error) {
	t := trace.Device{Name: d.Name, Index: d.Index, Beside: beside}
	if d.MasterKind == "bridge" {
		t.Master = d.MasterIndex()
	}
	opened, err := trace.Open(t, passes)
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", d.Name, err)
	}
	return &watch{Trace: opened, device: d}, nil
}

// room is how many reports are read in one go.
const room = 8192

// each reads the reports, not more than there is room for: packets may pass faster than they are read.
func (w *watch) each(look func(trace.Event)) {
	for range room {
		e, ok := w.Next()
		if !ok {
			return
		}
		look(e)
	}
}

// collect adds up the reports.
func (w *watch) collect() {
	w.each(func(e trace.Event) {
		i := slices.IndexFunc(w.drops, func(d drop) bool {
			return d.first.Reason == e.Reason && d.first.Function == e.Function && d.first.ToProgram == e.ToProgram
		})
		if i < 0 {
			means, fixes := w.Explain(&e)
			w.drops = append(w.drops, drop{first: e, means: means, fixes: fixes})
			i = len(w.drops) - 1
		}
		w.drops[i].packets += uint64(e.Packets)
	})
}

// findings returns the drops, and whether nothing moved.
func (w *watch) findings(v *view) (found []Finding) {
	for _, d := range w.drops {
		way := "from the program"
		if d.first.ToProgram {
			way = "to the program"
		}
		what := fmt.Sprintf("the kernel dropped %s %s within %v: %s", packets(d.packets), way, v.Watch, d.first.Reason)
		if d.first.Function != "" {
			what += " in " + d.first.Function
		}
		if d.first.From.IsValid() {
			what += ", such as " + d.first.Packet.String()
		}
		level := Error
		if len(d.fixes) == 0 {
			level = Warning // such as packets to a port at which no program listens
		}
		found = append(found, Finding{Level: level, What: what, Means: d.means, Fixes: d.fixes, counted: d.packets})
	}
	now := v.link(w.device.Name)
	if now != nil && now.Stats.RxPackets+now.Stats.TxPackets+now.Stats.TxDropped+now.Stats.RxDropped == 0 &&
		v.host.Sent(now.Index) == 0 && len(found) == 0 {
		found = one(Unknown, fmt.Sprintf("no packet passed the device within %v", v.Watch),
			"run the program that fails meanwhile, such as ping")
	}
	if why := w.Without(); why != "" && !w.Reports() {
		found = append(found, one(Unknown, "the kernel's reports of dropped packets were not read: "+why, "")...)
	}
	before := v.device
	v.device = w.device
	defer func() { v.device = before }()
	return v.complete("dropped", found)
}
