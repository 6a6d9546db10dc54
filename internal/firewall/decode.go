package firewall

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/rtnl"
)

// What golang.org/x/sys/unix lacks of linux/netfilter/nf_tables.h.
const (
	hookDevices   = 4 // NFTA_HOOK_DEVS
	setDescConcat = 2 // NFTA_SET_DESC_CONCAT
	setFieldLen   = 1 // NFTA_SET_FIELD_LEN
	elementKeyEnd = 10
	setConcat     = 0x80 // NFT_SET_CONCAT
	catchAll      = 2    // NFT_SET_ELEM_CATCHALL
)

// ask returns a request for all objects of a kind.
func ask(kind int, family uint8, attributes ...nl.NetlinkRequestData) *nl.NetlinkRequest {
	parts := append([]nl.NetlinkRequestData{&nl.Nfgenmsg{NfgenFamily: family}}, attributes...)
	return rtnl.Request(unix.NFNL_SUBSYS_NFTABLES<<8|kind, 0, parts...)
}

// attributes are the attributes of an object by their number. The values are copies.
type attributes map[uint16][]byte

// parse splits a list of attributes.
func parse(b []byte) attributes {
	all := attributes{}
	for kind, value := range rtnl.Attributes(b) {
		all[kind] = value
	}
	return all
}

// number returns an attribute of 4 bytes in network byte order; 0 if there is none.
func (a attributes) number(kind uint16) uint32 {
	if len(a[kind]) < 4 {
		return 0
	}
	return binary.BigEndian.Uint32(a[kind])
}

// long returns an attribute of 8 bytes in network byte order; 0 if there is none.
func (a attributes) long(kind uint16) uint64 {
	if len(a[kind]) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64(a[kind])
}

func (a attributes) text(kind uint16) string { return strings.TrimRight(string(a[kind]), "\x00") }

// data returns the bytes of a nested value (NFTA_DATA_VALUE).
func (a attributes) data(kind uint16) []byte { return parse(a[kind])[unix.NFTA_DATA_VALUE] }

// message splits the body of a message into its family and its attributes.
func message(body []byte) (family uint8, a attributes) {
	if len(body) < nl.SizeofNfgenmsg {
		return 0, nil
	}
	return body[0], parse(slices.Clone(body[nl.SizeofNfgenmsg:]))
}

// A table is the part of a table that matters here.
type table struct {
	place
	dormant bool // its chains are not called
}

func decodeTable(body []byte) (table, bool) {
	family, a := message(body)
	return table{place{family, a.text(unix.NFTA_TABLE_NAME), ""},
		a.number(unix.NFTA_TABLE_FLAGS)&unix.NFT_TABLE_F_DORMANT != 0}, a != nil
}

func decodeChain(body []byte) (*chain, bool) {
	family, a := message(body)
	c := &chain{place: place{family, a.text(unix.NFTA_CHAIN_TABLE), a.text(unix.NFTA_CHAIN_NAME)}}
	if hook := parse(a[unix.NFTA_CHAIN_HOOK]); len(hook) > 0 {
		c.base, c.hook = true, hook.number(unix.NFTA_HOOK_HOOKNUM)
		c.priority = int32(hook.number(unix.NFTA_HOOK_PRIORITY))
		c.kind, c.drops = a.text(unix.NFTA_CHAIN_TYPE), a.number(unix.NFTA_CHAIN_POLICY) == nfDrop
		if dev := hook.text(unix.NFTA_HOOK_DEV); dev != "" {
			c.devices = []string{dev}
		}
		for kind, dev := range rtnl.Attributes(hook[hookDevices]) {
			name := strings.TrimRight(string(dev), "\x00")
			if kind != 1 { // NFTA_DEVICE_PREFIX
				name += "*"
			}
			c.devices = append(c.devices, name)
		}
		if _, counted := a[unix.NFTA_CHAIN_COUNTERS]; counted {
			c.counter = parse(a[unix.NFTA_CHAIN_COUNTERS]).count()
		}
	}
	return c, a != nil
}

// count reads a counter.
func (a attributes) count() *Counter {
	return &Counter{Packets: a.long(unix.NFTA_COUNTER_PACKETS), Bytes: a.long(unix.NFTA_COUNTER_BYTES)}
}

func decodeRule(body []byte) (*rule, place) {
	family, a := message(body)
	return &rule{handle: a.long(unix.NFTA_RULE_HANDLE), expressions: a[unix.NFTA_RULE_EXPRESSIONS]},
		place{family, a.text(unix.NFTA_RULE_TABLE), a.text(unix.NFTA_RULE_CHAIN)}
}

// An expression is one step of a rule.
type expression struct {
	attributes
	name string // "cmp", "meta", "immediate", ...
}

// decode returns the expressions of a rule. They are decoded once.
func (r *rule) decode() []expression {
	if r.decoded != nil {
		return r.decoded
	}
	r.decoded = []expression{}
	for _, element := range rtnl.Attributes(r.expressions) {
		e := expression{}
		for kind, value := range rtnl.Attributes(element) {
			switch kind {
			case unix.NFTA_EXPR_NAME:
				e.name = strings.TrimRight(string(value), "\x00")
			case unix.NFTA_EXPR_DATA:
				e.attributes = parse(value)
			}
		}
		r.decoded = append(r.decoded, e)
	}
	return r.decoded
}

// counter returns the counter of a rule, or nil.
func (r *rule) counter() *Counter {
	for _, e := range r.decode() {
		if e.name == "counter" {
			return e.attributes.count().since(r.before)
		}
	}
	return nil
}
