package rtnl

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A LinkChange is a set of link properties to change. A nil field leaves the property unchanged.
type LinkChange struct {
	MTU        *int // bytes
	MAC        link.MAC
	TxQueueLen *int // packets
	Alias      *string
	Promisc    *bool
	Multicast  *bool
	Up         *bool
	Group      *uint32 // see ip link set group; restored after a killed delete, and by an undo
	Settings   Settings
}

// A linkProperty is a property of a LinkChange.
type linkProperty struct {
	isSet func(LinkChange) bool
	copy  func(to *LinkChange, from LinkChange)
	words func(LinkChange) string // as ip link set accepts the property
}

// linkProperties are the properties of a LinkChange, in the order in which they must be set.
var linkProperties = append([]linkProperty{
	{func(l LinkChange) bool { return l.MTU != nil }, func(to *LinkChange, from LinkChange) { to.MTU = from.MTU },
		func(l LinkChange) string { return fmt.Sprintf("mtu %d", *l.MTU) }},
	{func(l LinkChange) bool { return l.MAC != nil }, func(to *LinkChange, from LinkChange) { to.MAC = from.MAC },
		func(l LinkChange) string { return "address " + l.MAC.String() }},
	{func(l LinkChange) bool { return l.TxQueueLen != nil },
		func(to *LinkChange, from LinkChange) { to.TxQueueLen = from.TxQueueLen },
		func(l LinkChange) string { return fmt.Sprintf("txqueuelen %d", *l.TxQueueLen) }},
	{func(l LinkChange) bool { return l.Alias != nil }, func(to *LinkChange, from LinkChange) { to.Alias = from.Alias },
		func(l LinkChange) string { return "alias " + words.Quote(*l.Alias) }},
	{func(l LinkChange) bool { return l.Promisc != nil },
		func(to *LinkChange, from LinkChange) { to.Promisc = from.Promisc },
		func(l LinkChange) string { return "promisc " + onOff(*l.Promisc) }},
	{func(l LinkChange) bool { return l.Multicast != nil },
		func(to *LinkChange, from LinkChange) { to.Multicast = from.Multicast },
		func(l LinkChange) string { return "multicast " + onOff(*l.Multicast) }},
	{func(l LinkChange) bool { return l.Group != nil }, func(to *LinkChange, from LinkChange) { to.Group = from.Group },
		func(l LinkChange) string { return fmt.Sprintf("group %d", *l.Group) }},
	{func(l LinkChange) bool { return l.Up != nil }, func(to *LinkChange, from LinkChange) { to.Up = from.Up },
		func(l LinkChange) string { return map[bool]string{true: "up", false: "down"}[*l.Up] }},
}, settingProperties()...)

// settingProperties returns the properties that are settings of a bridge or a port.
func settingProperties() (all []linkProperty) {
	for i := range len(Settings{}) {
		all = append(all, linkProperty{func(l LinkChange) bool { return l.Settings[i] != nil },
			func(to *LinkChange, from LinkChange) { to.Settings[i] = from.Settings[i] },
			func(l LinkChange) string { return Setting(i).Words(*l.Settings[i]) }})
	}
	return all
}

// Words returns the properties as ip link set accepts them.
func (l LinkChange) Words() string {
	var each []string
	kind := ""
	for i, p := range linkProperties {
		if !p.isSet(l) {
			continue
		}
		if s := Setting(i - len(linkProperties) + len(l.Settings)); s >= 0 && kind == "" {
			kind = map[bool]string{true: "type bridge_slave", false: "type bridge"}[s.OfPort()]
			each = append(each, kind)
		}
		each = append(each, p.words(l))
	}
	return strings.Join(each, " ")
}

// Empty reports whether the set has no properties.
func (l *LinkChange) Empty() bool {
	return !slices.ContainsFunc(linkProperties, func(p linkProperty) bool { return p.isSet(*l) })
}

// Split returns the properties of the set singly, in the order in which they must be set.
func (l LinkChange) Split() (singly []LinkChange) {
	for _, p := range linkProperties {
		if p.isSet(l) {
			var one LinkChange
			p.copy(&one, l)
			singly = append(singly, one)
		}
	}
	return singly
}

// Restore adds to l the properties that made has changed, with their values before. With STP, the kernel bounds the
// delay of a bridge.
func (l *LinkChange) Restore(made, before LinkChange) {
	for _, p := range linkProperties {
		if p.isSet(made) {
			p.copy(l, before)
		}
	}
	if made.Settings[STP] != nil {
		l.Settings[ForwardDelay] = before.Settings[ForwardDelay]
	}
}

// Marshal returns the request that changes the properties of a link.
func (l LinkChange) Marshal(index int) *nl.NetlinkRequest {
	r := ChangeLink(index)
	msg := r.Data[0].(*nl.IfInfomsg)
	flag := func(set *bool, bit uint32) {
		if set != nil {
			msg.Change |= bit
			if *set {
				msg.Flags |= bit
			}
		}
	}
	flag(l.Promisc, unix.IFF_PROMISC)
	flag(l.Multicast, unix.IFF_MULTICAST)
	flag(l.Up, unix.IFF_UP)
	if l.MTU != nil {
		r.AddData(nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(*l.MTU))))
	}
	if l.MAC != nil {
		r.AddData(nl.NewRtAttr(unix.IFLA_ADDRESS, l.MAC))
	}
	if l.TxQueueLen != nil {
		r.AddData(nl.NewRtAttr(unix.IFLA_TXQLEN, nl.Uint32Attr(uint32(*l.TxQueueLen))))
	}
	if l.Alias != nil {
		r.AddData(nl.NewRtAttr(unix.IFLA_IFALIAS, []byte(*l.Alias)))
	}
	if l.Group != nil {
		r.AddData(nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(*l.Group)))
	}
	for _, ofPort := range []bool{false, true} {
		if data := l.Settings.Data(ofPort); data != nil {
			r.AddData(data)
		}
	}
	return r
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
