package firewall

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/files"
)

// The families of the tables of iptables-legacy, which have the names of those of iptables-nft.
const (
	legacyIPv4 = 0x80 | unix.NFPROTO_IPV4
	legacyIPv6 = 0x80 | unix.NFPROTO_IPV6
)

// A legacyKind is the interface of the kernel for one family: that of linux/netfilter_ipv4/ip_tables.h or
// linux/netfilter_ipv6/ip6_tables.h.
type legacyKind struct {
	family, file    string // "ip"; below /proc/net
	number          uint8
	domain, level   int
	header, counter int // the sizes of struct ipt_get_entries, and of struct ipt_entry up to its counters
	match           legacyMatch
}

// legacyKinds returns the families that can be read. In the structures of a 386 program, numbers of 8 bytes begin at
// multiples of 4.
func legacyKinds() []legacyKind {
	header, ipv6 := 40, 152
	if runtime.GOARCH == "386" {
		header, ipv6 = 36, 148
	}
	return []legacyKind{
		{"ip", "ip_tables_names", legacyIPv4, unix.AF_INET, unix.SOL_IP, header, 96,
			legacyMatch{size: 4, interfaces: 16, protocol: 80, flags: 82, from: 12, to: 16, fragment: 1, goes: 2}},
		{"ip6", "ip6_tables_names", legacyIPv6, unix.AF_INET6, unix.SOL_IPV6, header, ipv6,
			legacyMatch{size: 16, interfaces: 64, protocol: 128, flags: 131, from: 8, to: 24, goes: 4}},
	}
}

// readLegacy reads the tables of iptables-legacy that exist. Asking for another one would make the kernel create it.
func (rs *Ruleset) readLegacy() {
	for _, k := range legacyKinds() {
		names, err := files.Read("/proc/thread-self/net/" + k.file)
		if errors.Is(err, fs.ErrPermission) {
			rs.Unread = append(rs.Unread, k.family+": "+unix.EACCES.Error())
		}
		for _, table := range strings.Fields(string(names)) {
			if err := rs.legacyTable(k, table); err != nil {
				rs.Unread = append(rs.Unread, k.family+" "+table+": "+err.Error())
			}
		}
	}
	names, _ := files.Read("/proc/thread-self/net/arp_tables_names")
	for _, table := range strings.Fields(string(names)) {
		rs.Unread = append(rs.Unread, "arp "+table)
	}
}

// A legacyInfo is struct ipt_getinfo.
type legacyInfo struct {
	name             [32]byte
	hooks            uint32    // a bit for each NF_INET_*
	start, underflow [5]uint32 // the places of the chain and of its policy
	entries, size    uint32
}

// legacyTable reads a table.
func (rs *Ruleset) legacyTable(k legacyKind, table string) error {
	fd, err := unix.Socket(k.domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	const getInfo, getEntries, attempts = 64, 65, 5 // IPT_SO_GET_INFO, IPT_SO_GET_ENTRIES
	for range attempts {
		var info legacyInfo
		copy(info.name[:], table)
		err = getOption(fd, k.level, getInfo, unsafe.Slice((*byte)(unsafe.Pointer(&info)), unsafe.Sizeof(info)))
		if err != nil {
			return err
		}
		b := make([]byte, k.header+int(info.size))
		copy(b, table)
		binary.NativeEndian.PutUint32(b[32:], info.size)
		if err = getOption(fd, k.level, getEntries, b); err == nil {
			return rs.addLegacy(k, table, info, b[k.header:])
		}
		if !errors.Is(err, unix.EAGAIN) { // the table has grown
			return err
		}
	}
	return err
}

// getOption reads a socket option whose value also is the request.
func getOption(fd, level, option int, b []byte) error {
	size := uint32(len(b))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(option),
		uintptr(unsafe.Pointer(&b[0])), uintptr(unsafe.Pointer(&size)), 0)
	switch {
	case errno != 0:
		return errno
	case int(size) != len(b):
		return unix.EAGAIN
	}
	return nil
}

// addLegacy converts the entries of a table into chains and rules.
func (rs *Ruleset) addLegacy(k legacyKind, table string, info legacyInfo, b []byte) error {
	entries, err := k.split(b)
	if err != nil {
		return err
	}
	chains, names := map[int]*chain{}, map[int]string{} // by the place of their first entry
	add := func(at int, name string) *chain {
		c := &chain{place: place{k.number, table, name}}
		chains[at], names[at], rs.chains[c.place] = c, name, c
		return c
	}
	policies := map[int]*chain{}
	for hook, name := range []string{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"} {
		if info.hooks&(1<<hook) == 0 {
			continue
		}
		c := add(int(info.start[hook]), name)
		c.base, c.hook, c.priority = true, uint32(hook), legacyPriority(table, name)
		c.kind = map[string]string{"nat": "nat", "mangle": "route"}[table]
		if c.kind == "route" && name != "OUTPUT" || c.kind == "" {
			c.kind = "filter"
		}
		policies[int(info.underflow[hook])] = c
		rs.bases = append(rs.bases, c)
	}
	for _, e := range entries {
		if name, begins := e.label(); begins && e.next < len(b) {
			add(e.next, name)
		}
	}
	var c *chain
	for _, e := range entries {
		if begins := chains[e.at]; begins != nil {
			c = begins
		}
		if p := policies[e.at]; p != nil {
			p.drops, p.counter = e.verdict() == -1-nfDrop, e.count()
			c = nil
			continue
		}
		if _, label := e.label(); label || c == nil {
			c = nil
			continue
		}
		r := &rule{chain: c, number: len(c.rules) + 1, decoded: k.expressions(e, names)}
		c.rules = append(c.rules, r)
	}
	return nil
}

// legacyPriority returns the priority of a chain (NF_IP_PRI_*).
func legacyPriority(table, chain string) int32 {
	switch table {
	case "raw":
		return -300
	case "mangle":
		return -150
	case "nat":
		if chain == "INPUT" || chain == "POSTROUTING" {
			return 100
		}
		return -100
	case "security":
		return 50
	}
	return 0
}

// A legacyEntry is struct ipt_entry with its matches and its target.
type legacyEntry struct {
	at, next int // its place in the table, and that of the next entry
	head     []byte
	counters []byte
	matches  []legacyPart
	target   legacyPart
}

// A legacyPart is struct xt_entry_match or xt_entry_target.
type legacyPart struct {
	name     string
	revision uint8
	data     []byte
}

// split divides a table into its entries.
func (k legacyKind) split(b []byte) (all []legacyEntry, err error) {
	const counters, part = 16, 32
	size := k.counter + counters
	for at := 0; at < len(b); {
		e := legacyEntry{at: at}
		if at+size > len(b) {
			return nil, fmt.Errorf("entry at %d: %w", at, unix.EINVAL)
		}
		head := k.counter - 8 // target_offset and next_offset come before comefrom
		if k.number == legacyIPv6 {
			head = 140
		}
		target := int(binary.NativeEndian.Uint16(b[at+head:]))
		e.next = at + int(binary.NativeEndian.Uint16(b[at+head+2:]))
		if e.next > len(b) || target < size || at+target+part > e.next {
			return nil, fmt.Errorf("entry at %d: %w", at, unix.EINVAL)
		}
		e.head, e.counters = b[at:at+k.counter], b[at+k.counter:at+size]
		for from := at + size; from+part <= at+target; {
			length := int(binary.NativeEndian.Uint16(b[from:]))
			if length < part || from+length > at+target {
				return nil, fmt.Errorf("match at %d: %w", from, unix.EINVAL)
			}
			e.matches = append(e.matches, decodePart(b[from:from+length]))
			from += length
		}
		e.target = decodePart(b[at+target : e.next])
		all, at = append(all, e), e.next
	}
	return all, nil
}

func decodePart(b []byte) legacyPart {
	name, _, _ := bytes.Cut(b[2:31], []byte{0})
	return legacyPart{string(name), b[31], slices.Clone(b[32:])}
}

// label returns the name of the chain that begins after the entry, if it is the beginning of one, or the end of the
// table.
func (e legacyEntry) label() (name string, is bool) {
	if e.target.name != "ERROR" {
		return "", false
	}
	b, _, _ := bytes.Cut(e.target.data, []byte{0})
	return string(b), true
}

// verdict returns the number of a standard target: the place to jump to, or -1 - NF_*.
func (e legacyEntry) verdict() int { return int(int32(info(e.target.data).long(0))) }

func (e legacyEntry) count() *Counter {
	return &Counter{Packets: binary.NativeEndian.Uint64(e.counters), Bytes: binary.NativeEndian.Uint64(e.counters[8:])}
}
