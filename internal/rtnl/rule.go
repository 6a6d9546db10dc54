package rtnl

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A Rule is a policy rule, see ip-rule(8).
type Rule struct {
	IPv6     bool
	Priority uint32
	From, To netip.Prefix // invalid: any
	In, Out  string       // devices; "": any
	Detached bool         // In or Out does not exist
	Table    uint32       // 0: none
	Mark     uint32       // the firewall mark; 0: any, unless there is a Mask
	Mask     uint32       // the bits of Mark that count; 0: all
	TOS      uint8
	IPProto  uint8     // IPPROTO_*; 0: any
	FromPort [2]uint16 // the first and the last one; 0: any
	ToPort   [2]uint16 // the first and the last one; 0: any
	ByUID    bool      // the rule has UIDs
	UIDs     [2]uint32 // of the sending program, the first and the last one
	VRF      bool      // look up the table of the packet's VRF (l3mdev) instead of Table
	Not      bool      // the conditions must not match
	Suppress int       // ignore routes with a prefix of at most this length, plus 1; 0: none
	Goto     uint32    // the priority at which the look-up continues; 0: none
	Action   string    // "prohibit" and the like, or "nop"; "": look up Table
	Protocol uint8     // the origin, such as kernel or static; it decides nothing
	Odd      bool      // the rule has conditions or actions that the other fields cannot express
}

// Actions maps the kernel's types of rules and routes that discard packets to their names.
var Actions = map[uint8]string{
	unix.RTN_BLACKHOLE: "blackhole", unix.RTN_UNREACHABLE: "unreachable", unix.RTN_PROHIBIT: "prohibit",
}

// Words returns the rule as ip rule add and ip rule del accept it.
func (r Rule) Words() string { return fix.Command{Words: r.words()}.String() }

func (r Rule) words() []string {
	words := []string{"pref", strconv.FormatUint(uint64(r.Priority), 10)}
	if r.Not {
		words = append(words, "not")
	}
	mark := fmt.Sprintf("%#x", r.Mark)
	if r.Mask != 0 {
		mark += fmt.Sprintf("/%#x", r.Mask)
	}
	for _, part := range []struct {
		given       bool
		word, value string
	}{
		{r.From.IsValid(), "from", r.From.String()}, {r.To.IsValid(), "to", r.To.String()},
		{r.TOS != 0, "tos", fmt.Sprintf("%#x", r.TOS)}, {r.Mark != 0 || r.Mask != 0, "fwmark", mark},
		{r.In != "", "iif", r.In}, {r.Out != "", "oif", r.Out},
		{r.ByUID, "uidrange", fmt.Sprintf("%d-%d", r.UIDs[0], r.UIDs[1])},
		{r.IPProto != 0, "ipproto", strconv.Itoa(int(r.IPProto))},
		{r.FromPort[1] != 0, "sport", portWords(r.FromPort)}, {r.ToPort[1] != 0, "dport", portWords(r.ToPort)},
		{r.Table != 0 && !r.VRF, "lookup", tableWord(r.Table)},
		{r.Suppress != 0, "suppress_prefixlength", strconv.Itoa(r.Suppress - 1)},
		{r.Goto != 0, "goto", strconv.FormatUint(uint64(r.Goto), 10)}, {r.Action != "", "type", r.Action},
	} {
		if part.given {
			words = append(words, part.word, part.value)
		}
	}
	if r.VRF {
		words = append(words, "l3mdev")
	}
	return words
}

// portWords returns a range of ports as ip rule prints it.
func portWords(r [2]uint16) string {
	if r[0] == r[1] {
		return strconv.Itoa(int(r[0]))
	}
	return fmt.Sprintf("%d-%d", r[0], r[1])
}

// tableWord returns a table as ip rule prints it.
func tableWord(table uint32) string {
	if table == unix.RT_TABLE_LOCAL {
		return "local"
	}
	return strconv.FormatUint(uint64(table), 10)
}

// Delete returns the command that deletes the rule. If only a part of the rule is known, it returns a command that
// prints the rule.
func (r Rule) Delete() fix.Fix {
	ip := []string{"ip"}
	if r.IPv6 {
		ip = append(ip, "-6")
	}
	if r.Odd {
		show := append(ip, "rule", "show", "pref", strconv.FormatUint(uint64(r.Priority), 10))
		return fix.Fix{Before: "inspect the rule: ", Commands: []fix.Command{{Words: show, Namespace: true}}}
	}
	return fix.Run(fix.InNamespace(append(append(ip, "rule", "del"), r.words()...)...))
}

// FRA_SPORT_MASK and FRA_DPORT_MASK, since Linux 6.15.
const (
	fraFromPortMask = 28
	fraToPortMask   = 29
)

// detachedFlags are set if a rule names a device that does not exist.
const detachedFlags = unix.FIB_RULE_IIF_DETACHED | unix.FIB_RULE_OIF_DETACHED

// Unmarshal reads the body of a message, a struct fib_rule_hdr, which is as long as a struct rtmsg. It returns false if
// the body is too short.
func (r *Rule) Unmarshal(body []byte) bool {
	if len(body) < unix.SizeofRtMsg {
		return false
	}
	*r = Rule{IPv6: body[0] == unix.AF_INET6, Table: uint32(body[4]), TOS: body[3], Action: Actions[body[7]]}
	flags := Uint32(body[8:])
	r.Detached, r.Not = flags&detachedFlags != 0, flags&unix.FIB_RULE_INVERT != 0
	switch {
	case body[7] == unix.FR_ACT_NOP:
		r.Action = "nop"
	case body[7] != unix.FR_ACT_TO_TBL && body[7] != unix.FR_ACT_GOTO:
		r.Odd = r.Action == ""
	}
	for kind, value := range Attributes(body[unix.SizeofRtMsg:]) {
		r.read(kind, value, body)
	}
	return true
}

// read reads an attribute of a rule.
func (r *Rule) read(kind uint16, value, body []byte) {
	const none = 0xffffffff
	ip, _ := netip.AddrFromSlice(value)
	switch kind {
	case nl.FRA_PRIORITY:
		r.Priority = Uint32(value)
	case nl.FRA_SRC:
		r.From = netip.PrefixFrom(ip, int(body[2]))
	case nl.FRA_DST:
		r.To = netip.PrefixFrom(ip, int(body[1]))
	case nl.FRA_IIFNAME:
		r.In = text(value)
	case nl.FRA_OIFNAME:
		r.Out = text(value)
	case nl.FRA_TABLE:
		r.Table = Uint32(value)
	case nl.FRA_GOTO:
		r.Goto = Uint32(value)
	case nl.FRA_FWMARK:
		r.Mark = Uint32(value)
	case nl.FRA_FWMASK:
		if mask := Uint32(value); mask != none {
			r.Mask = mask
		}
	case nl.FRA_SUPPRESS_PREFIXLEN:
		if length := Uint32(value); length != none {
			r.Suppress = int(length) + 1
		}
	case nl.FRA_SUPPRESS_IFGROUP:
		r.Odd = r.Odd || Uint32(value) != none
	case nl.FRA_PROTOCOL:
		r.Protocol = firstByte(value)
	case fraFromPortMask, fraToPortMask:
		r.Odd = r.Odd || Uint16(value) != 0xffff
	case nl.FRA_FLOW: // the realm of the packet, which selects no route
	case nl.FRA_IP_PROTO:
		r.IPProto = firstByte(value)
	case nl.FRA_SPORT_RANGE:
		r.FromPort = [2]uint16{Uint16(value), Uint16(value[min(2, len(value)):])}
	case nl.FRA_DPORT_RANGE:
		r.ToPort = [2]uint16{Uint16(value), Uint16(value[min(2, len(value)):])}
	case nl.FRA_UID_RANGE:
		if uids := [2]uint32{Uint32(value), Uint32(value[min(4, len(value)):])}; uids != [2]uint32{0, none} {
			r.ByUID, r.UIDs = true, uids
		}
	case nl.FRA_L3MDEV:
		r.VRF = firstByte(value) != 0
	default:
		r.Odd = true
	}
}

// Same reports whether two rules are the same, with the same protocol if that matters.
func (r Rule) Same(o Rule, protocol bool) bool {
	r.Detached, o.Detached = false, false
	if !protocol {
		r.Protocol, o.Protocol = 0, 0
	}
	return r == o
}

// Plain returns the rule without its protocol, which does not decide about any packet.
func (r Rule) Plain() Rule {
	r.Protocol, r.Detached = 0, false
	return r
}

// Marshal returns the request to add or to remove the rule. It sends In, Table, Priority and Protocol alone.
func (r Rule) Marshal(remove bool) *nl.NetlinkRequest {
	verb, flags := unix.RTM_NEWRULE, unix.NLM_F_ACK|unix.NLM_F_CREATE|unix.NLM_F_EXCL
	if remove {
		verb, flags = unix.RTM_DELRULE, unix.NLM_F_ACK
	}
	msg := &nl.RtMsg{RtMsg: unix.RtMsg{Family: unix.AF_INET, Type: unix.FR_ACT_TO_TBL}}
	if r.IPv6 {
		msg.Family = unix.AF_INET6
	}
	to := Request(verb, flags, msg, nl.NewRtAttr(nl.FRA_PRIORITY, nl.Uint32Attr(r.Priority)),
		nl.NewRtAttr(nl.FRA_TABLE, nl.Uint32Attr(r.Table)), nl.NewRtAttr(nl.FRA_PROTOCOL, []byte{r.Protocol}))
	if r.In != "" {
		to.AddData(nl.NewRtAttr(nl.FRA_IIFNAME, nl.ZeroTerminated(r.In)))
	}
	return to
}

// Command returns the command of ip(8) that adds or deletes the rule; the verb is add or del.
func (r Rule) Command(verb string) string {
	family := ""
	if r.IPv6 {
		family = "-6 "
	}
	words := r.Words()
	if r.Protocol == unix.RTPROT_STATIC {
		words += " protocol static"
	}
	return "ip " + family + "rule " + verb + " " + words
}

// Rules reads the rules of both families in the kernel's order, IPv4 first.
func Rules(s *Socket) ([]Rule, error) {
	var all []Rule
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		ask := Request(unix.RTM_GETRULE, 0, &nl.RtMsg{RtMsg: unix.RtMsg{Family: uint8(family)}})
		rules, err := Dump(s, ask, func(body []byte) (r Rule, ok bool) { ok = r.Unmarshal(body); return r, ok })
		if err != nil && !errors.Is(err, unix.EOPNOTSUPP) {
			return nil, fmt.Errorf("read rules: %w", err)
		}
		all = append(all, rules...)
	}
	return all, nil
}
