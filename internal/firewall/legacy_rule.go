package firewall

import (
	"bytes"
	"encoding/binary"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A legacyMatch has the places in struct ipt_ip or ip6t_ip6: the addresses and their masks come first, one after the
// other, then the interfaces and their masks.
type legacyMatch struct {
	size                        int // of an address
	interfaces, protocol, flags int
	from, to                    int  // in the header of a packet
	fragment, goes              byte // the flags for "-f" and "-g"
}

// expressions converts an entry into the expressions that iptables-nft uses for the same rule.
func (k legacyKind) expressions(e legacyEntry, names map[int]string) []expression {
	all := k.conditions(e)
	for _, p := range e.matches {
		all = append(all, expression{attributes{unix.NFTA_MATCH_NAME: []byte(p.name),
			unix.NFTA_MATCH_REV: be32(uint32(p.revision)), unix.NFTA_MATCH_INFO: p.data}, "match"})
	}
	count := e.count()
	all = append(all, expression{attributes{unix.NFTA_COUNTER_PACKETS: be64(count.Packets),
		unix.NFTA_COUNTER_BYTES: be64(count.Bytes)}, "counter"})
	return append(all, e.decision(e.head[k.match.flags]&k.match.goes != 0, names)...)
}

// conditions converts the conditions on the devices, the addresses and the protocol.
func (k legacyKind) conditions(e legacyEntry) (all []expression) {
	const in, out, tos, from, to, fragment, protocol = 1, 2, 4, 8, 16, 32, 64 // IPT_INV_*
	m, head := k.match, e.head
	flags, inverted := head[m.flags], head[m.flags+1]
	device := func(key uint32, i int, invert byte) {
		name := head[m.interfaces+i*unix.IFNAMSIZ:][:unix.IFNAMSIZ]
		mask := head[m.interfaces+(2+i)*unix.IFNAMSIZ:][:unix.IFNAMSIZ]
		if n := bytes.Count(mask, []byte{0xff}); n > 0 {
			all = append(all, readMeta(key), compareWith(name[:n], inverted&invert != 0))
		}
	}
	address := func(at, i int, invert byte) {
		ip, mask, none := head[i*m.size:][:m.size], head[(2+i)*m.size:][:m.size], make([]byte, m.size)
		if !bytes.Equal(mask, none) || inverted&invert != 0 {
			all = append(all, readHeader(at, m.size), withMask(mask), compareWith(ip, inverted&invert != 0))
		}
	}
	device(unix.NFT_META_IIFNAME, 0, in)
	device(unix.NFT_META_OIFNAME, 1, out)
	address(m.from, 0, from)
	address(m.to, 1, to)
	if head[m.protocol] != 0 {
		all = append(all, readMeta(unix.NFT_META_L4PROTO),
			compareWith(head[m.protocol:m.protocol+1], inverted&protocol != 0))
	}
	if flags&m.fragment != 0 || inverted&(fragment|tos) != 0 {
		all = append(all, expression{name: "fragment"})
	}
	return all
}

// The expressions use one register.
var register = []byte{0, 0, 0, unix.NFT_REG_1}

func readMeta(key uint32) expression {
	return expression{attributes{unix.NFTA_META_KEY: be32(key), unix.NFTA_META_DREG: register}, "meta"}
}

// readHeader reads bytes of the IP header.
func readHeader(at, size int) expression {
	return expression{attributes{unix.NFTA_PAYLOAD_BASE: be32(unix.NFT_PAYLOAD_NETWORK_HEADER),
		unix.NFTA_PAYLOAD_OFFSET: be32(uint32(at)), unix.NFTA_PAYLOAD_LEN: be32(uint32(size)),
		unix.NFTA_PAYLOAD_DREG: register}, "payload"}
}

func withMask(mask []byte) expression {
	return expression{attributes{unix.NFTA_BITWISE_SREG: register, unix.NFTA_BITWISE_DREG: register,
		unix.NFTA_BITWISE_LEN: be32(uint32(len(mask))), unix.NFTA_BITWISE_MASK: nested(unix.NFTA_DATA_VALUE, mask),
		unix.NFTA_BITWISE_XOR: nested(unix.NFTA_DATA_VALUE, make([]byte, len(mask)))}, "bitwise"}
}

func compareWith(data []byte, not bool) expression {
	op := uint32(unix.NFT_CMP_EQ)
	if not {
		op = unix.NFT_CMP_NEQ
	}
	return expression{attributes{unix.NFTA_CMP_SREG: register, unix.NFTA_CMP_OP: be32(op),
		unix.NFTA_CMP_DATA: nested(unix.NFTA_DATA_VALUE, data)}, "cmp"}
}

// decision converts the target.
func (e legacyEntry) decision(goes bool, names map[int]string) []expression {
	if e.target.name != "" {
		return []expression{{attributes{unix.NFTA_TARGET_NAME: []byte(e.target.name),
			unix.NFTA_TARGET_REV: be32(uint32(e.target.revision)), unix.NFTA_TARGET_INFO: e.target.data}, "target"}}
	}
	v := e.verdict()
	code, chain := int32(-1-v), ""
	switch {
	case v == e.next: // without "-j"
		return nil
	case v >= 0:
		if chain = names[v]; chain == "" {
			return []expression{{name: "jump"}}
		}
		if code = unix.NFT_JUMP; goes {
			code = unix.NFT_GOTO
		}
	case v == unix.NFT_RETURN: // XT_RETURN
		code = unix.NFT_RETURN
	}
	verdict := nl.NewRtAttr(unix.NFTA_DATA_VERDICT, nil)
	verdict.AddRtAttr(unix.NFTA_VERDICT_CODE, be32(uint32(code)))
	verdict.AddRtAttr(unix.NFTA_VERDICT_CHAIN, nl.ZeroTerminated(chain))
	return []expression{{attributes{unix.NFTA_IMMEDIATE_DREG: be32(unix.NFT_REG_VERDICT),
		unix.NFTA_IMMEDIATE_DATA: verdict.Serialize()}, "immediate"}}
}

func be32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

func be64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// nested returns a list of one attribute.
func nested(kind int, data []byte) []byte { return nl.NewRtAttr(kind, data).Serialize() }
