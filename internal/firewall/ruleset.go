// Package firewall reads the nftables ruleset of the thread's network namespace, which iptables-nft uses too, and the
// tables of iptables-legacy, and evaluates them for a packet. Where the ruleset uses what is not understood, the
// answer says so: it is never taken for a rule that lets the packet pass.
package firewall

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/rtnl"
)

// A Ruleset is the firewall of a network namespace.
type Ruleset struct {
	// Unread names the tables of iptables-legacy that were not read, with the reason: "ip filter: permission denied".
	Unread []string
	// Link returns what is known of a link by its index; nil: nothing is known.
	Link func(index int) Link
	// Route returns the index of the link through which the kernel answers a packet that arrives, 0 if there is no
	// route; nil: it is not known.
	Route func(p flow.Packet) (index int, known bool)
	// Own reports whether an address is one of this host; nil: none is.
	Own func(netip.Addr) bool

	socket *rtnl.Socket
	bases  []*chain // the base chains, in the order in which the kernel calls them
	chains map[place]*chain
	sets   map[place]*set
}

// A Link is what rules ask about a link. A zero field is not known.
type Link struct {
	Name, Kind string // Kind: "tun", "bridge", "veth", ...
	Tun        bool   // a tun, whose packets have no Ethernet header
	Addresses  []netip.Addr
}

// A place identifies a chain, a set or a table without a name.
type place struct {
	family      uint8 // NFPROTO_*
	table, name string
}

// A chain is a list of rules. Only a base chain has a hook.
type chain struct {
	place
	base     bool
	hook     uint32
	priority int32
	kind     string // "filter", "nat", "route"
	devices  []string
	drops    bool // the policy of a base chain
	counter  *Counter
	rules    []*rule
}

// A Counter counts packets.
type Counter struct{ Packets, Bytes uint64 }

// A rule is a list of expressions. They are decoded when a packet meets the rule.
type rule struct {
	chain       *chain
	number      int    // from 1
	handle      uint64 // 0: a rule of iptables-legacy
	expressions []byte
	decoded     []expression // nil: not decoded yet
	before      *Counter     // what it had counted when the watch began; nil: count from its start
}

// Read reads the ruleset. It requires CAP_NET_ADMIN over the network namespace. The caller must close the ruleset.
func Read() (*Ruleset, error) {
	s, err := rtnl.Open(unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, err
	}
	rs := &Ruleset{socket: s, chains: map[place]*chain{}, sets: map[place]*set{}}
	if err := rs.read(); err != nil {
		s.Close()
		return nil, err
	}
	rs.readLegacy()
	slices.SortStableFunc(rs.bases, func(a, b *chain) int { return cmp.Compare(a.priority, b.priority) })
	return rs, nil
}

// Since makes the counters of the rules and policies count from those of an older reading of the same ruleset.
func (rs *Ruleset) Since(older *Ruleset) {
	for at, c := range rs.chains {
		before := older.chains[at]
		if before == nil {
			continue
		}
		c.counter = c.counter.since(before.counter)
		for _, r := range c.rules {
			i := slices.IndexFunc(before.rules, r.same)
			if i >= 0 {
				r.before = before.rules[i].counter()
			}
		}
	}
}

// same reports whether a rule of an older reading is the same one. Those of iptables-legacy have no handle.
func (r *rule) same(older *rule) bool {
	return r.handle == older.handle && (r.handle != 0 || r.number == older.number)
}

// since returns how much a counter has grown. One that is smaller was reset.
func (c *Counter) since(before *Counter) *Counter {
	if c == nil || before == nil || c.Packets < before.Packets {
		return c
	}
	return &Counter{Packets: c.Packets - before.Packets, Bytes: c.Bytes - before.Bytes}
}

// Close closes the socket with which sets are read when a packet meets them.
func (rs *Ruleset) Close() { rs.socket.Close() }

// Empty reports whether there is no base chain, so that every packet passes.
func (rs *Ruleset) Empty() bool { return len(rs.bases) == 0 }

// Has reports whether a table has one of these chains.
func (rs *Ruleset) Has(family, table string, chains ...string) bool {
	for at := range rs.chains {
		if families[at.family] == family && at.table == table && slices.Contains(chains, at.name) {
			return true
		}
	}
	return false
}

func (rs *Ruleset) read() error {
	tables, err := rtnl.Dump(rs.socket, ask(unix.NFT_MSG_GETTABLE, 0), decodeTable)
	switch {
	case errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) || err == nil && len(tables) == 0:
		return nil // the kernel has no nftables, or there is no table
	case err != nil:
		return err
	}
	asleep := map[place]bool{}
	for _, t := range tables {
		asleep[t.place] = t.dormant
	}
	chains, err := rtnl.Dump(rs.socket, ask(unix.NFT_MSG_GETCHAIN, 0), decodeChain)
	if err != nil {
		return err
	}
	for _, c := range chains {
		rs.chains[c.place] = c
		if c.base && !asleep[place{c.family, c.table, ""}] {
			rs.bases = append(rs.bases, c)
		}
	}
	// Of chains with the same priority the kernel calls the one that was added last first.
	slices.Reverse(rs.bases)
	if len(rs.bases) == 0 {
		return nil
	}
	sets, err := rtnl.Dump(rs.socket, ask(unix.NFT_MSG_GETSET, 0), decodeSet)
	if err != nil {
		return err
	}
	for _, s := range sets {
		rs.sets[s.place] = s
	}
	return rs.readRules()
}

func (rs *Ruleset) readRules() error {
	_, err := rtnl.Dump(rs.socket, ask(unix.NFT_MSG_GETRULE, 0), func(body []byte) (struct{}, bool) {
		if r, at := decodeRule(body); rs.chains[at] != nil {
			r.chain = rs.chains[at]
			r.number = len(r.chain.rules) + 1
			r.chain.rules = append(r.chain.rules, r)
		}
		return struct{}{}, false
	})
	return err
}

// String names the chain as nft(8) does: ip filter FORWARD.
func (c place) String() string {
	word := families[c.family]
	if word == "" {
		word = "family"
	}
	return strings.TrimSpace(word + " " + c.table + " " + c.name)
}

// families are the words of nft(8) for NFPROTO_*, and the programs that own the other tables.
var families = map[uint8]string{
	unix.NFPROTO_INET: "inet", unix.NFPROTO_IPV4: "ip", unix.NFPROTO_ARP: "arp", unix.NFPROTO_NETDEV: "netdev",
	unix.NFPROTO_BRIDGE: "bridge", unix.NFPROTO_IPV6: "ip6",
	legacyIPv4: "iptables-legacy", legacyIPv6: "ip6tables-legacy",
}
