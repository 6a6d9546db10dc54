package evidence

import (
	"encoding/binary"
	"errors"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/rtnl"
)

// The attributes of RTM_GETROUTE that golang.org/x/sys/unix lacks.
const (
	rtaUID      = 25
	rtaProtocol = 27
	rtaFromPort = 28
	rtaToPort   = 29
)

// A Way is where the kernel sends a packet, by all rules and routes.
type Way struct {
	rtnl.Route
	// Refusal is the errno with which the kernel refuses the packet: EINVAL for a blackhole, EACCES for prohibit,
	// EHOSTUNREACH for unreachable, ENETUNREACH where there is no route, EXDEV for a packet that the reverse path
	// filter or the check of its source drops; 0: it has a way.
	Refusal unix.Errno
	Words   string // the kernel's own explanation of the refusal, or ""
	MTU     uint32 // of the path: that of the route, or a smaller one that the kernel has learned; 0: not known
	// MTULocked reports that the kernel learns no other MTU for the path.
	MTULocked bool
}

// Local reports whether the destination is this host.
func (w Way) Local() bool { return w.Refusal == 0 && w.Type == unix.RTN_LOCAL }

// Find asks the kernel for the route that it chooses for a packet, with the cached path MTU. A packet with an In
// arrives there, so the kernel applies the checks of arriving packets, such as the reverse path filter.
func (h *Host) Find(p flow.Packet) (way Way, err error) {
	way, known := h.ways[p]
	if !known {
		if way, err = h.ask(p, 0); err == nil {
			h.ways[p] = way
		}
	}
	return way, err
}

// Match asks the kernel for the entry of the routing table that a packet of this host matches, with all its hops.
func (h *Host) Match(p flow.Packet) (Way, error) { return h.ask(p, unix.RTM_F_FIB_MATCH) }

// askRoute returns a request for the route of a packet.
func askRoute(p flow.Packet, flags uint32) *nl.NetlinkRequest {
	msg := &nl.RtMsg{RtMsg: unix.RtMsg{Family: unix.AF_INET, Dst_len: uint8(p.To.BitLen()), Flags: flags}}
	if p.IPv6() {
		msg.Family = unix.AF_INET6
	}
	r := rtnl.Request(unix.RTM_GETROUTE, unix.NLM_F_ACK, msg, nl.NewRtAttr(unix.RTA_DST, p.To.AsSlice()))
	number := func(kind int, n uint32) {
		if n != 0 {
			r.AddData(nl.NewRtAttr(kind, nl.Uint32Attr(n)))
		}
	}
	port := func(kind int, n uint16) {
		if n != 0 {
			r.AddData(nl.NewRtAttr(kind, binary.BigEndian.AppendUint16(nil, n)))
		}
	}
	if p.From.IsValid() {
		msg.Src_len = uint8(p.From.BitLen())
		r.AddData(nl.NewRtAttr(unix.RTA_SRC, p.From.AsSlice()))
	}
	number(unix.RTA_IIF, uint32(p.InIndex))
	number(unix.RTA_OIF, uint32(p.OutIndex))
	number(unix.RTA_MARK, p.Mark)
	number(rtaUID, p.UID)
	if p.Protocol != 0 {
		r.AddData(nl.NewRtAttr(rtaProtocol, []byte{p.Protocol}))
	}
	port(rtaFromPort, p.FromPort)
	port(rtaToPort, p.ToPort)
	return r
}

func (h *Host) ask(p flow.Packet, flags uint32) (way Way, err error) {
	err = h.socket.Do(askRoute(p, flags), func(body []byte) {
		way.Unmarshal(body)
		way.readMetrics()
	})
	var refusal *rtnl.Refusal
	if errors.As(err, &refusal) {
		way.Refusal, way.Words, err = refusal.Errno, refusal.Words, nil
	}
	return way, err
}
