package rtnl

import (
	"strings"

	"golang.org/x/sys/unix"
)

// A Refusal is the kernel's refusal of a request.
type Refusal struct {
	Errno unix.Errno
	Words string // the kernel's own explanation (NLMSGERR_ATTR_MSG), or ""
}

// Error returns the errno's text and the kernel's explanation.
func (r *Refusal) Error() string {
	if r.Words == "" {
		return r.Errno.Error()
	}
	return r.Errno.Error() + ": " + strings.TrimSuffix(r.Words, ".")
}

// Unwrap returns the errno, so that errors.Is finds it.
func (r *Refusal) Unwrap() error { return r.Errno }

// refused returns the [*Refusal] in an acknowledgement or in the end of a dump, or nil.
func refused(h unix.NlMsghdr, body []byte) error {
	errno := -int32(Uint32(body))
	if errno == 0 {
		return nil
	}
	r := &Refusal{Errno: unix.Errno(errno)}
	rest := body[4:]
	if h.Type == unix.NLMSG_ERROR && len(rest) >= unix.SizeofNlMsghdr {
		rest = rest[unix.SizeofNlMsghdr:] // with NETLINK_CAP_ACK, only the header of the request is repeated
	}
	if h.Flags&unix.NLM_F_ACK_TLVS != 0 {
		for kind, value := range Attributes(rest) {
			if kind == unix.NLMSGERR_ATTR_MSG {
				r.Words = text(value)
			}
		}
	}
	return r
}
