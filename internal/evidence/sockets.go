package evidence

import (
	"encoding/binary"
	"math"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/files"
	"github.com/tunadm/tunadm/internal/rtnl"
)

// A Socket is a TCP or UDP socket of the network namespace that has a port.
type Socket struct {
	Protocol      uint8 // IPPROTO_*
	State         uint8 // BPF_TCP_*; of UDP that of connected sockets is BPF_TCP_ESTABLISHED
	Local, Remote netip.AddrPort
	Mark, UID     uint32
	Index         int // the link that the socket is bound to; 0: none
	// Transparent reports that the socket takes packets to other hosts (IP_TRANSPARENT). Kernels before Linux 5.10 do
	// not say, so there each socket may.
	Transparent bool
	Retransmits uint8 // of the last packet, without an answer yet
	inode       string
}

// Connected reports whether the socket exchanges packets with one other end alone.
func (s Socket) Connected() bool { return s.Remote.Port() != 0 && !s.Remote.Addr().IsUnspecified() }

// Listens reports whether the socket accepts packets or connections from everybody.
func (s Socket) Listens() bool {
	return !s.Connected() && (s.Protocol == unix.IPPROTO_UDP || s.State == unix.BPF_TCP_LISTEN)
}

// SocketsOf returns the sockets that a process has open in this network namespace. It returns none if the
// caller may not look into the process, or if the kernel does not list sockets (INET_DIAG).
func (h *Host) SocketsOf(pid int) []Socket {
	all, known := h.socketsOf[pid]
	if known {
		return all
	}
	if open := h.openSockets(pid); len(open) > 0 {
		for _, s := range h.Sockets() {
			if open[s.inode] {
				all = append(all, s)
			}
		}
	}
	h.socketsOf[pid] = all
	return all
}

// descriptorsMost is how many descriptors are looked at, of all processes together: a user's processes can hold
// millions.
const descriptorsMost = 1 << 14

// openSockets returns the inodes of the sockets that a process has open.
func (h *Host) openSockets(pid int) map[string]bool {
	if h.descriptors >= descriptorsMost {
		return nil
	}
	directory := "/proc/" + strconv.Itoa(pid) + "/fd"
	f, err := files.Open(directory, os.O_RDONLY, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	names, _ := f.Readdirnames(descriptorsMost - h.descriptors)
	h.descriptors += len(names)
	open := map[string]bool{}
	for _, name := range names {
		if target, err := os.Readlink(directory + "/" + name); err == nil && strings.HasPrefix(target, "socket:[") {
			open[strings.Trim(target, "socket:[]")] = true
		}
	}
	return open
}

// Sockets returns the sockets of all programs. It returns none if the kernel does not list sockets (INET_DIAG).
func (h *Host) Sockets() []Socket {
	return once(&h.connected, func() ([]Socket, error) { return readSockets(math.MaxUint32) })
}

// Listening returns those of Sockets that listen. If no others are needed, the kernel does not go through its table of
// connections, which is large on a host with much memory.
func (h *Host) Listening() []Socket {
	if h.listening == nil && h.connected != nil {
		h.listening = h.connected
	}
	all := once(&h.listening, func() ([]Socket, error) { return readSockets(1 << unix.BPF_TCP_LISTEN) })
	return slices.DeleteFunc(slices.Clone(all), func(s Socket) bool { return !s.Listens() })
}

// readSockets reads the TCP sockets in these states, and all UDP sockets.
func readSockets(states uint32) (all []Socket, err error) {
	s, err := rtnl.Open(unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		for _, protocol := range []byte{unix.IPPROTO_TCP, unix.IPPROTO_UDP} {
			found, err := rtnl.Dump(s, askSockets(family, protocol, states), decodeSocket(protocol))
			if err == nil { // a kernel may lack the module of one protocol
				all = append(all, found...)
			}
		}
	}
	return all, nil
}

// askSockets returns a request for the sockets of a family and a protocol, of TCP those in these states: a struct
// inet_diag_req_v2.
func askSockets(family, protocol byte, states uint32) *nl.NetlinkRequest {
	const length, byFamily = 56, 20
	b := make([]byte, length)
	b[0], b[1] = family, protocol
	if protocol == unix.IPPROTO_UDP {
		states = math.MaxUint32
	}
	binary.NativeEndian.PutUint32(b[4:], states)
	return rtnl.Request(byFamily, unix.NLM_F_DUMP, rawBytes(b))
}

// transparentBit is that of the sixth bit field, which compilers place by the byte order.
var transparentBit = map[bool]byte{true: 1 << 5, false: 1 << 2}[binary.NativeEndian.Uint16([]byte{1, 0}) == 1]

// decodeSocket reads a struct inet_diag_msg, and skips sockets without a port.
func decodeSocket(protocol uint8) func(body []byte) (Socket, bool) {
	const (
		length, markAttribute, optionsAttribute            = 72, 15, 22
		ports, local, remote, link, user, inode, addresses = 4, 8, 24, 40, 64, 68, 16
	)
	return func(b []byte) (s Socket, ok bool) {
		if len(b) < length {
			return s, false
		}
		size := addresses
		if b[0] == unix.AF_INET {
			size = 4
		}
		end := func(at, port int) netip.AddrPort {
			ip, _ := netip.AddrFromSlice(b[at : at+size])
			return netip.AddrPortFrom(ip.Unmap(), binary.BigEndian.Uint16(b[port:]))
		}
		s = Socket{Protocol: protocol, State: b[1], Retransmits: b[3], Local: end(local, ports),
			Remote: end(remote, ports+2), UID: rtnl.Uint32(b[user:]), Index: int(rtnl.Uint32(b[link:])),
			inode: strconv.FormatUint(uint64(rtnl.Uint32(b[inode:])), 10)}
		s.Transparent = true
		for kind, value := range rtnl.Attributes(b[length:]) {
			switch {
			case kind == markAttribute:
				s.Mark = rtnl.Uint32(value)
			case kind == optionsAttribute && len(value) > 0: // struct inet_diag_sockopt
				s.Transparent = value[0]&transparentBit != 0
			}
		}
		return s, s.Local.Port() != 0
	}
}
