package packet

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Datagrams of one size, the last of which may be smaller, are sent by one call.
const (
	segmentsMost  = 64    // the limit of the kernel (UDP_MAX_SEGMENTS)
	togetherMost  = 65487 // bytes, the longest datagram over IPv6
	sizeOfControl = 4     // an int
	controlRoom   = 64    // bytes for the control messages of a datagram
)

// A datagramWriter gathers packets of the same size for the peer, and sends each as a datagram.
type datagramWriter struct {
	*datagrams
	to      *datagramPeer // of a listener; nil: there is none, and the packets are dropped
	buffer  []byte
	n       int    // bytes in buffer
	count   int    // packets
	size    int    // of the first
	last    int    // size of the last
	control []byte // the message that makes the kernel split a buffer (UDP_SEGMENT)
}

func newDatagramWriter(d *datagrams) *datagramWriter {
	w := &datagramWriter{datagrams: d, buffer: make([]byte, 2*frameMax), control: make([]byte, unix.CmsgSpace(2))}
	header := (*unix.Cmsghdr)(unsafe.Pointer(&w.control[0]))
	header.Level, header.Type = unix.SOL_UDP, unix.UDP_SEGMENT
	header.SetLen(unix.CmsgLen(2))
	return w
}

func (w *datagramWriter) full() bool { return w.n >= batchFull }

// next sends the packets before if the new one cannot go with them.
func (w *datagramWriter) next(n int) []byte {
	if w.count == 0 {
		w.to = w.peer.Load()
	}
	if w.Listen && (w.to == nil || !w.mayHave(w.to, n)) {
		return w.buffer[w.n : w.n+n] // the next packet overwrites this one
	}
	if w.count > 0 && (n > w.size || w.last < w.size || w.count == segmentsMost || w.n+n > togetherMost) {
		w.flush()
	}
	if w.count == 0 {
		w.size = n
	}
	room := w.buffer[w.n : w.n+n]
	w.n, w.count, w.last = w.n+n, w.count+1, n
	return room
}

// flush sends the packets. The kernel does not send several at once if they are longer than the MTU of the path, or if
// it is older than Linux 4.18: then it gets each one alone, and fragments it if necessary.
func (w *datagramWriter) flush() {
	all, each := w.buffer[:w.n], w.size
	if w.count > 1 {
		binary.NativeEndian.PutUint16(w.control[unix.CmsgLen(0):], uint16(each))
		if w.transmit(all, w.control) == nil {
			all = nil
		}
	}
	for ; len(all) > 0; all = all[min(each, len(all)):] {
		if err := w.transmit(all[:min(each, len(all))], nil); errors.Is(err, syscall.EMSGSIZE) {
			w.once[tooLongForUDP].Do(func() {
				w.Trouble("packets that are too long for a datagram are dropped: set a smaller MTU, or use TCP")
			})
		}
	}
	w.n, w.count = 0, 0
}

// transmit makes one call, for one datagram or with control for several ones.
func (w *datagramWriter) transmit(b, control []byte) error {
	var to netip.AddrPort // none: the socket is connected
	if w.Listen {
		to = w.to.address
	}
	_, _, err := w.conn.WriteMsgUDPAddrPort(b, control, to)
	return err
}

// receiveTogether has the kernel pass datagrams of one size and one sender together, from Linux 5.0 on.
func receiveTogether(conn *net.UDPConn) {
	if raw, err := conn.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_GRO, 1) })
	}
}

// sizeOfEach returns the size in bytes of the datagrams that were received together, or 0 if it is one.
func sizeOfEach(control []byte) int {
	for len(control) > 0 {
		header, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			return 0
		}
		if header.Level == unix.SOL_UDP && header.Type == unix.UDP_GRO && len(data) >= sizeOfControl {
			return int(binary.NativeEndian.Uint32(data))
		}
		control = rest
	}
	return 0
}

// addEach takes the packets in n bytes that begin at offloadRoom, all of the same size but the last, and writes them.
// It reports whether the device took them all.
func (m *merger) addEach(buffer []byte, n, size int) (taken bool) {
	m.refused = false
	for at := 0; at < n; at += size {
		m.add(buffer, offloadRoom+at, offloadRoom+min(at+size, n))
	}
	m.flush()
	return !m.refused
}
