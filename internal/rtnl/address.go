package rtnl

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// ifaProto is the attribute for the origin of an address, which Linux 5.18 introduced.
const ifaProto = 11

// OriginKernelLinkLocal is the origin of a link-local address of the kernel.
const OriginKernelLinkLocal = 3

// An Address is an RTM_NEWADDR or RTM_DELADDR message.
type Address struct {
	link.Address
	Index   int    // of the link
	Flags   uint32 // IFA_F_*
	Origin  uint8  // what added it; 0: not recorded
	Message []byte // the whole body, with lifetimes and label, to send it again
}

// Unmarshal reads the body of a message. It returns false if the body is too short or has no address.
func (a *Address) Unmarshal(body []byte) bool {
	if !a.Decode(body) {
		return false
	}
	a.Message = slices.Clone(body)
	return true
}

// Decode is Unmarshal without the Message.
func (a *Address) Decode(body []byte) bool {
	if len(body) < unix.SizeofIfAddrmsg {
		return false
	}
	*a = Address{Index: int(Uint32(body[4:])), Flags: uint32(body[2])}
	a.Bits = int(body[1])
	var local, other netip.Addr
	for kind, value := range Attributes(body[unix.SizeofIfAddrmsg:]) {
		switch kind {
		case unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(value)
		case unix.IFA_ADDRESS:
			other, _ = netip.AddrFromSlice(value)
		case unix.IFA_BROADCAST:
			a.Broadcast, _ = netip.AddrFromSlice(value)
		case ifaProto:
			a.Origin = firstByte(value)
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
	return a.Local.IsValid()
}

// Marshal returns a request of that kind for the address. An address with a Message is sent as the kernel sent it, but
// for the link Index.
func (a *Address) Marshal(kind, flags int) *nl.NetlinkRequest {
	if a.Message != nil {
		r := Request(kind, unix.NLM_F_ACK|flags)
		r.RawData = slices.Clone(a.Message)
		binary.NativeEndian.PutUint32(r.RawData[4:], uint32(a.Index))
		return r
	}
	family := unix.AF_INET
	if a.Local.Is6() {
		family = unix.AF_INET6
	}
	msg := nl.NewIfAddrmsg(family)
	msg.Index, msg.Prefixlen = uint32(a.Index), uint8(a.Bits)
	other := a.Local
	if a.Peer.IsValid() {
		other = a.Peer
	}
	r := Request(kind, unix.NLM_F_ACK|flags, msg,
		nl.NewRtAttr(unix.IFA_LOCAL, a.Local.AsSlice()), nl.NewRtAttr(unix.IFA_ADDRESS, other.AsSlice()))
	if a.Broadcast.IsValid() {
		r.AddData(nl.NewRtAttr(unix.IFA_BROADCAST, a.Broadcast.AsSlice()))
	}
	return r
}

// MovedAddress returns the body of an address message for another link: without a label, which names the link, and
// without duplicate address detection, because the address has been in use in the same network.
func MovedAddress(message []byte) []byte {
	m := slices.Clone(message[:unix.SizeofIfAddrmsg])
	inet6 := m[0] == unix.AF_INET6
	if inet6 {
		m[2] |= unix.IFA_F_NODAD
	}
	for kind, value := range Attributes(message[unix.SizeofIfAddrmsg:]) {
		switch kind {
		case unix.IFA_LABEL:
			continue
		case unix.IFA_FLAGS:
			if inet6 {
				value = nl.Uint32Attr(Uint32(value) | unix.IFA_F_NODAD)
			}
		}
		m = append(m, nl.NewRtAttr(int(kind), slices.Clone(value)).Serialize()...)
	}
	return m
}
