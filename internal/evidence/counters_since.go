package evidence

import (
	"maps"
	"slices"
)

// A mark is the state of the counters at one time.
type mark struct {
	files  map[string]map[string]uint64 // by file and name
	queues []Queue
	links  map[int]linkMark
}

// A linkMark is the counters of a link that no other table has.
type linkMark struct {
	frameErrors     uint64
	sent, losses    uint64
	ingress, egress []Filter
}

// Mark remembers the counters of the namespace, and those of links by index and name. From then on all counters that
// the host returns count from this moment, and a counter that was not remembered is 0.
func (h *Host) Mark(links map[int]string, devices []int) {
	h.since = nil
	m := &mark{files: map[string]map[string]uint64{}, links: map[int]linkMark{}}
	clear(h.queues)
	m.queues = slices.Clone(h.allQueues())
	files := []string{"snmp", "netstat", "snmp6", "xfrm_stat", Tracking, "stat/arp_cache", "stat/ndisc_cache"}
	for name := range maps.Values(links) {
		files = append(files, "dev_snmp6/"+name)
	}
	for _, file := range files {
		m.files[file] = h.absolute(file)
	}
	for _, index := range devices {
		m.links[index] = linkMark{frameErrors: h.FrameErrors(index), sent: h.Read(index),
			losses: h.CarrierLosses(index), ingress: h.Filters(index, Ingress), egress: h.Filters(index, Egress)}
	}
	*h = *fresh(h.socket, h.file)
	h.since = m
}

// less returns by how much a counter has grown. One that is smaller was reset.
func less(now, before uint64) uint64 {
	if now < before {
		return now
	}
	return now - before
}

// counters returns how much the counters of a file have grown.
func (m *mark) counters(file string, now map[string]uint64) map[string]uint64 {
	grown := map[string]uint64{}
	before, known := m.files[file]
	if !known {
		return grown
	}
	for name, n := range now {
		grown[name] = less(n, before[name])
	}
	return grown
}

// count returns how much the counters of queueing disciplines have grown.
func (m *mark) count(now []Queue) []Queue {
	for i, q := range now {
		at := slices.IndexFunc(m.queues, func(o Queue) bool {
			return o.Index == q.Index && o.Handle == q.Handle && o.Parent == q.Parent && o.Kind == q.Kind
		})
		if at >= 0 {
			now[i].Packets -= m.queues[at].Packets
			now[i].Drops -= min(q.Drops, m.queues[at].Drops)
			now[i].overlimits -= min(q.overlimits, m.queues[at].overlimits)
		}
	}
	return now
}

// filters returns how much the counters of the filters of a link have grown.
func (m *mark) filters(index int, parent uint32, now []Filter) []Filter {
	before := m.links[index].ingress
	if parent == Egress {
		before = m.links[index].egress
	}
	for i := range min(len(now), len(before)) {
		if f := &now[i]; f.Preference == before[i].Preference && f.Kind == before[i].Kind {
			f.Dropped = less(f.Dropped, before[i].Dropped)
		}
	}
	return now
}
