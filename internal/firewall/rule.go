package firewall

import (
	"bytes"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"
)

// The verdicts of netfilter that x/sys/unix lacks.
const (
	nfDrop   = 0
	nfAccept = 1
	nfQueue  = 3
)

// A verdict is what a rule decides.
type verdict struct {
	code   int32  // NF_* or NFT_*
	chain  string // of a jump
	action Action
	word   string // "": that of the action
}

func decodeVerdict(a attributes) verdict {
	v := verdict{code: int32(a.number(unix.NFTA_VERDICT_CODE)), chain: a.text(unix.NFTA_VERDICT_CHAIN)}
	switch v.code & 0xff {
	case nfDrop:
		v.action = Drop
	case nfAccept:
		v.action = Pass
	default:
		v.action = MayDrop // a queue: the program that reads it decides
	}
	return v
}

// A run is the evaluation of one rule.
type run struct {
	*Walk
	rule     *rule
	path     path
	match    answer
	verdicts []verdict // empty: none; several: one of them, which is not known
	named    bool
	registers
	words   []string
	changed []Property // of the packet, for certain

	conditions *[]condition   // the values for which it asks; nil: they are not noted
	leads      netip.AddrPort // the destination to which it translates, if it applies
}

// rule evaluates one rule.
func (w *Walk) rule(r *rule, p path) *run {
	run := &run{Walk: w, rule: r, path: p, match: yes}
	run.value = unknown(64)
	for _, e := range r.decode() {
		run.match = min(run.match, understood(e.name)(run, e))
		if run.match == no || len(run.verdicts) > 0 {
			break
		}
	}
	if run.match == yes {
		w.noteChanges(run)
	}
	return run
}

// understood returns the function of an expression. Its answer is no if the rule does not apply, and maybe if that is
// not known.
func understood(name string) func(*run, expression) answer {
	switch name {
	case "immediate":
		return immediate
	case "cmp":
		return comparison
	case "range":
		return rangeOf
	case "bitwise":
		return bitwise
	case "byteorder":
		return byteorder
	case "lookup":
		return lookup
	case "meta":
		return meta
	case "payload":
		return payload
	case "ct":
		return conntrack
	case "rt":
		return routing
	case "socket":
		return socket
	case "tproxy":
		return tproxy
	case "fib":
		return fib
	case "match":
		return xtMatch
	case "target":
		return xtTarget
	case "objref":
		return object
	case "dynset":
		return dynset
	case "log", "counter", "last", "notrack", "dup", "flow_offload":
		return aside
	case "reject", "nat", "masq", "redir", "queue", "fwd", "synproxy":
		return action
	}
	return strange
}

// strange is an expression that is not understood. It may have written any register.
func strange(r *run, e expression) answer {
	r.say(e.name)
	r.value = unknown(len(r.bits))
	return r.wonder(e.name)
}

// wonder notes that it is not known whether a rule applies.
func (r *run) wonder(why string) answer {
	r.causes.other = true
	return r.doubts(why)
}

// lacks notes that a property of the packet is not known.
func (r *run) lacks(l label) answer {
	switch {
	case l.kind == macAddress:
		r.causes.mac = true
	case l.back:
		r.causes.back, r.causes.other = true, true
	default:
		r.causes.other = true
	}
	return r.doubts(l.text + " is not known")
}

// causes are the kinds of doubts in a base chain.
type causes struct{ mac, back, other bool }

func (r *run) doubts(why string) answer {
	if r.doubt == "" {
		r.doubt = "rule " + r.rule.place() + ": " + why
	}
	return maybe
}

// sure reports whether the rule is known to apply, as far as it was evaluated.
func (r *run) sure() bool { return r.path.sure && r.match == yes }

func immediate(r *run, e expression) answer {
	register := e.number(unix.NFTA_IMMEDIATE_DREG)
	data := parse(e.attributes[unix.NFTA_IMMEDIATE_DATA])
	if v := parse(data[unix.NFTA_DATA_VERDICT]); register == unix.NFT_REG_VERDICT && len(v) > 0 {
		r.verdicts = append(r.verdicts, decodeVerdict(v))
		return yes
	}
	r.store(register, known(data[unix.NFTA_DATA_VALUE]), label{})
	return yes
}

func comparison(r *run, e expression) answer {
	data := e.data(unix.NFTA_CMP_DATA)
	v, l := r.load(e.number(unix.NFTA_CMP_SREG), len(data))
	op := e.number(unix.NFTA_CMP_OP)
	less, more := v.order(data)
	is := [...]answer{v.equals(data), v.equals(data).not(), less, more.not(), more, less.not()}
	if op >= uint32(len(is)) {
		return strange(r, e)
	}
	r.compare(l, [...]string{"", "!= ", "< ", "<= ", "> ", ">= "}[op]+l.format(r.rules, data))
	switch op {
	case unix.NFT_CMP_EQ:
		r.wants(l, data)
	case unix.NFT_CMP_GTE:
		r.wantsFrom(l, data)
	}
	return r.judge(l, is[op], op == unix.NFT_CMP_EQ)
}

// judge notes why a comparison is not certain, and whether it names the device.
func (r *run) judge(l label, is answer, positive bool) answer {
	if is == maybe {
		return r.lacks(l)
	}
	r.named = r.named || positive && is == yes && l.identifies()
	return is
}

func rangeOf(r *run, e expression) answer {
	from, to := e.data(unix.NFTA_RANGE_FROM_DATA), e.data(unix.NFTA_RANGE_TO_DATA)
	v, l := r.load(e.number(unix.NFTA_RANGE_SREG), len(from))
	is, not := v.within(from, to), ""
	if e.number(unix.NFTA_RANGE_OP) == unix.NFT_RANGE_NEQ {
		is, not = is.not(), "!= "
	}
	if not == "" {
		r.wantsFrom(l, from)
	}
	r.compare(l, not+l.format(r.rules, from)+"-"+l.format(r.rules, to))
	return r.judge(l, is, not == "")
}

func byteorder(r *run, e expression) answer {
	n := int(e.number(unix.NFTA_BYTEORDER_LEN))
	v, l := r.load(e.number(unix.NFTA_BYTEORDER_SREG), n)
	if bigEndian() {
		r.store(e.number(unix.NFTA_BYTEORDER_DREG), v, l)
		return yes
	}
	l.swapped = !l.swapped
	r.store(e.number(unix.NFTA_BYTEORDER_DREG), v.swap(int(e.number(unix.NFTA_BYTEORDER_SIZE))), l)
	return yes
}

// bigEndian reports the byte order of this host.
func bigEndian() bool { return bytes.Equal(host(1).bits, []byte{0, 0, 0, 1}) }

func lookup(r *run, e expression) answer {
	s := r.rules.sets[place{r.rule.chain.family, r.rule.chain.table, e.text(unix.NFTA_LOOKUP_SET)}]
	if s == nil {
		return strange(r, e)
	}
	v, _ := r.load(e.number(unix.NFTA_LOOKUP_SREG), s.length)
	l := r.joined(e.number(unix.NFTA_LOOKUP_SREG), s.length)
	found, is := r.rules.find(s, v)
	not := e.number(unix.NFTA_LOOKUP_FLAGS)&unix.NFT_LOOKUP_F_INV != 0
	if not {
		is = is.not()
	}
	_, writes := e.attributes[unix.NFTA_LOOKUP_DREG]
	register := e.number(unix.NFTA_LOOKUP_DREG)
	switch {
	case writes && register == unix.NFT_REG_VERDICT:
		r.say(l.text + " vmap " + s.words(l, r.rules))
		for _, e := range found {
			r.verdicts = append(r.verdicts, e.verdict)
		}
	case writes:
		r.store(register, either(found), label{text: l.text + " map " + s.words(l, r.rules)})
	default:
		r.compare(l, map[bool]string{true: "!= "}[not]+s.words(l, r.rules))
		if !not {
			r.wantsElement(l, s)
		}
	}
	return r.judge(l, is, !not)
}

// place names a rule for a reader of nft -a list ruleset.
func (r *rule) place() string {
	if r.handle == 0 {
		return decimal(uint64(r.number)) + " of " + r.chain.place.String()
	}
	return "handle " + decimal(r.handle) + " of " + r.chain.place.String()
}

// text returns the rule in the words of nft(8), with its verdict.
func (r *run) text(v verdict) string { return r.sentence(v.words()) }

// sentence returns the rule in the words of nft(8), with that of its verdict; "": it has none.
func (r *run) sentence(end string) string {
	var all []string
	for i, word := range r.words {
		if i+1 == len(r.words) || !implied(word, r.words[i+1]) {
			all = append(all, word)
		}
	}
	if end != "" {
		all = append(all, end)
	}
	return strings.Join(all, " ")
}

// implied reports whether the condition after it includes a condition, so that nft does not print it.
func implied(word, next string) bool {
	switch word {
	case "meta nfproto ipv4":
		return strings.HasPrefix(next, "ip ") || strings.HasPrefix(next, "meta l4proto icmp")
	case "meta nfproto ipv6":
		return strings.HasPrefix(next, "ip6 ") || strings.HasPrefix(next, "meta l4proto ipv6-icmp")
	case "meta l4proto icmp":
		return strings.HasPrefix(next, "icmp ")
	case "meta l4proto ipv6-icmp":
		return strings.HasPrefix(next, "icmpv6 ")
	}
	protocol, found := strings.CutPrefix(word, "meta l4proto ")
	return found && strings.HasPrefix(next, protocol+" ")
}
