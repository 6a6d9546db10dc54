package evidence

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/rtnl"
)

// A Listener is a socket that may accept packets to a port: a TCP socket that listens, or any UDP socket.
type Listener struct {
	Local   netip.Addr     // an unspecified one: all addresses
	Remote  netip.AddrPort // of a connected UDP socket; invalid: packets from everybody
	Index   int            // the link that the socket is bound to; 0: all
	UID     uint32         // of the user that created the socket
	IPv6    bool           // the family of the socket
	only    bool           // an IPv6 socket without IPv4 (IPV6_V6ONLY)
	Waiting uint32         // of TCP, connections that were not accepted yet; of UDP, bytes that were not read yet
	Most    uint32         // of TCP, the backlog; of UDP, the size of the receive buffer in bytes
	Dropped uint64         // of UDP, packets that did not fit into the buffer
}

// Full reports whether the socket has no room for another connection or packet.
func (l Listener) Full(protocol uint8) bool {
	if protocol == unix.IPPROTO_TCP {
		return l.Waiting > l.Most
	}
	return l.Most > 0 && l.Dropped > 0 && l.Waiting > l.Most/2
}

// Takes reports whether the socket accepts packets to an address that arrive through a link.
func (l Listener) Takes(to, from netip.AddrPort, index int) bool {
	bound := l.Local.Unmap()
	switch {
	case l.Index != 0 && l.Index != index:
		return false
	case to.Addr().Is6() && !l.IPv6, to.Addr().Is4() && l.IPv6 && (l.only || bound.Is6() && !bound.IsUnspecified()):
		return false
	case !bound.IsUnspecified() && bound != to.Addr():
		return false
	}
	return !l.Remote.IsValid() || l.Remote == from
}

// Listeners returns the sockets of a protocol, TCP or UDP, with a local port. It returns an error if the kernel does
// not list sockets (INET_DIAG).
func (h *Host) Listeners(protocol uint8, port uint16) (all []Listener, err error) {
	const length, byFamily, states, memory, sport = 56, 20, 4, 1 << 6, 8 // struct inet_diag_req_v2
	wanted := uint32(0xffffffff)
	if protocol == unix.IPPROTO_TCP {
		wanted = 1 << unix.BPF_TCP_LISTEN
	}
	s, err := rtnl.Open(unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		b := make([]byte, length)
		b[0], b[1], b[2] = family, protocol, memory
		binary.NativeEndian.PutUint32(b[states:], wanted)
		binary.BigEndian.PutUint16(b[sport:], port)
		found, failed := rtnl.Dump(s, rtnl.Request(byFamily, unix.NLM_F_DUMP, rawBytes(b)),
			decodeListener(protocol, port))
		if all = append(all, found...); failed != nil && family == unix.AF_INET {
			return nil, failed
		}
		if failed != nil && !errors.Is(failed, unix.ENOENT) {
			err = failed
		}
	}
	return all, err
}

// decodeListener reads a struct inet_diag_msg.
func decodeListener(protocol uint8, port uint16) func(body []byte) (Listener, bool) {
	const (
		length, memoryAttribute, onlyAttribute    = 72, 7, 11
		ports, local, remote, link, waiting, user = 4, 8, 24, 40, 56, 64
		receiveBuffer, drops                      = 1, 8 // the numbers of SK_MEMINFO_*
	)
	return func(b []byte) (l Listener, ok bool) {
		if len(b) < length || binary.BigEndian.Uint16(b[ports:]) != port {
			return l, false
		}
		size := 16
		if b[0] == unix.AF_INET {
			size = 4
		}
		l = Listener{IPv6: b[0] == unix.AF_INET6, UID: rtnl.Uint32(b[user:]), Index: int(rtnl.Uint32(b[link:])),
			Waiting: rtnl.Uint32(b[waiting:])}
		l.Local, _ = netip.AddrFromSlice(b[local : local+size])
		if to := binary.BigEndian.Uint16(b[ports+2:]); protocol == unix.IPPROTO_UDP && to != 0 {
			other, _ := netip.AddrFromSlice(b[remote : remote+size])
			l.Remote = netip.AddrPortFrom(other.Unmap(), to)
		}
		if protocol == unix.IPPROTO_TCP {
			l.Most = rtnl.Uint32(b[waiting+4:])
		}
		for kind, value := range rtnl.Attributes(b[length:]) {
			switch {
			case kind == onlyAttribute && len(value) > 0:
				l.only = value[0] != 0
			case kind == memoryAttribute && len(value) >= 4*drops+4 && protocol == unix.IPPROTO_UDP:
				l.Most, l.Dropped = rtnl.Uint32(value[4*receiveBuffer:]), uint64(rtnl.Uint32(value[4*drops:]))
			}
		}
		return l, true
	}
}
