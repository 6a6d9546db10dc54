package evidence

import (
	"slices"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/rtnl"
)

// The parents of tc(8) that name no class.
const (
	Root    = 0xFFFFFFFF // TC_H_ROOT: sent packets
	Ingress = 0xFFFFFFF2 // the clsact and ingress hooks: arriving packets (TC_H_MIN_INGRESS)
	Egress  = 0xFFFFFFF3 // the clsact hook: sent packets (TC_H_MIN_EGRESS)
)

// The verdicts of actions (TC_ACT_*).
const (
	shot   = 2
	stolen = 4
)

// A Queue is a queueing discipline with its counters.
type Queue struct {
	Index          int // of the link
	Handle, Parent uint32
	Kind           string // "fq_codel", "noqueue", "tbf", "ingress", "clsact", ...
	Packets        uint32 // sent; it overflows
	Drops          uint32
	Backlog        uint32 // bytes that wait
	Waiting        uint32 // packets that wait
	overlimits     uint32
}

// Queues returns the queueing disciplines of a link.
func (h *Host) Queues(index int) []Queue {
	return onceOf(h.queues, index, func() ([]Queue, error) {
		found, all := h.rootQueues(index)
		if !all {
			found = slices.DeleteFunc(slices.Clone(h.allQueues()), func(q Queue) bool { return q.Index != index })
		}
		if h.since != nil {
			found = h.since.count(found)
		}
		return found, nil
	})
}

// QueuesNow reads the queueing disciplines of a link again.
func (h *Host) QueuesNow(index int) []Queue {
	delete(h.queues, 0)
	delete(h.queues, index)
	return h.Queues(index)
}

// allQueues returns the queueing disciplines of all links, with their absolute counters.
func (h *Host) allQueues() []Queue {
	return onceOf(h.queues, 0,
		dump(h, rtnl.Request(unix.RTM_GETQDISC, unix.NLM_F_DUMP, &nl.TcMsg{}), decodeQueue))
}

// rootQueues returns the queueing disciplines for sent and for arriving packets of a link, and whether the link has no
// others: the kernel lists those inside others only with those of all links.
func (h *Host) rootQueues(index int) (found []Queue, all bool) {
	single := []string{"noqueue", "pfifo_fast", "fq_codel", "fq", "pfifo", "bfifo", "sfq", "cake", "clsact", "ingress"}
	const arriving = 0xFFFFFFF1 // TC_H_INGRESS
	var requests []*nl.NetlinkRequest
	for _, parent := range []uint32{Root, arriving} {
		requests = append(requests, rtnl.Request(unix.RTM_GETQDISC, unix.NLM_F_ACK|unix.NLM_F_ECHO,
			&nl.TcMsg{Ifindex: int32(index), Parent: parent}))
	}
	h.socket.Exchange(requests, func(_ int, body []byte) {
		if q, ok := decodeQueue(body); ok {
			found = append(found, q)
		}
	})
	return found, !slices.ContainsFunc(found, func(q Queue) bool { return !slices.Contains(single, q.Kind) })
}

func decodeQueue(body []byte) (q Queue, ok bool) {
	if len(body) < nl.SizeofTcMsg {
		return q, false
	}
	m := nl.DeserializeTcMsg(body)
	q = Queue{Index: int(m.Ifindex), Handle: m.Handle, Parent: m.Parent}
	for kind, value := range rtnl.Attributes(body[nl.SizeofTcMsg:]) {
		switch kind {
		case nl.TCA_KIND:
			q.Kind = strings.TrimRight(string(value), "\x00")
		case nl.TCA_STATS2:
			q.count(value)
		}
	}
	return q, true
}

// count reads struct gnet_stats_basic and struct gnet_stats_queue.
func (q *Queue) count(stats []byte) {
	for kind, value := range rtnl.Attributes(stats) {
		switch {
		case kind == nl.TCA_STATS_BASIC && len(value) >= 12:
			q.Packets = rtnl.Uint32(value[8:])
		case kind == nl.TCA_STATS_QUEUE && len(value) >= 20:
			q.Waiting, q.Backlog = rtnl.Uint32(value), rtnl.Uint32(value[4:])
			q.Drops, q.overlimits = rtnl.Uint32(value[8:]), rtnl.Uint32(value[16:])
		}
	}
}

// A Filter is a traffic control filter.
type Filter struct {
	Parent     uint32
	Kind       string // "u32", "flower", "matchall", "bpf", ...
	Preference uint32
	Drops      bool   // an action of it discards packets
	Dropped    uint64 // packets that were discarded or redirected
	Redirects  bool   // an action sends packets to another device
}

// Filters returns the filters of a link at one parent.
func (h *Host) Filters(index int, parent uint32) []Filter {
	ask := rtnl.Request(unix.RTM_GETTFILTER, unix.NLM_F_DUMP,
		&nl.TcMsg{Ifindex: int32(index), Parent: parent})
	found, _ := rtnl.Dump(h.socket, ask, decodeFilter)
	if h.since != nil {
		return h.since.filters(index, parent, found)
	}
	return found
}

func decodeFilter(body []byte) (f Filter, ok bool) {
	if len(body) < nl.SizeofTcMsg {
		return f, false
	}
	m := nl.DeserializeTcMsg(body)
	f = Filter{Parent: m.Parent, Preference: m.Info >> 16}
	for kind, value := range rtnl.Attributes(body[nl.SizeofTcMsg:]) {
		switch kind {
		case nl.TCA_KIND:
			f.Kind = strings.TrimRight(string(value), "\x00")
		case nl.TCA_OPTIONS:
			f.actions(value)
		}
	}
	return f, m.Handle != 0 || f.Kind != "" // the header of a preference has no handle
}

// actions finds what a filter does with packets. An action is nested in an attribute whose number depends on the kind
// of filter, so each nested attribute is tried.
func (f *Filter) actions(options []byte) {
	for _, list := range rtnl.Attributes(options) {
		for _, action := range rtnl.Attributes(list) {
			f.action(action)
		}
	}
}

// action reads one action: TCA_ACT_KIND and TCA_ACT_OPTIONS with a struct tc_gen, whose third number is the verdict.
func (f *Filter) action(action []byte) {
	kind, verdict, packets := "", int32(-1), uint64(0)
	for number, value := range rtnl.Attributes(action) {
		switch number {
		case nl.TCA_ACT_KIND:
			kind = strings.TrimRight(string(value), "\x00")
		case nl.TCA_ACT_OPTIONS:
			for number, parms := range rtnl.Attributes(value) {
				if number == nl.TCA_GACT_PARMS && len(parms) >= 20 {
					verdict = int32(rtnl.Uint32(parms[8:]))
				}
			}
		case nl.TCA_ACT_STATS:
			for number, stats := range rtnl.Attributes(value) {
				if number == nl.TCA_STATS_BASIC && len(stats) >= 12 {
					packets = uint64(rtnl.Uint32(stats[8:]))
				}
			}
		}
	}
	switch {
	case kind == "gact" && verdict == shot, kind == "police":
		f.Drops, f.Dropped = true, f.Dropped+packets
	case kind == "mirred" && verdict == stolen:
		f.Redirects, f.Dropped = true, f.Dropped+packets
	}
}

// XDP reports whether an XDP program is attached to a link.
func (h *Host) XDP(index int) (attached bool) {
	h.link(index, func(kind uint16, value []byte) {
		if kind != unix.IFLA_XDP {
			return
		}
		for kind, value := range rtnl.Attributes(value) {
			attached = attached || kind == unix.IFLA_XDP_ATTACHED && len(value) > 0 && value[0] != 0
		}
	})
	return attached
}

// Sent returns how many packets the queueing discipline of a link handed to its driver; 0: it does not count them.
func (h *Host) Sent(index int) uint64 {
	for _, q := range h.Queues(index) {
		if q.Parent == Root {
			return uint64(q.Packets)
		}
	}
	return 0
}
