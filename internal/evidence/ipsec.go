package evidence

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/rtnl"
)

// The directions of IPsec policies.
const (
	PolicyIn = iota
	PolicyOut
	PolicyForward
)

// A Policy is an IPsec policy, see ip-xfrm(8).
type Policy struct {
	Direction        uint8
	From, To         netip.Prefix
	Protocol         uint8 // 0: any
	FromPort, ToPort uint16
	portMasks        [2]uint16
	Index            int // of the link; 0: any
	Priority         uint32
	Block            bool
	Templates        []Template
	mark, mask       uint32
	interfaceID      uint32 // of an xfrm interface, whose packets alone match; 0: none
}

// A Template is what a policy requires of packets: to be encrypted by a state.
type Template struct {
	From, To netip.Addr
	Protocol uint8 // IPPROTO_ESP and the like
	Tunnel   bool
	Optional bool
	request  uint32
}

// The sizes and the places in structs of linux/xfrm.h.
const (
	selectorSize, policySize, templateSize, stateSize = 56, 168, 64, 224

	getPolicy, getState, policyQuery, stateQuery = 0x15, 0x12, 64, 24 // XFRM_MSG_*

	attributeTemplates, attributeMark, attributeInterface = 5, 21, 31 // XFRMA_*
)

// Policy returns the IPsec policy that applies to a packet in a direction, or nil. Reading requires CAP_NET_ADMIN.
func (h *Host) Policy(direction uint8, p flow.Packet) (found *Policy) {
	all := once(&h.policies, func() ([]Policy, error) {
		return dumpXFRM(getPolicy, policyQuery, decodePolicy)
	})
	for i := range all {
		// Of those with the same priority the oldest counts, which the kernel lists last.
		if c := &all[i]; c.Direction == direction && c.matches(p) && (found == nil || c.Priority <= found.Priority) {
			found = c
		}
	}
	return found
}

// HasState reports whether a state encrypts packets for a template.
func (h *Host) HasState(t Template) bool {
	all := once(&h.states, func() ([]Template, error) { return dumpXFRM(getState, stateQuery, decodeState) })
	return slices.ContainsFunc(all, func(s Template) bool {
		ends := !t.Tunnel || s.To == t.To && (!t.From.IsValid() || t.From.IsUnspecified() || s.From == t.From)
		return ends && s.Tunnel == t.Tunnel && s.Protocol == t.Protocol && (t.request == 0 || s.request == t.request)
	})
}

func dumpXFRM[T any](kind, query int, decode func(body []byte) (T, bool)) ([]T, error) {
	s, err := rtnl.Open(unix.NETLINK_XFRM)
	if err != nil {
		return nil, err // the kernel has no IPsec
	}
	defer s.Close()
	return rtnl.Dump(s, rtnl.Request(kind, unix.NLM_F_DUMP, rawBytes(make([]byte, query))), decode)
}

func (c *Policy) matches(p flow.Packet) bool {
	port := func(want, mask, port uint16) bool { return port&mask == want&mask && (mask == 0 || port != 0) }
	return c.From.Contains(p.From) && c.To.Contains(p.To) && (c.Protocol == 0 || c.Protocol == p.Protocol) &&
		port(c.FromPort, c.portMasks[0], p.FromPort) && port(c.ToPort, c.portMasks[1], p.ToPort) &&
		(c.Index == 0 || c.Index == p.OutIndex) && p.Mark&c.mask == c.mark && c.interfaceID == 0
}

// decodePolicy reads struct xfrm_userpolicy_info. Policies of sockets have other directions.
func decodePolicy(b []byte) (c Policy, ok bool) {
	const priority, direction, action = 152, 160, 161
	if len(b) < policySize || b[direction] > PolicyForward {
		return c, false
	}
	c = selector(b)
	c.Priority, c.Direction, c.Block = rtnl.Uint32(b[priority:]), b[direction], b[action] != 0
	for kind, value := range rtnl.Attributes(b[policySize:]) {
		switch kind {
		case attributeTemplates:
			for ; len(value) >= templateSize; value = value[templateSize:] {
				c.Templates = append(c.Templates, decodeTemplate(value))
			}
		case attributeMark:
			if len(value) >= 8 {
				c.mark, c.mask = rtnl.Uint32(value), rtnl.Uint32(value[4:])
			}
		case attributeInterface:
			c.interfaceID = rtnl.Uint32(value)
		}
	}
	return c, c.To.IsValid() && c.From.IsValid()
}

// selector reads struct xfrm_selector.
func selector(b []byte) (c Policy) {
	const to, from, toPort, fromPort, family, toBits, fromBits, protocol, link = 0, 16, 32, 36, 40, 42, 43, 44, 48
	network := func(at int, bits byte) netip.Prefix {
		return netip.PrefixFrom(xfrmAddress(b[at:], rtnl.Uint16(b[family:])), int(bits)).Masked()
	}
	c.To, c.From = network(to, b[toBits]), network(from, b[fromBits])
	c.ToPort, c.FromPort = binary.BigEndian.Uint16(b[toPort:]), binary.BigEndian.Uint16(b[fromPort:])
	c.portMasks = [2]uint16{binary.BigEndian.Uint16(b[fromPort+2:]), binary.BigEndian.Uint16(b[toPort+2:])}
	c.Protocol, c.Index = b[protocol], int(rtnl.Uint32(b[link:]))
	return c
}

// decodeTemplate reads struct xfrm_user_tmpl.
func decodeTemplate(b []byte) Template {
	const protocol, family, from, request, mode, optional = 20, 24, 28, 44, 48, 50
	f := rtnl.Uint16(b[family:])
	return Template{From: xfrmAddress(b[from:], f), To: xfrmAddress(b, f), Protocol: b[protocol], Tunnel: b[mode] == 1,
		Optional: b[optional] != 0, request: rtnl.Uint32(b[request:])}
}

// decodeState reads struct xfrm_usersa_info. A state that a key exchange has yet to complete has no SPI.
func decodeState(b []byte) (t Template, ok bool) {
	const to, index, protocol, from, request, family, mode = 56, 72, 76, 80, 208, 212, 214
	if len(b) < stateSize {
		return t, false
	}
	f := rtnl.Uint16(b[family:])
	return Template{From: xfrmAddress(b[from:], f), To: xfrmAddress(b[to:], f), Protocol: b[protocol],
		Tunnel: b[mode] == 1, request: rtnl.Uint32(b[request:])}, rtnl.Uint32(b[index:]) != 0
}

func xfrmAddress(b []byte, family uint16) netip.Addr {
	if family == unix.AF_INET {
		return netip.AddrFrom4([4]byte(b))
	}
	return netip.AddrFrom16([16]byte(b))
}
