package firewall

import (
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/flow"
)

// A Hook is a place at which the kernel calls the base chains.
type Hook uint8

// The hooks. Those of a bridge are for frames that it forwards or receives.
const (
	Ingress Hook = iota
	Prerouting
	Input
	Forward
	Output
	Postrouting
	Egress
	ARPInput
	ARPOutput
	BridgePrerouting
	BridgeInput
	BridgeForward
	BridgeOutput
	BridgePostrouting
)

// An Action is what the ruleset does with a packet.
type Action uint8

// The actions. MayDrop: it depends on what is not known of the packet, or on an expression that is not understood.
const (
	Pass Action = iota
	MayDrop
	Drop
	Reject
)

func (a Action) String() string { return [...]string{"pass", "may drop", "drop", "reject"}[a] }

// A Verdict is the answer of one hook. Unless the action is Pass, it names the rule or the policy.
type Verdict struct {
	Action Action
	Family string // the words of nft(8): "inet", "ip", ...; "iptables-legacy", "ip6tables-legacy"
	Table  string
	Chain  string
	Base   string   // the base chain that led to it
	Handle uint64   // 0: it has none
	Number int      // of the rule in its chain, from 1
	Rule   string   // in the words of nft(8), as far as it is understood
	Policy bool     // the policy of the chain, not a rule
	Named  bool     // a condition on the way to it names the device
	Count  *Counter // nil: neither the rule nor the policy counts
	Doubt  string   // why the answer is not certain: the first rule that is not understood
	MAC    bool     // all doubts are about MAC addresses
	Return bool     // a doubt is about the route back to the source
}

// A Walk is the way of one packet through the hooks. A hook sees what those before it have changed.
type Walk struct {
	rules *Ruleset
	flow.Packet
	hook       Hook
	chain      *chain // the base chain
	mark       value
	ctMark     value
	untracked  bool // a rule has taken the packet out of connection tracking
	mayUntrack bool // that is not known
	always     bool // rules cannot do that
	headers    headers
	rewritten  bool           // a rule has written to the addresses
	source     answer         // is the source translated?
	target     answer         // is the destination translated?
	origin     netip.Addr     // the new source, if it is known
	goal       netip.AddrPort // the new destination, if it is known
	changes    []change
	doubt      string // the first rule that is not understood, in this hook
	causes     causes // of the doubts
}

// Walk begins the way of a packet.
func (rs *Ruleset) Walk(p flow.Packet) *Walk {
	w := &Walk{rules: rs, Packet: p, mark: host(p.Mark), ctMark: host(0)}
	if p.Established {
		w.ctMark = unknown(4)
	}
	w.headers = headersOf(w)
	return w
}

// An outcome is one possible end of the way through a base chain.
type outcome struct {
	action Action
	rule   *rule // nil: the policy
	words  string
	doubt  string
	causes causes
	named  bool
}

// Hook lets the packet pass a hook. If chains drop it, the verdict is that of the first; otherwise that of the first
// which may drop it.
func (w *Walk) Hook(h Hook) Verdict {
	all := w.Drops(h)
	for _, v := range all {
		if v.Action > MayDrop {
			return v
		}
	}
	if len(all) > 0 {
		return all[0]
	}
	return Verdict{}
}

// Drops lets the packet pass a hook. It returns the verdict of each base chain that drops it or may drop it, as if
// those before had accepted it.
func (w *Walk) Drops(h Hook) (all []Verdict) {
	w.hook = h
	if h == Forward && w.Bridge == "" {
		w.forwarded()
	}
	for _, c := range w.rules.at(h, w.Packet) {
		if c.kind == "nat" && (w.Established || w.TooBig || w.Invalid || w.untracked) {
			continue // only the first packet of a connection meets it
		}
		w.chain, w.doubt, w.causes = c, "", causes{}
		drops, passes := w.base(c)
		if len(drops) == 0 {
			continue
		}
		v := w.verdict(c, drops[0])
		if passes {
			v.Action = MayDrop
		}
		all = append(all, v)
	}
	return all
}

// base evaluates a base chain. It returns the ways in which the packet may be dropped, and whether it may pass.
func (w *Walk) base(c *chain) (drops []outcome, passes bool) {
	outcomes, falls := w.through(c, path{sure: true})
	if falls {
		outcomes = append(outcomes, outcome{action: policy(c), doubt: w.doubt, causes: w.causes})
	}
	for _, o := range outcomes {
		switch o.action {
		case Drop, Reject:
			drops = append(drops, o)
		case MayDrop:
			drops, passes = append(drops, o), true
		default:
			passes = true
		}
	}
	return drops, passes
}

func policy(c *chain) Action {
	if c.drops {
		return Drop
	}
	return Pass
}

func (w *Walk) verdict(c *chain, o outcome) Verdict {
	v := Verdict{Action: o.action, Family: families[c.family], Table: c.table, Chain: c.name, Base: c.name,
		Policy: o.rule == nil, Count: c.counter, Doubt: o.doubt, Named: o.named,
		MAC: o.causes.mac && !o.causes.other, Return: o.causes.back}
	if o.rule != nil {
		v.Chain, v.Handle, v.Number, v.Rule = o.rule.chain.name, o.rule.handle, o.rule.number, o.words
		v.Count = o.rule.counter()
	}
	return v
}

// A path is how the packet came to a rule.
type path struct {
	depth int
	sure  bool // every condition on the way is known to be true
	named bool // a condition on the way names the device
}

// deepest is the kernel's limit of nested jumps (NFT_JUMP_STACK_SIZE).
const deepest = 16

// through evaluates the rules of a chain. It returns the possible ends, and whether the packet may reach the end of the
// chain.
func (w *Walk) through(c *chain, p path) (found []outcome, falls bool) {
	if p.depth > deepest {
		return nil, true
	}
	returns := false
	for _, r := range c.rules {
		run := w.rule(r, p)
		if run.match == no {
			continue
		}
		if run.match == maybe {
			p.sure = false
		}
		open := run.match == maybe || len(run.verdicts) == 0
		for _, v := range run.verdicts {
			ends, on := w.follow(run, v, p)
			found = append(found, ends...)
			switch {
			case v.code == unix.NFT_RETURN || v.code == unix.NFT_GOTO && on:
				returns = true
			case on:
				open = true
				p.sure = p.sure && len(ends) == 0
			}
		}
		if !open {
			return found, returns
		}
	}
	return found, true
}

// follow carries out one verdict of a rule. It reports whether the packet may come back to the chain.
func (w *Walk) follow(r *run, v verdict, p path) (ends []outcome, on bool) {
	p.named = p.named || r.named
	switch v.code {
	case unix.NFT_JUMP, unix.NFT_GOTO:
		p.depth, p.sure = p.depth+1, p.sure && r.match == yes
		if to := w.rules.chains[place{r.rule.chain.family, r.rule.chain.table, v.chain}]; to != nil {
			return w.through(to, p)
		}
		return nil, true
	case unix.NFT_CONTINUE, unix.NFT_BREAK, unix.NFT_RETURN:
		return nil, true
	}
	return []outcome{{action: v.action, rule: r.rule, words: r.text(v), doubt: w.doubt, causes: w.causes,
		named: p.named}}, false
}

// at returns the base chains of a hook for a packet.
func (rs *Ruleset) at(h Hook, p flow.Packet) (all []*chain) {
	number := uint32(0)
	var fits []uint8
	switch {
	case h == Ingress || h == Egress:
		number, fits = uint32(whether(h == Egress))/uint32(yes), []uint8{unix.NFPROTO_NETDEV}
	case h == ARPInput || h == ARPOutput:
		number, fits = uint32(h-ARPInput), []uint8{unix.NFPROTO_ARP}
	case h >= BridgePrerouting:
		number, fits = uint32(h-BridgePrerouting), []uint8{unix.NFPROTO_BRIDGE}
	case p.IPv6():
		number, fits = uint32(h-Prerouting), []uint8{unix.NFPROTO_INET, unix.NFPROTO_IPV6, legacyIPv6}
	default:
		number, fits = uint32(h-Prerouting), []uint8{unix.NFPROTO_INET, unix.NFPROTO_IPV4, legacyIPv4}
	}
	const inetIngress = 5 // NF_INET_INGRESS
	for _, c := range rs.bases {
		switch {
		case slices.Contains(fits, c.family) && c.hook == number && c.on(h, p),
			h == Ingress && c.family == unix.NFPROTO_INET && c.hook == inetIngress && c.on(h, p):
			all = append(all, c)
		}
	}
	return all
}

// on reports whether a chain that is bound to devices is bound to the one of the packet.
func (c *chain) on(h Hook, p flow.Packet) bool {
	dev := p.In
	switch h {
	case Egress:
		dev = p.Out
	case Ingress:
	default:
		return true
	}
	return slices.ContainsFunc(c.devices, func(d string) bool {
		prefix, wild := strings.CutSuffix(d, "*")
		return d == dev || wild && strings.HasPrefix(dev, prefix)
	})
}
