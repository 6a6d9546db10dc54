package evidence

import (
	"encoding/binary"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// A Sender is a source of packets: an IPv4 address, and the MAC address from which it sends.
type Sender struct {
	From netip.Addr
	MAC  [6]byte
}

// Senders captures what arrives through a link for a while, and calls each for the sender of each ARP and IPv4 packet,
// until it returns false. It requires CAP_NET_RAW, and hears nothing without it.
func (h *Host) Senders(index int, while time.Duration, each func(Sender) bool) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer func() { _ = unix.Close(fd) }()
	order := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	if unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: order, Ifindex: index}) != nil {
		return
	}
	frame := make([]byte, 64)
	for end := time.Now().Add(while); ; {
		left := time.Until(end)
		if left <= 0 {
			return
		}
		wait := unix.NsecToTimeval(int64(max(left, time.Millisecond)))
		if unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait) != nil {
			return
		}
		n, from, err := unix.Recvfrom(fd, frame, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return
		}
		if at, is := from.(*unix.SockaddrLinklayer); is && at.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		if s, is := senderOf(frame[:n]); is && !each(s) {
			return
		}
	}
}

// senderOf reads a frame, of which the beginning is enough.
func senderOf(frame []byte) (s Sender, ok bool) {
	const ethernet, arpSender, ipSource = 14, 14, 12
	if len(frame) < ethernet+20 {
		return s, false
	}
	at := 0
	switch binary.BigEndian.Uint16(frame[12:]) {
	case unix.ETH_P_ARP:
		at = ethernet + arpSender
	case unix.ETH_P_IP:
		at = ethernet + ipSource
	default:
		return s, false
	}
	s.From = netip.AddrFrom4([4]byte(frame[at:]))
	copy(s.MAC[:], frame[6:])
	return s, !s.From.IsUnspecified()
}
