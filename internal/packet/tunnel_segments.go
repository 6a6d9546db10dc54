package packet

import (
	"encoding/binary"
	"net"
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

// A datagramWriter gathers packets for the peer, and sends each as a datagram.
type datagramWriter struct {
	*datagrams
	buffer  []byte
	n       int     // bytes in buffer
	all     []train // the packets
	sent    int     // trains that are sent
	control []byte  // the message that makes the kernel split a buffer (UDP_SEGMENT)
	call    message // of sendmsg(2)
}

// A train is packets of one size, the last of which may be smaller, for one peer.
type train struct {
	to         *datagramPeer // of a listener
	start, end int           // in the buffer; what is sent is cut off
	size       int           // of each packet
	count      int
	last       int  // size of the last packet
	apart      bool // the kernel does not send several at once
}

func newDatagramWriter(d *datagrams) *datagramWriter {
	w := &datagramWriter{datagrams: d, buffer: make([]byte, 2*frameMax), control: make([]byte, unix.CmsgSpace(2))}
	header := (*unix.Cmsghdr)(unsafe.Pointer(&w.control[0]))
	header.Level, header.Type = unix.SOL_UDP, unix.UDP_SEGMENT
	header.SetLen(unix.CmsgLen(2))
	return w
}

func (w *datagramWriter) full() bool { return w.n >= batchFull }

// next drops the packet if no peer is known, or if no more bytes may be sent to the peer.
func (w *datagramWriter) next(n int) []byte {
	if w.n+n > len(w.buffer) { // small packets need more room than the segment that they were
		w.buffer = append(w.buffer, make([]byte, len(w.buffer)+n)...)
	}
	room := w.buffer[w.n : w.n+n]
	if w.Listen && (w.peer == nil || !w.mayHave(w.peer, n)) {
		return room // the next packet overwrites this one
	}
	if !w.joins(n) {
		w.all = append(w.all, train{to: w.peer, start: w.n, end: w.n, size: n})
	}
	last := &w.all[len(w.all)-1]
	w.n += n
	last.end, last.count, last.last = w.n, last.count+1, n
	return room
}

// joins reports whether a packet can be sent with the one before.
func (w *datagramWriter) joins(n int) bool {
	if len(w.all) == 0 {
		return false
	}
	t := &w.all[len(w.all)-1]
	return t.to == w.peer && n <= t.size && t.last == t.size && t.count < segmentsMost && w.n+n-t.start <= togetherMost
}

// flush sends the packets, and reports whether the socket had room for all. If not, call it again.
func (w *datagramWriter) flush() bool {
	for ; w.sent < len(w.all); w.sent++ {
		if !w.send(&w.all[w.sent]) {
			return false
		}
	}
	w.n, w.sent, w.all = 0, 0, w.all[:0]
	return true
}

// send sends a train. The kernel does not send several packets at once if they are longer than the MTU of the path, or
// if it is older than Linux 4.18: then it gets each one alone, and fragments it if necessary.
func (w *datagramWriter) send(t *train) bool {
	for t.start < t.end {
		end, control := t.end, w.control
		if t.apart || t.end-t.start <= t.size {
			end, control = min(t.start+t.size, t.end), nil
		} else {
			binary.NativeEndian.PutUint16(control[unix.CmsgLen(0):], uint16(t.size))
		}
		switch err := w.transmit(w.buffer[t.start:end], control, t.to); {
		case err == unix.EAGAIN:
			return false
		case err != nil && control != nil:
			t.apart = true
			continue
		case err == unix.EMSGSIZE:
			w.once[tooLongForUDP].Do(func() {
				w.Trouble("packets that are too long for a datagram are dropped: set a smaller MTU, or use TCP")
			})
		}
		t.start = end
	}
	return true
}

// transmit makes one call, for one datagram or with control for several ones. Without a peer the socket is connected.
func (w *datagramWriter) transmit(b, control []byte, to *datagramPeer) error {
	var name []byte
	if to != nil {
		name = to.raw
	}
	w.call.set(b, name, control)
	_, err := callNow(unix.SYS_SENDMSG, w.socket, unsafe.Pointer(&w.call.header), unix.MSG_NOSIGNAL)
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
