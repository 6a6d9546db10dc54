package netcfg

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/poll"
)

// The tables among which a detour looks for an empty one. Few have a name for them.
const (
	detourTable    = 200
	detourTableMax = 250
)

// toTable is FR_ACT_TO_TBL: the action of a rule that names a table.
const toTable = 1

// PlanDetour finds the turns between two devices, with priorities and a table that nobody uses. It changes nothing.
func (ns *Namespace) PlanDetour(a, b DetourEnd) (*Detour, error) {
	var rules []Rule
	firsts := map[int][]byte{}
	for _, ip := range a.Addresses {
		messages, err := ns.ruleMessages(familyOf(ip))
		if err != nil {
			return nil, fmt.Errorf("read rules: %w", err)
		}
		for i, m := range messages {
			r, _ := decodeRule(m)
			switch plain := plainLocal(m); {
			case i == 0 && plain != nil:
				firsts[familyOf(ip)] = plain
			case i == 0, r.Priority == 0:
				return nil, &Error{Detail: fmt.Sprintf("the first rule for IPv%d is not the kernel's own alone, but %q", version(ip), r.Words())}
			}
			rules = append(rules, r)
		}
		if firsts[familyOf(ip)] == nil {
			return nil, &Error{Detail: fmt.Sprintf("there is no rule for IPv%d", version(ip))}
		}
	}
	d := &Detour{}
	var err error
	if d.Priorities, err = detourPriorities(rules); err != nil {
		return nil, err
	}
	if d.Table, err = ns.emptyTable(rules); err != nil {
		return nil, err
	}
	for _, ip := range a.Addresses {
		same := func(o netip.Addr) bool { return o.Is4() == ip.Is4() }
		if i := slices.IndexFunc(b.Addresses, same); i >= 0 {
			d.lead(ip, b.Addresses[i], a, b, firsts[familyOf(ip)])
		}
	}
	return d, nil
}

// lead adds the turns of one family.
func (d *Detour) lead(from, to netip.Addr, a, b DetourEnd, local []byte) {
	family, p := familyOf(from), d.Priorities
	rule := func(priority uint32, in string, table uint32, words string) Turn {
		return Turn{IPv6: from.Is6(), Words: fmt.Sprintf("pref %d %s", priority, words), Message: ruleMessage(family, priority, in, table, unix.RTPROT_STATIC)}
	}
	route := func(to, source netip.Addr, e DetourEnd) Turn {
		words := fmt.Sprintf("%s dev %s proto static src %s table %d", to, Word(e.Device), source, d.Table)
		return Turn{IPv6: from.Is6(), Route: true, Words: words, Message: detourRoute(to, source, e.Index, d.Table)}
	}
	table := fmt.Sprintf("lookup %d", d.Table)
	d.Turns = append(d.Turns,
		rule(p[2], "", tableLocal, "lookup local protocol static"),
		rule(p[0], a.Device, tableLocal, "iif "+Word(a.Device)+" lookup local protocol static"),
		rule(p[0], b.Device, tableLocal, "iif "+Word(b.Device)+" lookup local protocol static"),
		route(to, from, a),
		route(from, to, b),
		rule(p[1], "lo", d.Table, "iif lo "+table+" protocol static"), // what is forwarded goes as ever
		Turn{IPv6: from.Is6(), Remove: true, Words: "pref 0 lookup local", Message: local},
	)
}

func familyOf(ip netip.Addr) int {
	if ip.Is6() {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

func version(ip netip.Addr) int {
	if ip.Is6() {
		return 6
	}
	return 4
}

// emptyTable is a table in which there is no route, and which no rule names.
func (ns *Namespace) emptyTable(rules []Rule) (uint32, error) {
	for table := uint32(detourTable); table <= detourTableMax; table++ {
		if slices.ContainsFunc(rules, func(r Rule) bool { return r.Table == table }) {
			continue
		}
		taken := false
		for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
			ask := rtnl.Request(unix.RTM_GETROUTE, 0, &nl.RtMsg{RtMsg: unix.RtMsg{Family: uint8(family)}}, nl.NewRtAttr(unix.RTA_TABLE, nl.Uint32Attr(table)))
			found, err := rtnl.Dump(ns.socket, ask, func(body []byte) (bool, bool) { return true, routeTable(body) == table })
			if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EOPNOTSUPP) { // there is no such table, or no IPv6
				return 0, fmt.Errorf("read routes of table %d: %w", table, err)
			}
			taken = taken || len(found) > 0
		}
		if !taken {
			return table, nil
		}
	}
	return 0, &Error{Detail: fmt.Sprintf("no routing table from %d to %d is empty", detourTable, detourTableMax)}
}

func routeTable(body []byte) uint32 {
	if len(body) < unix.SizeofRtMsg {
		return 0
	}
	for kind, value := range rtnl.Attributes(body[unix.SizeofRtMsg:]) {
		if kind == unix.RTA_TABLE {
			return rtnl.Uint32(value)
		}
	}
	return uint32(body[4])
}

// detourRoute is the message of a route to one address, with the source that a program gets that asks for none.
func detourRoute(to, source netip.Addr, index int, table uint32) []byte {
	msg := &nl.RtMsg{RtMsg: unix.RtMsg{
		Family: uint8(familyOf(to)), Dst_len: uint8(to.BitLen()), Protocol: unix.RTPROT_STATIC, Scope: unix.RT_SCOPE_LINK, Type: unix.RTN_UNICAST,
	}}
	if to.Is6() {
		msg.Scope = unix.RT_SCOPE_UNIVERSE
	}
	return body(msg, nl.NewRtAttr(unix.RTA_DST, to.AsSlice()), nl.NewRtAttr(unix.RTA_OIF, nl.Uint32Attr(uint32(index))),
		nl.NewRtAttr(unix.RTA_PREFSRC, source.AsSlice()), nl.NewRtAttr(unix.RTA_TABLE, nl.Uint32Attr(table)))
}

// ruleMessage is the message of a rule that leads what comes in through a device, or all, to a table.
func ruleMessage(family int, priority uint32, in string, table uint32, protocol uint8) []byte {
	parts := []nl.NetlinkRequestData{
		&nl.RtMsg{RtMsg: unix.RtMsg{Family: uint8(family), Table: uint8(table), Type: toTable}},
		nl.NewRtAttr(nl.FRA_PRIORITY, nl.Uint32Attr(priority)), nl.NewRtAttr(nl.FRA_TABLE, nl.Uint32Attr(table)),
		nl.NewRtAttr(nl.FRA_PROTOCOL, []byte{protocol}),
	}
	if in != "" {
		parts = append(parts, nl.NewRtAttr(nl.FRA_IIFNAME, nl.ZeroTerminated(in)))
	}
	return body(parts...)
}

func body(parts ...nl.NetlinkRequestData) (b []byte) {
	for _, p := range parts {
		b = append(b, p.Serialize()...)
		for len(b)%unix.NLMSG_ALIGNTO != 0 {
			b = append(b, 0)
		}
	}
	return b
}

// ruleMessages are the rules of a family as the kernel tells them.
func (ns *Namespace) ruleMessages(family int) ([][]byte, error) {
	return rtnl.Dump(ns.socket, rtnl.Request(unix.RTM_GETRULE, 0, &nl.RtMsg{RtMsg: unix.RtMsg{Family: uint8(family)}}), func(body []byte) ([]byte, bool) {
		return slices.Clone(body), len(body) >= unix.SizeofRtMsg
	})
}

// plainLocal is the message that brings back the kernel's first rule, if this is it: all to table local, at priority 0. Else nil.
func plainLocal(message []byte) []byte {
	var protocol uint8
	for kind, value := range rtnl.Attributes(message[unix.SizeofRtMsg:]) {
		if kind == nl.FRA_PROTOCOL && len(value) == 1 {
			protocol = value[0]
		}
	}
	if local := ruleMessage(int(message[0]), 0, "", tableLocal, protocol); ruleKey(local) == ruleKey(message) {
		return local
	}
	return nil
}

// ruleKey is all that a rule says, in one form: the kernel leaves out what is zero, and adds what it takes for granted.
func ruleKey(message []byte) string {
	if len(message) < unix.SizeofRtMsg {
		return ""
	}
	header := slices.Clone(message[:unix.SizeofRtMsg])
	binary.NativeEndian.PutUint32(header[8:], rtnl.Uint32(header[8:])&^detachedFlags)
	var parts []string
	for kind, value := range rtnl.Attributes(message[unix.SizeofRtMsg:]) {
		granted := kind == nl.FRA_PRIORITY && rtnl.Uint32(value) == 0 || kind == nl.FRA_PAD ||
			(kind == nl.FRA_SUPPRESS_PREFIXLEN || kind == nl.FRA_SUPPRESS_IFGROUP) && rtnl.Uint32(value) == ^uint32(0)
		if !granted {
			parts = append(parts, fmt.Sprintf("%d:%x", kind, value))
		}
	}
	slices.Sort(parts)
	return fmt.Sprintf("%x %s", header, strings.Join(parts, " "))
}

// Divert does the turns. Log is told of each. When one fails, the rest is not done, and [Namespace.Restore] takes back what was.
func (ns *Namespace) Divert(ctx context.Context, turns []Turn, log func(Turn)) error {
	for _, t := range turns {
		if ctx.Err() != nil {
			return &Error{Cause: Interrupted}
		}
		err := ns.turn(t)
		// An IPv6 address takes a moment until it can be a source, also where nobody is asked whether it is his.
		for wait := time.Millisecond; t.Route && t.IPv6 && errors.Is(err, unix.EINVAL) && wait < time.Second; wait *= 2 {
			poll.Sleep(wait)
			err = ns.turn(t)
		}
		if err != nil {
			return &Error{What: t.String(), Err: err}
		}
		log(t)
	}
	return nil
}

// Restore takes back the turns, the last first, those that were done and are there still. Without the host's own rule nothing else of
// its family is taken.
func (ns *Namespace) Restore(turns []Turn, log func(Turn)) (err error) {
	stuck := map[bool]bool{}
	for _, t := range slices.Backward(turns) {
		back := t.Undo()
		if stuck[t.IPv6] {
			continue
		}
		there, lookErr := ns.there(t)
		if lookErr != nil || there == !back.Remove {
			err, stuck[t.IPv6] = errors.Join(err, lookErr), lookErr != nil
			continue
		}
		switch failed := ns.turn(back); {
		case back.Route && (errors.Is(failed, unix.ESRCH) || errors.Is(failed, unix.ENODEV)): // gone with its device
		case failed != nil:
			err, stuck[t.IPv6] = errors.Join(err, &Error{What: back.String(), Err: failed}), !back.Remove
		default:
			log(back)
		}
	}
	return err
}

// there says whether the very rule is there; of the kernel's first rule, whether anybody brought it back. Of a route, which the kernel itself
// compares in all, it is taken for granted.
func (ns *Namespace) there(t Turn) (bool, error) {
	if t.Route {
		return true, nil
	}
	if len(t.Message) < unix.SizeofRtMsg {
		return false, nil
	}
	messages, err := ns.ruleMessages(int(t.Message[0]))
	if err != nil {
		return false, fmt.Errorf("read rules: %w", err)
	}
	key := ruleKey(t.Message)
	return slices.ContainsFunc(messages, func(m []byte) bool { return ruleKey(m) == key || t.Remove && plainLocal(m) != nil }), nil
}

// turn does one.
func (ns *Namespace) turn(t Turn) error {
	kind, flags := unix.RTM_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_EXCL
	switch {
	case t.Route && t.Remove:
		kind, flags = unix.RTM_DELROUTE, 0
	case t.Route:
		kind = unix.RTM_NEWROUTE
	case t.Remove:
		kind, flags = unix.RTM_DELRULE, 0
	}
	r := rtnl.Request(kind, unix.NLM_F_ACK|flags)
	r.RawData = t.Message
	return ns.socket.Do(r, nil)
}
