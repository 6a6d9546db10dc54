package trace

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/files"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/netns"
	"github.com/tunadm/tunadm/internal/rtnl"
)

// What golang.org/x/sys/unix lacks of linux/net_dropmon.h.
const (
	dmConfigure = 2 // NET_DM_CMD_*
	dmStart     = 3
	dmStop      = 4
	dmPacket    = 5
	dmShow      = 6

	dmMode      = 1 // NET_DM_ATTR_*
	dmSymbol    = 3
	dmInPort    = 4
	dmTime      = 5
	dmProtocol  = 6
	dmPayload   = 7
	dmTruncated = 9
	dmLength    = 10
	dmReason    = 23

	dmModePacket = 1 // NET_DM_ALERT_MODE_PACKET
	dmPortIndex  = 0 // NET_DM_ATTR_PORT_NETDEV_IFINDEX
)

// A monitor is the kernel's drop monitor (NET_DM), which reports the dropped packets of all network namespaces to
// sockets of the first one. It tells neither the namespace nor the device that has the packet.
type monitor struct {
	socket *rtnl.Socket
	family rtnl.Family
	ours   bool // this process has started it
	lost   uint64
	host   *evidence.Host
	ways   map[netip.Addr]way
}

// A way is the device through which the kernel sends packets to an address.
type way struct {
	index int
	read  time.Time
}

// first is a file of the first network namespace, unless PIDs are those of a container.
const first = "/proc/1/ns/net"

// openMonitor starts the drop monitor. It requires CAP_NET_ADMIN in the first user namespace, and CAP_SYS_ADMIN in
// another network namespace than the first.
func openMonitor() (*monitor, error) {
	m := &monitor{ways: map[netip.Addr]way{}}
	start := m.start
	if here := files.Inode("/proc/thread-self/ns/net"); here != files.Inode(first) {
		start = func() error { return netns.Inside(first, m.start) }
	}
	err := start()
	if err == nil {
		m.host, err = evidence.Open()
	}
	if err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// start opens the socket and turns the reports on. A monitor that another program has turned on is used as it is.
func (m *monitor) start() (err error) {
	const room = 4 << 20 // for reports that were not read yet
	if m.socket, err = rtnl.Open(unix.NETLINK_GENERIC); err != nil {
		return err
	}
	if m.family, err = m.socket.Family("NET_DM"); err != nil {
		return fmt.Errorf("drop monitor: %w", err)
	}
	length := binary.NativeEndian.AppendUint32(nil, copyMax)
	err = m.do(dmConfigure, nl.NewRtAttr(dmMode, []byte{dmModePacket}), nl.NewRtAttr(dmTruncated, length))
	switch {
	case errors.Is(err, unix.EBUSY) && !m.reportsPackets():
		return errors.New("drop monitor: another program uses it to count")
	case err != nil && !errors.Is(err, unix.EBUSY):
		return fmt.Errorf("drop monitor: %w", err)
	}
	m.ours = err == nil
	if err = m.socket.Join(room, m.family.Groups["events"]); err != nil || !m.ours {
		return err
	}
	if err = m.do(dmStart); err != nil {
		m.ours = false
		return fmt.Errorf("drop monitor: %w", err)
	}
	return nil
}

// do sends a command.
func (m *monitor) do(command int, attributes ...nl.NetlinkRequestData) error {
	return m.socket.Do(rtnl.Generic(m.family.ID, command, unix.NLM_F_ACK, attributes...), nil)
}

// reportsPackets reports whether the monitor is in the mode of single packets.
func (m *monitor) reportsPackets() (is bool) {
	err := m.socket.Do(rtnl.Generic(m.family.ID, dmShow, unix.NLM_F_ACK), func(body []byte) {
		for kind, value := range rtnl.Attributes(body[min(len(body), rtnl.GenericHeader):]) {
			is = is || kind == dmMode && len(value) > 0 && value[0] == dmModePacket
		}
	})
	return err == nil && is
}

func (m *monitor) close() {
	if m.ours {
		_ = m.do(dmStop)
	}
	if m.socket != nil {
		m.socket.Close()
	}
	if m.host != nil {
		m.host.Close()
	}
}

// take reads a report. One of a packet that does not belong to the device is left out. It returns false if there is
// none.
func (m *monitor) take(t *Trace) bool {
	err := m.socket.Receive(unix.MSG_DONTWAIT, func(h unix.NlMsghdr, body []byte) {
		if int(h.Type) != m.family.ID || len(body) < rtnl.GenericHeader || body[0] != dmPacket {
			return
		}
		e, is := m.event(t, body[rtnl.GenericHeader:])
		if !is {
			return
		}
		t.reported(&e)
		if !e.harmless() && !t.ofOtherPort(&e) {
			t.waiting = append(t.waiting, e)
		}
	})
	if errors.Is(err, unix.ENOBUFS) {
		m.lost++
		return true
	}
	return err == nil
}

// event reads a report. It is false if the packet does not belong to the device.
func (m *monitor) event(t *Trace, report []byte) (e Event, is bool) {
	e = Event{Packets: 1, Time: time.Now(), Reason: notSpecified, partial: true}
	var payload []byte
	kind, length := uint16(0), 0
	for attribute, value := range rtnl.Attributes(report) {
		switch attribute {
		case dmSymbol: // function+0x1/0x2 [module]
			e.Function = strings.TrimRight(string(value), "\x00")
			e.Function, _, _ = strings.Cut(e.Function, "+")
			e.Function, _, _ = strings.Cut(e.Function, ".")
		case dmReason:
			e.Reason = strings.TrimRight(string(value), "\x00")
		case dmInPort:
			for port, index := range rtnl.Attributes(value) {
				if port == dmPortIndex {
					e.InIndex = int(rtnl.Uint32(index))
				}
			}
		case dmTime:
			if len(value) == 8 {
				e.Time = time.Unix(0, int64(binary.NativeEndian.Uint64(value)))
			}
		case dmProtocol:
			kind = rtnl.Uint16(value)
		case dmPayload:
			payload = slices.Clone(value)
		case dmLength:
			length = int(rtnl.Uint32(value))
		}
	}
	e.readFrame(kind, payload, length)
	if e.ofCapture() || !m.belongs(t, &e) {
		return e, false
	}
	e.In, e.Device = t.host.name(e.InIndex), t.target.Name
	return e, true
}

// readFrame reads the copy of a packet, which begins with its Ethernet header if it has one.
func (e *Event) readFrame(kind uint16, b []byte, length int) {
	const header = 14
	at := 0
	if len(b) >= header && binary.BigEndian.Uint16(b[12:]) == kind && !isPacket(kind, b, length) {
		at = header
		e.toMAC, e.fromMAC = net.HardwareAddr(b[:6]), net.HardwareAddr(b[6:12])
	}
	e.Size, e.ethernet = min(max(0, length-at), sizeMax), kind
	e.parse(kind, b[at:])
	e.describe(kind, b[at:])
}

// isPacket reports whether bytes are an IP packet of this length, without an Ethernet header.
func isPacket(kind uint16, b []byte, length int) bool {
	switch kind {
	case unix.ETH_P_IP:
		return b[0]>>4 == 4 && int(binary.BigEndian.Uint16(b[2:])) == length
	case unix.ETH_P_IPV6:
		return b[0]>>4 == 6 && int(binary.BigEndian.Uint16(b[4:]))+40 == length
	}
	return false
}

// ofCapture reports whether a socket of a program that captures packets refused its own copy.
func (e *Event) ofCapture() bool {
	return noReason(e.Reason) || slices.Contains([]string{"packet_rcv", "tpacket_rcv", "packet_rcv_spkt"}, e.Function)
}

// belongs reports whether a packet arrived through the device or its bridge, or is for an address behind it, and sets
// the direction.
func (m *monitor) belongs(t *Trace, e *Event) bool {
	ours := func(index int) bool { return index != 0 && (index == t.target.Index || index == t.target.Master) }
	if ours(e.InIndex) {
		return true
	}
	if !e.To.IsValid() || e.To.IsMulticast() {
		return false
	}
	const fresh, most = time.Second, 1000
	w, known := m.ways[e.To]
	if !known || time.Since(w.read) > fresh {
		if len(m.ways) > most {
			clear(m.ways)
		}
		found, err := m.host.Find(flow.Packet{To: e.To})
		if w = (way{read: time.Now()}); err == nil && found.Refusal == 0 {
			w.index = found.Index
		}
		m.ways[e.To] = w
	}
	e.ToProgram, e.OutIndex = ours(w.index), w.index
	if strings.HasPrefix(e.Function, "tun_") || strings.HasPrefix(e.Function, "kfree_skb_list") {
		e.at = t.target.Index
	}
	return e.ToProgram
}
