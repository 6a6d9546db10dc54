package firewall

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/nstest"
)

// An xtRule is a match of iptables with its data.
type xtRule struct {
	name     string
	revision uint32
	protocol uint8 // that the match requires, 0: any
	info     []byte
}

// TestTheKernelAgreesOnMatches adds rules as iptables-nft does, one match and a drop, with random data.
func TestTheKernelAgreesOnMatches(t *testing.T) {
	l := newLab(t)
	c := agree(l, 2)
	for range 60 {
		trips := c.flows(l)
		family, hook := c.one("ip", "ip6"), c.one("input", "forward", "prerouting")
		base := " t { chain c { type filter hook " + hook + " priority 1; meta mark set 0x5; }; }"
		if err := l.load("table " + family + base); err != nil {
			t.Fatal(err)
		}
		m := c.match()
		l.append(family, m)
		rs := l.rules()
		for _, trip := range append(trips, c.trips(l)...) {
			c.send(rs, trip, fmt.Sprintf("%s %+v", hook, m))
		}
		rs.Close()
		nstest.Run(t, "nft", "delete", "table", family, "t")
	}
	c.end(5, 20)
}

// match returns a match with random data.
func (g *generator) match() xtRule {
	short := func(n ...uint16) (b []byte) {
		for _, v := range n {
			b = binary.NativeEndian.AppendUint16(b, v)
		}
		return b
	}
	long := func(n ...uint32) (b []byte) {
		for _, v := range n {
			b = binary.NativeEndian.AppendUint32(b, v)
		}
		return b
	}
	bit := func() uint16 { return uint16(g.IntN(2)) }
	switch g.IntN(9) {
	case 0:
		info := make([]byte, 168)
		states := uint16(g.IntN(16)) | bit()<<6 | bit()<<7 | bit()<<8
		copy(info[146:], short(1|bit()<<13, bit(), states))
		return xtRule{"conntrack", 3, 0, info}
	case 1:
		return xtRule{"state", 0, 0, long(uint32(g.IntN(16)), 0)}
	case 2:
		info := make([]byte, 48)
		info[0], info[1] = byte(1+g.IntN(2)), 3
		copy(info[2:], short(uint16(5000+g.IntN(4)), 5002, 5002+uint16(g.IntN(3))))
		info[33], info[47] = byte(bit()), byte(bit())
		return xtRule{"multiport", 1, unix.IPPROTO_UDP, info}
	case 3:
		info := append(short(0, 65535, uint16(5000+g.IntN(3)), uint16(5001+g.IntN(3))),
			0, byte(2*bit()), 2, byte(2*bit()+4*bit()))
		return xtRule{"tcp", 0, unix.IPPROTO_TCP, append(info, 0, 0, 0, 0)}
	case 4:
		info := append(short(20000*bit(), 65535, uint16(5000+g.IntN(3)), uint16(5001+g.IntN(3))), byte(g.IntN(4)))
		return xtRule{"udp", 0, unix.IPPROTO_UDP, append(info, 0, 0, 0, 0, 0, 0, 0)}
	case 5:
		types := short(bit()<<unix.RTN_LOCAL, 1<<(1+g.IntN(2)))
		return xtRule{"addrtype", 1, 0, append(types, long(uint32(g.IntN(4)))...)}
	case 6:
		return xtRule{"mark", 1, 0, long(uint32(g.IntN(6)), uint32(g.IntN(8)), uint32(bit()), 0)}
	case 7:
		return xtRule{"pkttype", 0, 0, long(uint32(bit())*unix.PACKET_BROADCAST, uint32(bit()))}
	}
	return xtRule{"comment", 0, 0, make([]byte, 256)}
}

// append adds a rule with a match, which nft cannot, and a drop.
func (l *lab) append(family string, m xtRule) {
	l.Helper()
	be := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	text := nl.ZeroTerminated
	list := nl.NewRtAttr(unix.NFTA_RULE_EXPRESSIONS|unix.NLA_F_NESTED, nil)
	expression := func(name string) *nl.RtAttr {
		e := list.AddRtAttr(unix.NFTA_LIST_ELEM|unix.NLA_F_NESTED, nil)
		e.AddRtAttr(unix.NFTA_EXPR_NAME, text(name))
		return e.AddRtAttr(unix.NFTA_EXPR_DATA|unix.NLA_F_NESTED, nil)
	}
	if m.protocol != 0 { // as "-p" of iptables
		e := expression("meta")
		e.AddRtAttr(unix.NFTA_META_KEY, be(unix.NFT_META_L4PROTO))
		e.AddRtAttr(unix.NFTA_META_DREG, be(unix.NFT_REG_1))
		e = expression("cmp")
		e.AddRtAttr(unix.NFTA_CMP_SREG, be(unix.NFT_REG_1))
		e.AddRtAttr(unix.NFTA_CMP_OP, be(unix.NFT_CMP_EQ))
		e.AddRtAttr(unix.NFTA_CMP_DATA|unix.NLA_F_NESTED, nil).AddRtAttr(unix.NFTA_DATA_VALUE, []byte{m.protocol})
	}
	e := expression("match")
	e.AddRtAttr(unix.NFTA_MATCH_NAME, text(m.name))
	e.AddRtAttr(unix.NFTA_MATCH_REV, be(m.revision))
	e.AddRtAttr(unix.NFTA_MATCH_INFO, m.info)
	e = expression("immediate")
	e.AddRtAttr(unix.NFTA_IMMEDIATE_DREG, be(unix.NFT_REG_VERDICT))
	data := e.AddRtAttr(unix.NFTA_IMMEDIATE_DATA|unix.NLA_F_NESTED, nil)
	data.AddRtAttr(unix.NFTA_DATA_VERDICT|unix.NLA_F_NESTED, nil).AddRtAttr(unix.NFTA_VERDICT_CODE, be(nfDrop))
	compat := nl.NewRtAttr(unix.NFTA_RULE_COMPAT|unix.NLA_F_NESTED, nil)
	compat.AddRtAttr(unix.NFTA_RULE_COMPAT_PROTO, be(uint32(m.protocol)))
	compat.AddRtAttr(unix.NFTA_RULE_COMPAT_FLAGS, be(0))
	number := uint8(unix.NFPROTO_IPV4)
	if family == "ip6" {
		number = unix.NFPROTO_IPV6
	}
	const create, begin, end = unix.NLM_F_CREATE | unix.NLM_F_APPEND | unix.NLM_F_ACK, 16, 17
	rule := ask(unix.NFT_MSG_NEWRULE, number, nl.NewRtAttr(unix.NFTA_RULE_TABLE, text("t")),
		nl.NewRtAttr(unix.NFTA_RULE_CHAIN, text("c")), list, compat)
	rule.Flags |= create
	var b bytes.Buffer
	for _, kind := range []int{begin, 0, end} {
		r := rule
		if kind != 0 {
			r = ask(0, 0)
			r.Type = uint16(kind)
			r.Data = []nl.NetlinkRequestData{&nl.Nfgenmsg{ResId: 10 << 8}} // NFNL_SUBSYS_NFTABLES
		}
		b.Write(r.Serialize())
	}
	if err := transact(b.Bytes()); err != nil {
		l.Fatalf("%+v: %v", m, err)
	}
}

// transact sends a batch of messages of which one asks for an acknowledgement.
func transact(batch []byte) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, batch, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	b := make([]byte, 8192)
	n, _, err := unix.Recvfrom(fd, b, unix.MSG_DONTWAIT)
	if err != nil || n < 20 {
		return fmt.Errorf("%d bytes: %w", n, err)
	}
	if code := int32(binary.NativeEndian.Uint32(b[16:])); code != 0 {
		return unix.Errno(-code)
	}
	return nil
}
