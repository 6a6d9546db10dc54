package netcfg

import (
	"fmt"
	"strings"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/words"
)

// Link is a set of link properties. A nil field leaves the property unchanged.
type Link struct {
	MTU        *int // bytes
	MAC        link.MAC
	TxQueueLen *int // packets
	Alias      *string
	Promisc    *bool
	Multicast  *bool
	Up         *bool
	linkGroup  *uint32 // see ip link set group; restored after a killed delete, and by an undo
	Settings   rtnl.Settings
}

// A linkProperty is a property of a Link.
type linkProperty struct {
	isSet func(Link) bool
	copy  func(to *Link, from Link)
	words func(Link) string // as ip link set accepts the property
}

// linkProperties are the properties of a Link, in the order in which they must be set.
var linkProperties = append([]linkProperty{
	{func(l Link) bool { return l.MTU != nil }, func(to *Link, from Link) { to.MTU = from.MTU },
		func(l Link) string { return fmt.Sprintf("mtu %d", *l.MTU) }},
	{func(l Link) bool { return l.MAC != nil }, func(to *Link, from Link) { to.MAC = from.MAC },
		func(l Link) string { return "address " + l.MAC.String() }},
	{func(l Link) bool { return l.TxQueueLen != nil }, func(to *Link, from Link) { to.TxQueueLen = from.TxQueueLen },
		func(l Link) string { return fmt.Sprintf("txqueuelen %d", *l.TxQueueLen) }},
	{func(l Link) bool { return l.Alias != nil }, func(to *Link, from Link) { to.Alias = from.Alias },
		func(l Link) string { return "alias " + words.Quote(*l.Alias) }},
	{func(l Link) bool { return l.Promisc != nil }, func(to *Link, from Link) { to.Promisc = from.Promisc },
		func(l Link) string { return "promisc " + onOff(*l.Promisc) }},
	{func(l Link) bool { return l.Multicast != nil }, func(to *Link, from Link) { to.Multicast = from.Multicast },
		func(l Link) string { return "multicast " + onOff(*l.Multicast) }},
	{func(l Link) bool { return l.linkGroup != nil }, func(to *Link, from Link) { to.linkGroup = from.linkGroup },
		func(l Link) string { return fmt.Sprintf("group %d", *l.linkGroup) }},
	{func(l Link) bool { return l.Up != nil }, func(to *Link, from Link) { to.Up = from.Up },
		func(l Link) string { return map[bool]string{true: "up", false: "down"}[*l.Up] }},
}, settingProperties()...)

// settingProperties returns the properties that are settings of a bridge or a port.
func settingProperties() (all []linkProperty) {
	for i := range len(rtnl.Settings{}) {
		all = append(all, linkProperty{func(l Link) bool { return l.Settings[i] != nil },
			func(to *Link, from Link) { to.Settings[i] = from.Settings[i] },
			func(l Link) string { return rtnl.Setting(i).Words(*l.Settings[i]) }})
	}
	return all
}

// words returns the properties as ip link set accepts them.
func (l Link) words() string {
	var each []string
	kind := ""
	for i, p := range linkProperties {
		if !p.isSet(l) {
			continue
		}
		if s := rtnl.Setting(i - len(linkProperties) + len(l.Settings)); s >= 0 && kind == "" {
			kind = map[bool]string{true: "type bridge_slave", false: "type bridge"}[s.OfPort()]
			each = append(each, kind)
		}
		each = append(each, p.words(l))
	}
	return strings.Join(each, " ")
}

// split returns the properties of the set singly, in the order in which they must be set.
func (l Link) split() (singly []Link) {
	for _, p := range linkProperties {
		if p.isSet(l) {
			var one Link
			p.copy(&one, l)
			singly = append(singly, one)
		}
	}
	return singly
}
