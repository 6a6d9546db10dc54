package packet

import (
	"cmp"
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A message is the argument of sendmsg(2) or recvmsg(2).
type message struct {
	header unix.Msghdr
	vector unix.Iovec
}

// set sets the bytes of the message, which are at least one; name and control may be nil.
func (m *message) set(b, name, control []byte) {
	m.vector.Base = &b[0]
	m.vector.SetLen(len(b))
	m.header = unix.Msghdr{Iov: &m.vector, Name: unsafe.SliceData(name), Control: unsafe.SliceData(control)}
	m.header.SetIovlen(1)
	m.header.Namelen = uint32(len(name))
	m.header.SetControllen(len(control))
}

// A datagramReader receives datagrams, several at once if they have one size and one sender.
type datagramReader struct {
	*datagrams
	to            *merger
	buffer        []byte
	name, control []byte
	call          message
}

func newDatagramReader(d *datagrams) *datagramReader {
	return &datagramReader{datagrams: d, to: d.merger(), buffer: aligned(offloadRoom+frameMax+1, offloadRoom),
		name: make([]byte, unix.SizeofSockaddrInet6), control: make([]byte, controlRoom)}
}

// receive carries the peer's packets to the device, until the device has its turn.
func (r *datagramReader) receive() {
	for range receiveTurn {
		r.call.set(r.buffer[offloadRoom:], r.name, r.control)
		n, err := callNow(unix.SYS_RECVMSG, r.socket, unsafe.Pointer(&r.call.header), 0)
		switch {
		case err == unix.EAGAIN:
			return
		case err == unix.ECONNREFUSED, err == nil && n == 0: // no program listens there; no packet
			continue
		case err != nil:
			time.Sleep(time.Millisecond)
			return
		}
		size := cmp.Or(sizeOfEach(r.control[:r.call.header.Controllen]), n)
		r.accept(r.to, r.buffer, n, size, r.name[:r.call.header.Namelen])
	}
}

// rawAddress returns an address as a socket of a family has it.
func rawAddress(a netip.AddrPort, ipv6 bool) []byte {
	port := func(p *uint16) { binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(p))[:], a.Port()) }
	if !ipv6 {
		raw := unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: a.Addr().Unmap().As4()}
		port(&raw.Port)
		return append([]byte(nil), (*[unix.SizeofSockaddrInet4]byte)(unsafe.Pointer(&raw))[:]...)
	}
	raw := unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: a.Addr().As16()}
	port(&raw.Port)
	if zone := a.Addr().Zone(); zone != "" {
		if link, err := net.InterfaceByName(zone); err == nil {
			raw.Scope_id = uint32(link.Index)
		} else if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
			raw.Scope_id = uint32(n)
		}
	}
	return append([]byte(nil), (*[unix.SizeofSockaddrInet6]byte)(unsafe.Pointer(&raw))[:]...)
}

// addressOf returns the address that a socket has, or none if it is neither of IPv4 nor of IPv6.
func addressOf(raw []byte) netip.AddrPort {
	if len(raw) < unix.SizeofSockaddrInet4 {
		return netip.AddrPort{}
	}
	port := binary.BigEndian.Uint16(raw[2:])
	switch family := binary.NativeEndian.Uint16(raw); {
	case family == unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(raw[4:8])), port)
	case family != unix.AF_INET6 || len(raw) < unix.SizeofSockaddrInet6:
		return netip.AddrPort{}
	}
	a := netip.AddrFrom16([16]byte(raw[8:24]))
	if scope := binary.NativeEndian.Uint32(raw[24:]); scope != 0 {
		zone := strconv.FormatUint(uint64(scope), 10)
		if link, err := net.InterfaceByIndex(int(scope)); err == nil {
			zone = link.Name
		}
		a = a.WithZone(zone)
	}
	return netip.AddrPortFrom(a, port)
}
