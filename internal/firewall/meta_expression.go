package firewall

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// The keys of meta that golang.org/x/sys/unix lacks.
const (
	metaSecurityPath = 25 // NFT_META_SECPATH
	metaKindIn       = 26 // NFT_META_IIFKIND
	metaKindOut      = 27 // NFT_META_OIFKIND
)

// meta reads or writes a property of the packet that is not in its headers.
func meta(r *run, e expression) answer {
	key := e.number(unix.NFTA_META_KEY)
	if _, writes := e.attributes[unix.NFTA_META_SREG]; writes {
		if key == unix.NFT_META_MARK {
			v, _ := r.load(e.number(unix.NFTA_META_SREG), 4)
			r.setMark(v)
			r.say("meta mark set" + markWords(v))
			return yes
		}
		r.say(metaLabel(key).text + " set")
		return yes
	}
	v, exists := r.meta(key)
	if !exists {
		return no
	}
	r.store(e.number(unix.NFTA_META_DREG), v, metaLabel(key))
	return yes
}

// written returns what is known of a property after a rule has written it, which may not apply.
func (r *run) written(before, after value) value {
	if r.sure() {
		return after
	}
	return before.join(after)
}

// meta returns the value of a key. It does not exist if the packet has no such device.
func (w *Walk) meta(key uint32) (v value, exists bool) {
	switch key {
	case unix.NFT_META_IIF:
		return w.index(w.in()), true
	case unix.NFT_META_OIF:
		return w.index(w.out()), true
	case unix.NFT_META_IIFNAME:
		return w.in().value(), true
	case unix.NFT_META_OIFNAME:
		return w.out().value(), true
	case unix.NFT_META_IIFTYPE:
		// The kernel reads the device of the buffer: that which the packet is about to leave through, if any.
		switch {
		case w.hook == Postrouting:
			return w.hardware(w.out())
		case w.hook == Output && w.IPv6():
			return unknown(2), true
		}
		return w.hardware(w.in())
	case unix.NFT_META_OIFTYPE:
		return w.hardware(w.out())
	case metaKindIn:
		return w.kind(w.in())
	case metaKindOut:
		return w.kind(w.out())
	case unix.NFT_META_IIFGROUP:
		return unknown(4), w.in().name != ""
	case unix.NFT_META_OIFGROUP:
		return unknown(4), w.out().name != ""
	case unix.NFT_META_BRI_IIFNAME, unix.NFT_META_BRI_OIFNAME:
		return name(w.Bridge), w.Bridge != ""
	case unix.NFT_META_MARK:
		return w.mark, true
	case unix.NFT_META_PKTTYPE:
		return w.packetType(), true
	case unix.NFT_META_LEN:
		if w.Size > 0 {
			return host(uint32(w.Size)), true
		}
	case unix.NFT_META_NFPROTO:
		return w.family(), true
	case unix.NFT_META_L4PROTO:
		return number8(w.Protocol), !w.arp()
	case unix.NFT_META_PROTOCOL:
		return w.etherType(), true
	case unix.NFT_META_SKUID, unix.NFT_META_SKGID, unix.NFT_META_CGROUP:
		return w.owner(key)
	case metaSecurityPath:
		return known([]byte{0}), true // it was not decrypted by IPsec
	}
	return unknown(16), true
}

// markWords returns a mark that is set, with a space before it; "": it is not known.
func markWords(v value) string {
	if !v.certain() {
		return ""
	}
	return " " + label{kind: hostNumber}.format(nil, v.bits)
}

// A device is one through which the packet arrives or leaves. Without a name it is not known, or there is none.
type device struct {
	name  string
	index int
	none  bool // the packet comes from this host, or goes to it
}

// in returns the device through which the packet arrives.
func (w *Walk) in() device {
	after := w.hook == Output || w.hook == Egress || w.hook == ARPOutput || w.hook == BridgeOutput
	return device{w.In, w.InIndex, w.In == "" || after}
}

// out returns the device through which the packet leaves.
func (w *Walk) out() device {
	before := w.hook <= Input || w.hook == ARPInput || w.hook == BridgePrerouting || w.hook == BridgeInput
	return device{w.Out, w.OutIndex, before}
}

func (d device) value() value {
	switch {
	case d.none:
		return name("")
	case d.name == "":
		return unknown(16)
	}
	return name(d.name)
}

func (w *Walk) index(d device) value {
	switch {
	case d.none:
		return host(0)
	case d.index == 0:
		return unknown(4)
	}
	return host(uint32(d.index))
}

// link returns what is known of a device.
func (w *Walk) link(d device) Link {
	if d.index == 0 || w.rules.Link == nil {
		return Link{}
	}
	return w.rules.Link(d.index)
}

func (w *Walk) kind(d device) (v value, exists bool) {
	l := w.link(d)
	switch {
	case d.none || l.Name != "" && l.Kind == "":
		return v, false
	case l.Kind == "":
		return unknown(16), true
	}
	return name(l.Kind), true
}

// hardware returns the ARPHRD_* number of a device, in the byte order of this host.
func (w *Walk) hardware(d device) (v value, exists bool) {
	l := w.link(d)
	n := uint16(unix.ARPHRD_ETHER)
	switch {
	case d.none:
		return v, false
	case l.Name == "":
		return unknown(2), true
	case l.Kind == "loopback":
		n = unix.ARPHRD_LOOPBACK
	case l.Tun:
		n = unix.ARPHRD_NONE
	case l.Kind != "tun" && l.Kind != "bridge" && l.Kind != "veth":
		return unknown(2), true
	}
	return known(binary.NativeEndian.AppendUint16(nil, n)), true
}

func (w *Walk) packetType() value {
	switch to := w.To; {
	case w.arp() && w.In != "":
		return known([]byte{byte(whether(!w.Established) / yes)}) // PACKET_BROADCAST
	case !to.IsValid() || w.Resolves || w.hook >= BridgePrerouting:
		return unknown(1)
	case to.IsMulticast() && w.In != "":
		return known([]byte{unix.PACKET_MULTICAST})
	case to.Is4() && to.As4() == [4]byte{255, 255, 255, 255} && w.In != "":
		return known([]byte{unix.PACKET_BROADCAST})
	}
	return known([]byte{unix.PACKET_HOST})
}

// family returns the NFPROTO_* of the hook.
func (w *Walk) family() value {
	switch {
	case w.hook == Ingress || w.hook == Egress:
		if w.chain.family == unix.NFPROTO_INET {
			break
		}
		return known([]byte{unix.NFPROTO_NETDEV})
	case w.hook >= BridgePrerouting:
		return known([]byte{unix.NFPROTO_BRIDGE})
	case w.arp():
		return known([]byte{unix.NFPROTO_ARP})
	}
	switch {
	case !w.To.IsValid():
		return unknown(1)
	case w.IPv6():
		return known([]byte{unix.NFPROTO_IPV6})
	}
	return known([]byte{unix.NFPROTO_IPV4})
}

// arp reports whether the packet is an ARP packet.
func (w *Walk) arp() bool { return w.Resolves && !w.IPv6() }

func (w *Walk) etherType() value {
	switch {
	case w.arp():
		return network(unix.ETH_P_ARP)
	case !w.To.IsValid():
		return unknown(2)
	case w.IPv6():
		return network(unix.ETH_P_IPV6)
	}
	return network(unix.ETH_P_IP)
}

// number8 returns a number of one byte, which is not known if it is 0.
func number8(n uint8) value {
	if n == 0 {
		return unknown(1)
	}
	return known([]byte{n})
}

func metaLabel(key uint32) label {
	switch key {
	case unix.NFT_META_IIF:
		return label{text: "iif", kind: linkIndex, device: true}
	case unix.NFT_META_OIF:
		return label{text: "oif", kind: linkIndex, device: true}
	case unix.NFT_META_IIFNAME:
		return label{text: "iifname", kind: linkName, device: true}
	case unix.NFT_META_OIFNAME:
		return label{text: "oifname", kind: linkName, device: true}
	case unix.NFT_META_BRI_IIFNAME:
		return label{text: "ibrname", kind: linkName, device: true}
	case unix.NFT_META_BRI_OIFNAME:
		return label{text: "obrname", kind: linkName, device: true}
	case metaKindIn:
		return label{text: "meta iifkind", kind: linkName}
	case metaKindOut:
		return label{text: "meta oifkind", kind: linkName}
	case unix.NFT_META_L4PROTO:
		return label{text: "meta l4proto", kind: protocol}
	case unix.NFT_META_MARK:
		return label{text: "meta mark", kind: hostNumber}
	case unix.NFT_META_LEN:
		return label{text: "meta length", kind: hostNumber}
	case unix.NFT_META_PKTTYPE:
		return label{text: "meta pkttype"}
	case unix.NFT_META_NFPROTO:
		return label{text: "meta nfproto", kind: family}
	case unix.NFT_META_PROTOCOL:
		return label{text: "meta protocol"}
	case unix.NFT_META_SKUID:
		return label{text: "meta skuid", kind: decimalNumber}
	case unix.NFT_META_SKGID:
		return label{text: "meta skgid", kind: decimalNumber}
	case unix.NFT_META_CGROUP:
		return label{text: "meta cgroup", kind: decimalNumber}
	case metaSecurityPath:
		return label{text: "meta ipsec"}
	case unix.NFT_META_IIFGROUP:
		return label{text: "iifgroup", kind: hostNumber}
	case unix.NFT_META_OIFGROUP:
		return label{text: "oifgroup", kind: hostNumber}
	}
	return label{text: "meta key " + decimal(uint64(key))}
}
