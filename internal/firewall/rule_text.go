package firewall

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A label is what a register holds, for the text of a rule.
type label struct {
	text    string // "iifname", "ip saddr", ...
	kind    kind
	device  bool // it identifies a device
	back    bool // it is about the route back to the source
	swapped bool // from the byte order of this host
	mask    []byte
	size    int // of an address of which only the first bytes were read; 0: all
}

// A kind is how a value is written.
type kind uint8

const (
	hexadecimal kind = iota
	linkName
	linkIndex
	address
	bigNumber // in network byte order
	operation // of ARP
	hostNumber
	decimalNumber // as hostNumber
	protocol      // IPPROTO_*
	state         // of connection tracking
	family        // NFPROTO_*
	icmpType
	macAddress
)

// identifies reports whether a value is that of one device or of one host.
func (l label) identifies() bool { return l.device || l.kind == address || l.kind == macAddress }

// say adds words to the text of the rule.
func (r *run) say(text string) { r.words = append(r.words, text) }

// compare adds a condition to the text of the rule.
func (r *run) compare(l label, text string) {
	if l.mask != nil && l.kind == state && strings.HasPrefix(text, "!= ") && strings.HasSuffix(text, " 0x00000000") {
		r.say(l.text + " " + states(binary.NativeEndian.Uint32(l.mask)))
		return
	}
	if l.text == "" {
		l.text = "?"
	}
	r.say(l.text + " " + text)
}

// masked returns the label of a value of which some bits were selected.
func (l label) masked(mask, flip []byte) label {
	if l.kind == address || l.kind == state {
		l.mask = mask
		return l
	}
	l.text += " & " + hostOrder(l, mask)
	for _, b := range flip {
		if b != 0 {
			l.text += fmt.Sprintf(" ^ 0x%x", flip)
			break
		}
	}
	return l
}

// format writes a value in the words of nft(8).
func (l label) format(rs *Ruleset, data []byte) string {
	number := uint64(0)
	for _, b := range data {
		number = number<<8 | uint64(b)
	}
	switch {
	case l.kind == linkName && len(data) <= 16:
		text, rest, _ := strings.Cut(string(data), "\x00")
		if len(data) < 16 && rest == "" && !strings.HasSuffix(string(data), "\x00") {
			text += "*"
		}
		return strconv.Quote(text)
	case l.kind == linkIndex && len(data) == 4 && !l.swapped:
		index := binary.NativeEndian.Uint32(data)
		if rs.Link != nil {
			if link := rs.Link(int(index)); link.Name != "" {
				return strconv.Quote(link.Name)
			}
		}
		return decimal(uint64(index))
	case l.kind == address && l.size > len(data):
		if ip, ok := netip.AddrFromSlice(append(data[:len(data):len(data)], make([]byte, l.size-len(data))...)); ok {
			return ip.String() + "/" + strconv.Itoa(len(data)*8)
		}
	case l.kind == address:
		if ip, ok := netip.AddrFromSlice(data); ok {
			return ip.String() + prefixLength(l.mask)
		}
	case l.kind == macAddress && len(data) == 6:
		return net.HardwareAddr(data).String()
	case l.kind == bigNumber || l.swapped:
		return decimal(number)
	case l.kind == family && len(data) == 1 && families[data[0]] != "":
		return map[uint8]string{unix.NFPROTO_IPV4: "ipv4", unix.NFPROTO_IPV6: "ipv6"}[data[0]]
	case l.kind == operation && number > 0 && number <= 2:
		return [...]string{"", "request", "reply"}[number]
	case l.kind == icmpType && len(data) == 1:
		return icmpName(data[0])
	case l.kind == protocol && len(data) == 1:
		return protocolName(data[0])
	case l.kind == decimalNumber && len(data) == 4 && !l.swapped:
		return decimal(uint64(binary.NativeEndian.Uint32(data)))
	case (l.kind == hostNumber || l.kind == state) && len(data) == 4:
		if n := binary.NativeEndian.Uint32(data); l.kind == hostNumber || n == 0 {
			return fmt.Sprintf("0x%08x", n)
		}
		return states(binary.NativeEndian.Uint32(data))
	}
	return fmt.Sprintf("0x%x", data)
}

// prefixLength returns the length of a network prefix with its slash, or "".
func prefixLength(mask []byte) string {
	ones := 0
	for _, b := range mask {
		ones += bits.OnesCount8(b)
	}
	if len(mask) == 0 || ones == len(mask)*8 {
		return ""
	}
	return "/" + strconv.Itoa(ones)
}

// hostOrder writes a mask.
func hostOrder(l label, mask []byte) string {
	if l.kind == hostNumber && len(mask) == 4 {
		return fmt.Sprintf("0x%08x", binary.NativeEndian.Uint32(mask))
	}
	return fmt.Sprintf("0x%x", mask)
}

func icmpName(n byte) string {
	names := map[byte]string{0: "echo-reply", 3: "destination-unreachable", 8: "echo-request", 2: "packet-too-big",
		128: "echo-request", 129: "echo-reply", 135: "nd-neighbor-solicit", 136: "nd-neighbor-advert"}
	if names[n] != "" {
		return names[n]
	}
	return decimal(uint64(n))
}

func protocolName(n uint8) string {
	switch n {
	case unix.IPPROTO_ICMP:
		return "icmp"
	case unix.IPPROTO_TCP:
		return "tcp"
	case unix.IPPROTO_UDP:
		return "udp"
	case unix.IPPROTO_ICMPV6:
		return "ipv6-icmp"
	}
	return decimal(uint64(n))
}

// states names the bits of ct state.
func states(set uint32) string {
	var all []string
	for i, word := range []string{"invalid", "established", "related", "new", "", "", "untracked"} {
		if set&(1<<i) != 0 && word != "" {
			all = append(all, word)
		}
	}
	return strings.Join(all, ",")
}

// words names a set: by its name, or an anonymous one by its elements.
func (s *set) words(l label, rs *Ruleset) string {
	if s.flags&unix.NFT_SET_ANONYMOUS == 0 {
		return "@" + s.name
	}
	const most = 4
	rs.load(s)
	var all []string
	for _, e := range s.elements {
		if e.flags&unix.NFT_SET_ELEM_INTERVAL_END != 0 || len(e.key) == 0 {
			continue
		}
		if len(all) == most {
			all = append(all, "...")
			break
		}
		text := l.format(rs, e.key)
		if word := e.verdict.words(); e.verdict.code != 0 || e.verdict.action != Pass {
			text += " : " + word
		}
		all = append(all, text)
	}
	return "{ " + strings.Join(all, ", ") + " }"
}

// joined returns the label of a key, which may be the concatenation of several values.
func (r *run) joined(register uint32, length int) label {
	at := offset(register)
	if at < 0 {
		return label{}
	}
	l := r.label[at/4]
	for slot := at/4 + 1; slot < (at+length+3)/4 && slot < len(r.label); slot++ {
		if next := r.label[slot]; next.text != "" && length > 4 && l.length() <= (slot-at/4)*4 {
			l = label{text: l.text + " . " + next.text, device: l.device || next.device}
		}
	}
	return l
}

// length returns the least number of bytes that a value of the kind fills.
func (l label) length() int {
	if l.kind == linkName {
		return 16
	}
	return 1
}

// words returns a verdict in the words of nft(8).
func (v verdict) words() string {
	switch v.code {
	case unix.NFT_CONTINUE:
		return "continue"
	case unix.NFT_RETURN:
		return "return"
	case unix.NFT_JUMP:
		return "jump " + v.chain
	case unix.NFT_GOTO:
		return "goto " + v.chain
	}
	if v.word != "" {
		return v.word
	}
	return map[Action]string{Pass: "accept", Drop: "drop", Reject: "reject", MayDrop: "queue"}[v.action]
}

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }
