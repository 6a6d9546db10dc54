package netcfg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A socket is one routing netlink socket for a whole run.
type socket struct {
	fd     int
	seq    uint32
	buffer []byte
}

// window is how many requests are sent before their answers are read. A change is answered in a few bytes; the
// answers to windowRead questions about links still fit into the smallest receive buffer.
const (
	window     = 64
	windowRead = 16
)

// receiveSize holds the largest part of a dump that the kernel sends at a time (32 KiB).
const receiveSize = 64 << 10

func openSocket() (*socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("netlink socket: %w", err)
	}
	for _, option := range []int{unix.NETLINK_EXT_ACK, unix.NETLINK_CAP_ACK, unix.NETLINK_GET_STRICT_CHK} {
		if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, option, 1); err != nil {
			unix.Close(fd)
			return nil, fmt.Errorf("netlink socket option %d: %w", option, err)
		}
	}
	return &socket{fd: fd, buffer: make([]byte, receiveSize)}, nil
}

func (s *socket) close() { unix.Close(s.fd) }

// A refusal is the kernel's answer to a request: its errno, and the sentence it may add.
type refusal struct {
	errno unix.Errno
	words string
}

func (r *refusal) Error() string {
	if r.words == "" {
		return r.errno.Error()
	}
	return r.errno.Error() + ": " + strings.TrimSuffix(r.words, ".")
}

func (r *refusal) Unwrap() error { return r.errno }

// request makes a netlink request that is to be acknowledged.
func request(kind, flags int, parts ...nl.NetlinkRequestData) *nl.NetlinkRequest {
	r := &nl.NetlinkRequest{NlMsghdr: unix.NlMsghdr{Type: uint16(kind), Flags: unix.NLM_F_REQUEST | uint16(flags)}}
	r.Data = parts
	return r
}

// exchange sends the requests, a window of them at a time, and gives back an error or nil for each. answer, if
// not nil, is called for each message that answers request i; the message is only lent. When no answers can be read any more, those that
// have none fail: the kernel may have done them, or not.
func (s *socket) exchange(requests []*nl.NetlinkRequest, window int, answer func(i int, body []byte)) []error {
	errs := make([]error, len(requests))
	answered := make([]bool, len(requests))
	for start := 0; start < len(requests); start += window {
		batch := requests[start:min(start+window, len(requests))]
		first := s.seq + 1
		var out []byte
		for _, r := range batch {
			s.seq++
			r.Seq = s.seq
			out = append(out, r.Serialize()...)
			for len(out)%unix.NLMSG_ALIGNTO != 0 {
				out = append(out, 0)
			}
		}
		err := unix.Sendto(s.fd, out, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
		for open := len(batch); open > 0 && err == nil; {
			err = s.receive(func(h unix.NlMsghdr, body []byte) {
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
				errs[start+i], answered[start+i] = answerError(h, body), true
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

// dump asks for all objects of a kind and decodes each; decode gives false for one that does not matter, and must
// not keep the message. A dump that a change ran into is begun again.
func dump[T any](s *socket, r *nl.NetlinkRequest, decode func(body []byte) (T, bool)) (found []T, err error) {
	const tries = 5
	interrupted := true
	for try := 0; try < tries && interrupted && err == nil; try++ {
		found = nil
		interrupted, err = s.dumpOnce(r, func(body []byte) {
			if x, ok := decode(body); ok {
				found = append(found, x)
			}
		})
	}
	return found, err
}

func (s *socket) dumpOnce(r *nl.NetlinkRequest, each func(body []byte)) (interrupted bool, err error) {
	s.seq++
	r.Seq = s.seq
	r.Flags = unix.NLM_F_REQUEST | unix.NLM_F_DUMP
	if err := unix.Sendto(s.fd, r.Serialize(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return false, err
	}
	var refused error
	for done := false; !done; {
		err := s.receive(func(h unix.NlMsghdr, body []byte) {
			if h.Seq != r.Seq || done {
				return
			}
			interrupted = interrupted || h.Flags&unix.NLM_F_DUMP_INTR != 0
			switch h.Type {
			case unix.NLMSG_DONE, unix.NLMSG_ERROR:
				done, refused = true, answerError(h, body)
			default:
				each(body)
			}
		})
		if err != nil {
			return interrupted, err
		}
	}
	return interrupted, refused
}

// receive reads what the kernel has to say next and calls each for every message of it.
func (s *socket) receive(each func(h unix.NlMsghdr, body []byte)) error { return s.read(0, each) }

// read is receive with flags of recv(2).
func (s *socket) read(flags int, each func(h unix.NlMsghdr, body []byte)) error {
	n, from, err := unix.Recvfrom(s.fd, s.buffer, flags)
	for errors.Is(err, unix.EINTR) {
		n, from, err = unix.Recvfrom(s.fd, s.buffer, flags)
	}
	if err != nil {
		return fmt.Errorf("netlink: %w", err)
	}
	if sender, ok := from.(*unix.SockaddrNetlink); !ok || sender.Pid != 0 {
		return nil // another program may write to this socket; only the kernel is believed
	}
	for b := s.buffer[:n]; len(b) >= unix.SizeofNlMsghdr; {
		h := unix.NlMsghdr{
			Len: binary.NativeEndian.Uint32(b), Type: binary.NativeEndian.Uint16(b[4:]),
			Flags: binary.NativeEndian.Uint16(b[6:]), Seq: binary.NativeEndian.Uint32(b[8:]),
		}
		if h.Len < unix.SizeofNlMsghdr || int(h.Len) > len(b) {
			return fmt.Errorf("netlink: a message of %d bytes in %d", h.Len, len(b))
		}
		each(h, b[unix.SizeofNlMsghdr:h.Len])
		b = b[min(align(int(h.Len)), len(b)):]
	}
	return nil
}

// answerError is the error that an acknowledgement or the end of a dump carries, or nil.
func answerError(h unix.NlMsghdr, body []byte) error {
	if len(body) < 4 {
		return nil
	}
	errno := -int32(binary.NativeEndian.Uint32(body))
	if errno == 0 {
		return nil
	}
	r := &refusal{errno: unix.Errno(errno)}
	rest := body[4:]
	if h.Type == unix.NLMSG_ERROR && len(rest) >= unix.SizeofNlMsghdr {
		rest = rest[unix.SizeofNlMsghdr:] // the request's header alone, thanks to NETLINK_CAP_ACK
	}
	if h.Flags&unix.NLM_F_ACK_TLVS != 0 {
		for kind, value := range attributes(rest) {
			if kind == unix.NLMSGERR_ATTR_MSG {
				r.words = text(value)
			}
		}
	}
	return r
}

// attributes walks the attributes of a message. The values are parts of it. A malformed rest ends the walk.
func attributes(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= unix.SizeofRtAttr {
			n := int(binary.NativeEndian.Uint16(b))
			kind := binary.NativeEndian.Uint16(b[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
			if n < unix.SizeofRtAttr || n > len(b) || !yield(kind, b[unix.SizeofRtAttr:n]) {
				return
			}
			b = b[min(align(n), len(b)):]
		}
	}
}

// align rounds a length up to netlink's four bytes.
func align(n int) int { return (n + 3) &^ 3 }

// text is a string attribute without its final zero.
func text(value []byte) string { return strings.TrimRight(string(value), "\x00") }
