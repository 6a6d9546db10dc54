package rtnl

import (
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// An Address is an RTM_NEWADDR or RTM_DELADDR message.
type Address struct {
	Index   int // of the link
	Local   netip.Addr
	Peer    netip.Addr // invalid: none
	Bits    int        // prefix length, of Peer if there is one
	Flags   uint32     // IFA_F_*
	Message []byte     // the whole body, with lifetimes and label, to send it again
}

// Unmarshal reads the body of a message. It returns false if the body is too short or has no address.
func (a *Address) Unmarshal(body []byte) bool {
	if len(body) < unix.SizeofIfAddrmsg {
		return false
	}
	*a = Address{Index: int(Uint32(body[4:])), Bits: int(body[1]), Flags: uint32(body[2])}
	var local, other netip.Addr
	for kind, value := range Attributes(body[unix.SizeofIfAddrmsg:]) {
		switch kind {
		case unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(value)
		case unix.IFA_ADDRESS:
			other, _ = netip.AddrFromSlice(value)
		case unix.IFA_FLAGS:
			a.Flags = Uint32(value)
		}
	}
	a.Local = other
	if local.IsValid() {
		a.Local = local
		if other.IsValid() && other != local {
			a.Peer = other
		}
	}
	a.Message = slices.Clone(body)
	return a.Local.IsValid()
}
