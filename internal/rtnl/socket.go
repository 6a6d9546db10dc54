package rtnl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A Socket is a netlink socket in the network namespace of the thread that opened it.
type Socket struct {
	fd     int
	seq    uint32
	buffer []byte
}

// window is how many requests are sent before their answers are read. A change is answered in a few bytes; the answers
// to windowRead questions about links still fit into the smallest receive buffer.
const (
	window     = 64
	windowRead = 16
)

// receiveSize holds the largest part of a dump that the kernel sends at once (32 KiB).
const receiveSize = 64 << 10

// Open opens a socket of a netlink protocol: NETLINK_ROUTE, NETLINK_NETFILTER or NETLINK_GENERIC.
func Open(protocol int) (*Socket, error) { return open(protocol, receiveSize) }

func open(protocol, size int) (*Socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return nil, fmt.Errorf("netlink socket: %w", err)
	}
	for _, option := range []int{unix.NETLINK_EXT_ACK, unix.NETLINK_CAP_ACK, unix.NETLINK_GET_STRICT_CHK} {
		if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, option, 1); err != nil {
			unix.Close(fd)
			return nil, fmt.Errorf("netlink socket option %d: %w", option, err)
		}
	}
	return &Socket{fd: fd, buffer: make([]byte, size)}, nil
}

// AnnouncementsSize is the usual size for [Subscribe]. The kernel allocates it only as needed. An announcement takes
// about 4 KiB.
const AnnouncementsSize = 32 << 20

// Subscribe opens a routing socket on which the kernel announces changes to these multicast groups (unix.RTNLGRP_*).
// size is how much may wait to be read, in bytes of the kernel's memory, which it takes only when required. Without
// CAP_NET_ADMIN the limit of net.core.rmem_max applies.
func Subscribe(size int, groups ...int) (*Socket, error) {
	s, err := Open(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	if err := s.Join(size, groups...); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Join makes the kernel announce changes to these multicast groups on the socket. size is as for [Subscribe].
func (s *Socket) Join(size int, groups ...int) error {
	if unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, size) != nil {
		_ = unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, size)
	}
	// The kernel announces nothing to a socket without a port. It has given one to a socket that has sent a request.
	name, _ := unix.Getsockname(s.fd)
	if self, ok := name.(*unix.SockaddrNetlink); !ok || self.Pid == 0 {
		if err := unix.Bind(s.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
			return fmt.Errorf("bind a netlink socket: %w", err)
		}
	}
	for _, group := range groups {
		if err := unix.SetsockoptInt(s.fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, group); err != nil {
			return fmt.Errorf("subscribe to netlink group %d: %w", group, err)
		}
	}
	return nil
}

// Close closes the socket.
func (s *Socket) Close() { unix.Close(s.fd) }

// FD returns the descriptor, for poll(2) and for the ioctls of network devices.
func (s *Socket) FD() int { return s.fd }

// Request returns a request of a message type, with NLM_F_REQUEST and these flags.
func Request(kind, flags int, parts ...nl.NetlinkRequestData) *nl.NetlinkRequest {
	r := &nl.NetlinkRequest{NlMsghdr: unix.NlMsghdr{Type: uint16(kind), Flags: unix.NLM_F_REQUEST | uint16(flags)}}
	r.Data = parts
	return r
}

// Do sends one request that has NLM_F_ACK, and returns the kernel's answer as [Socket.Exchange] does.
func (s *Socket) Do(r *nl.NetlinkRequest, answer func(body []byte)) error {
	each := func(_ int, body []byte) { answer(body) }
	if answer == nil {
		each = nil
	}
	return s.Exchange([]*nl.NetlinkRequest{r}, each)[0]
}

// Exchange sends requests that have NLM_F_ACK, many at once, and returns an error or nil for each: a [*Refusal] if the
// kernel refused it. answer, if not nil, is called for each message that answers request i; it must not keep the
// message. If the socket fails, all requests without an answer fail: the kernel may have carried them out.
func (s *Socket) Exchange(requests []*nl.NetlinkRequest, answer func(i int, body []byte)) []error {
	size := window
	if answer != nil {
		size = windowRead
	}
	errs := make([]error, len(requests))
	answered := make([]bool, len(requests))
	for start := 0; start < len(requests); start += size {
		batch := requests[start:min(start+size, len(requests))]
		first := s.seq + 1
		err := s.send(batch)
		for open := len(batch); open > 0 && err == nil; {
			err = s.Receive(0, func(h unix.NlMsghdr, body []byte) {
				i := int(h.Seq - first)
				if i < 0 || i >= len(batch) {
					return
				}
				if h.Type != unix.NLMSG_ERROR {
					if answer != nil {
						answer(start+i, body)
					}
					return
				}
				errs[start+i], answered[start+i] = refused(h, body), true
				open--
			})
		}
		if err != nil {
			for i := start; i < len(requests); i++ {
				if !answered[i] {
					errs[i] = err
				}
			}
			return errs
		}
	}
	return errs
}

// send numbers the requests and sends them in one system call.
func (s *Socket) send(requests []*nl.NetlinkRequest) error {
	var out []byte
	for _, r := range requests {
		s.seq++
		r.Seq = s.seq
		out = append(out, r.Serialize()...)
		for len(out)%unix.NLMSG_ALIGNTO != 0 {
			out = append(out, 0)
		}
	}
	return unix.Sendto(s.fd, out, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
}

// Dump returns all objects of the kind that r asks for. decode must not keep the message; it returns false for an
// object to be left out. If the objects change during a dump, Dump repeats it up to 4 times.
func Dump[T any](s *Socket, r *nl.NetlinkRequest, decode func(body []byte) (T, bool)) (found []T, err error) {
	return dumpUpTo(s, r, math.MaxInt, decode)
}

// DumpSome is Dump on a socket of its own, which it closes as soon as it has that many objects. The kernel prepares as
// much as the buffer holds, and once more when this was read, so the buffer is small.
func DumpSome[T any](r *nl.NetlinkRequest, most int, decode func(body []byte) (T, bool)) (found []T, err error) {
	const size = 8 << 10
	s, err := open(unix.NETLINK_ROUTE, size)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return dumpUpTo(s, r, most, decode)
}

// DumpFew is Dump of objects that are usually few. As soon as it has more than most of them, it opens the routing
// socket again, which ends the dump, and returns nil and false.
func DumpFew[T any](
	s *Socket, r *nl.NetlinkRequest, most int, decode func(body []byte) (T, bool),
) (found []T, few bool, err error) {
	if found, err = dumpUpTo(s, r, most+1, decode); err != nil || len(found) <= most {
		return found, true, err
	}
	again, err := Open(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, false, err
	}
	s.Close()
	s.fd = again.fd
	return nil, false, nil
}

func dumpUpTo[T any](
	s *Socket, r *nl.NetlinkRequest, most int, decode func(body []byte) (T, bool),
) (found []T, err error) {
	const tries = 5
	interrupted := true
	for try := 0; try < tries && interrupted && err == nil && len(found) < most; try++ {
		found = nil
		interrupted, err = s.dump(r, func(body []byte) (more bool) {
			if x, ok := decode(body); ok {
				found = append(found, x)
			}
			return len(found) < most
		})
	}
	return found, err
}

// dump sends a dump request once, and reads until each returns false or there is no more. It reports whether the
// objects changed meanwhile.
func (s *Socket) dump(r *nl.NetlinkRequest, each func(body []byte) (more bool)) (interrupted bool, err error) {
	r.Flags = unix.NLM_F_REQUEST | unix.NLM_F_DUMP
	if err := s.send([]*nl.NetlinkRequest{r}); err != nil {
		return false, err
	}
	var refusal error
	for done := false; !done; {
		err := s.Receive(0, func(h unix.NlMsghdr, body []byte) {
			if h.Seq != r.Seq || done {
				return
			}
			interrupted = interrupted || h.Flags&unix.NLM_F_DUMP_INTR != 0
			switch h.Type {
			case unix.NLMSG_DONE, unix.NLMSG_ERROR:
				done, refusal = true, refused(h, body)
			default:
				done = !each(body)
			}
		})
		if err != nil {
			return interrupted, err
		}
	}
	return interrupted, refusal
}

// Receive reads the messages that the kernel sent at once, with these flags of recv(2), and calls each for every
// message. It ignores messages of other processes.
func (s *Socket) Receive(flags int, each func(h unix.NlMsghdr, body []byte)) error {
	n, from, err := unix.Recvfrom(s.fd, s.buffer, flags)
	for errors.Is(err, unix.EINTR) {
		n, from, err = unix.Recvfrom(s.fd, s.buffer, flags)
	}
	if err != nil {
		return fmt.Errorf("netlink: %w", err)
	}
	if sender, ok := from.(*unix.SockaddrNetlink); !ok || sender.Pid != 0 {
		return nil
	}
	return split(s.buffer[:n], each)
}

// ReceiveWaiting reads the messages that are waiting now, and calls each for every message. It is not an error if some
// were lost before.
func (s *Socket) ReceiveWaiting(each func(h unix.NlMsghdr, body []byte)) error {
	for {
		err := s.Receive(unix.MSG_DONTWAIT, each)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case err != nil && !errors.Is(err, unix.ENOBUFS):
			return err
		}
	}
}

// split calls each for every message in b. The error reports a length that does not fit.
func split(b []byte, each func(h unix.NlMsghdr, body []byte)) error {
	for len(b) >= unix.SizeofNlMsghdr {
		h := unix.NlMsghdr{
			Len: binary.NativeEndian.Uint32(b), Type: binary.NativeEndian.Uint16(b[4:]),
			Flags: binary.NativeEndian.Uint16(b[6:]), Seq: binary.NativeEndian.Uint32(b[8:]),
		}
		if h.Len < unix.SizeofNlMsghdr || int64(h.Len) > int64(len(b)) {
			return fmt.Errorf("netlink: a message of %d bytes in %d", h.Len, len(b))
		}
		each(h, b[unix.SizeofNlMsghdr:h.Len])
		b = b[min(align(int(h.Len)), len(b)):]
	}
	return nil
}
