package evidence

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A Sender is a source of packets: an IPv4 address, and the MAC address from which it sends.
type Sender struct {
	From netip.Addr
	MAC  [6]byte
}

// Senders captures what arrives through a link for a while, and calls each for the sender of each ARP packet, and of
// each IPv4 packet that no router has forwarded. It leaves out frames of VLANs: they are not for the link itself. It
// requires CAP_NET_RAW, and hears nothing without it.
func (h *Host) Senders(index int, while time.Duration, each func(Sender)) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer func() { _ = unix.Close(fd) }()
	order := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	if unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: order, Ifindex: index}) != nil {
		return
	}
	if unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1) != nil {
		return
	}
	frame, more := make([]byte, 64), make([]byte, 64)
	for end := time.Now().Add(while); ; {
		left := time.Until(end)
		if left <= 0 {
			return
		}
		wait := unix.NsecToTimeval(int64(max(left, time.Millisecond)))
		if unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait) != nil {
			return
		}
		n, length, _, from, err := unix.Recvmsg(fd, frame, more, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return
		}
		if at, is := from.(*unix.SockaddrLinklayer); is && at.Pkttype == unix.PACKET_OUTGOING || tagged(more[:length]) {
			continue
		}
		if s, is := senderOf(frame[:n]); is {
			each(s)
		}
	}
}

// Captured reports whether a program of this network namespace has a packet socket bound to a link.
func (h *Host) Captured(index int) bool {
	const link = 4 // the column Iface
	text, err := h.file("/proc/thread-self/net/packet")
	if err != nil {
		return true
	}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) > link && words[link] == strconv.Itoa(index) {
			return true
		}
	}
	return false
}

// tagged reports whether a frame has a VLAN tag, which the kernel removes from it and reports beside it (struct
// tpacket_auxdata). VLAN 0 is none.
func tagged(control []byte) bool {
	const status, tag, length, valid, number = 0, 16, 20, 1 << 4, 0xfff
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(messages, func(m unix.SocketControlMessage) bool {
		return m.Header.Level == unix.SOL_PACKET && m.Header.Type == unix.PACKET_AUXDATA && len(m.Data) >= length &&
			binary.NativeEndian.Uint32(m.Data[status:])&valid != 0 &&
			binary.NativeEndian.Uint16(m.Data[tag:])&number != 0
	})
}

// IsInitialTTL reports whether hosts begin with this TTL. Each router makes it smaller.
func IsInitialTTL(ttl byte) bool { return slices.Contains([]byte{64, 128, 255}, ttl) }

// senderOf reads the beginning of a frame. An IPv4 packet is from the sender of its frame if it has one of the TTLs
// with which hosts begin.
func senderOf(frame []byte) (s Sender, ok bool) {
	const ethernet, arpSender, ipSource, ttl = 14, 14, 12, 8
	if len(frame) < ethernet+20 {
		return s, false
	}
	at := 0
	switch binary.BigEndian.Uint16(frame[12:]) {
	case unix.ETH_P_ARP:
		at = ethernet + arpSender
	case unix.ETH_P_IP:
		if !IsInitialTTL(frame[ethernet+ttl]) {
			return s, false
		}
		at = ethernet + ipSource
	default:
		return s, false
	}
	s.From = netip.AddrFrom4([4]byte(frame[at:]))
	copy(s.MAC[:], frame[6:])
	return s, !s.From.IsUnspecified()
}
