package netcfg

import (
	"fmt"
	"strings"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/internal/words"
)

// A Step is one change of one device, printable as the ip(8) command that does the same. It does not change after
// planning: plans are compared and printed without a kernel.
type Step struct {
	Kind   StepKind
	Device string // the name, which may contain a %d until the create step has run
	Index  int    // of the device; 0: not created yet

	create  *Spec         // create: mode, access, MAC and the flags of a new device
	link    Link          // link: the properties to set in one request
	address Address       // add-address, remove-address
	Route   Route         // add-route, remove-route
	Rule    rtnl.Rule     // add-rule, remove-rule
	master  *Master       // hold, master
	access  *users.Access // access
	name    string        // rename: the new name
	down    bool          // rename: the kernel renames only devices that are down
	force   bool          // delete: delete even if a program is attached
	old     *Device       // access, delete: the device as it was observed

	doubtful bool // add-route: a deeper look shows whether the kernel refuses the route

	phase phase
}

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
}

// StepKind is the kind of a step: the "step" of a plan in JSON.
type StepKind string

// The kinds of steps.
const (
	StepCreate        StepKind = "create"
	StepLink          StepKind = "link"
	StepAddAddress    StepKind = "add-address"
	StepRemoveAddress StepKind = "remove-address"
	StepAddRoute      StepKind = "add-route"
	StepRemoveRoute   StepKind = "remove-route"
	StepAddRule       StepKind = "add-rule"
	StepRemoveRule    StepKind = "remove-rule"
	StepHold          StepKind = "hold" // set a bridge's own MAC address, so it stays the same
	StepMaster        StepKind = "master"
	StepAccess        StepKind = "access"
	StepRename        StepKind = "rename"
	StepDelete        StepKind = "delete"
)

// phase is the position of a step in a run. All devices finish a phase before any begins the next; a device with a
// failed step begins none. Steps that add come first, then steps that remove, then steps that cannot be undone.
type phase int

const (
	phaseAddRules phase = iota
	phaseRemoveRules
	phaseClear // delete a device that will be re-created
	phaseYield // remove routes that another device of the run will have
	phaseCreate
	phaseAdd
	phaseReplace
	phaseMaster
	phaseDown
	phaseRename
	phaseAccess
	phaseDelete
	phases
)

// String returns the step as the ip(8) command that does it, or as a comment if ip(8) cannot.
func (s Step) String() string {
	dev := words.Quote(s.Device)
	switch s.Kind {
	case StepCreate:
		return "ip tuntap add dev " + dev + " mode " + s.create.Mode.String() + s.create.createWords()
	case StepDelete:
		return "ip link delete dev " + dev
	case StepLink:
		return "ip link set " + linkName(s.Device) + " " + s.link.words()
	case StepAddAddress:
		return "ip addr add " + s.address.String() + " dev " + dev
	case StepRemoveAddress:
		return "ip addr del " + s.address.String() + " dev " + dev
	case StepAddRoute, StepRemoveRoute:
		return s.routeWords(dev)
	case StepAddRule:
		return s.Rule.Command("add")
	case StepRemoveRule:
		return s.Rule.Command("del")
	case StepHold:
		return "ip link set " + linkName(s.master.Name) + " address " + s.master.mac.String()
	case StepMaster:
		if s.master.Name == "" {
			return "ip link set " + linkName(s.Device) + " nomaster"
		}
		return "ip link set " + linkName(s.Device) + " master " + words.Quote(s.master.Name)
	case StepRename:
		return "ip link set " + linkName(s.Device) + " name " + words.Quote(s.name)
	case StepAccess:
		return "# " + fix.Tunadm("set", s.Device, s.access.Flags()...).String() // ip(8) has no command for it
	}
	return "# " + dev + ": " + string(s.Kind)
}

// linkName returns the name in the form that ip link set accepts. The word dev separates it from the command's
// keywords, none of which has a digit.
func linkName(name string) string {
	if strings.ContainsAny(name, "0123456789") && name[0] != '-' {
		return words.Quote(name)
	}
	return "dev " + words.Quote(name)
}

func (s Step) routeWords(dev string) string {
	if s.Kind == StepAddRoute && s.Route.kept.message != nil && !s.Route.kept.plain {
		return "# " + dev + ": route " + s.Route.String() + " as it was"
	}
	verb := "add"
	if s.Kind == StepRemoveRoute {
		verb = "del"
	}
	to, rest, _ := strings.Cut(s.Route.String(), " ")
	if strings.HasPrefix(rest, "via ") {
		via, more, _ := strings.Cut(rest[len("via "):], " ")
		to, rest = to+" via "+via, more
	}
	words := "ip route " + verb + " " + to + " dev " + dev
	if s.Kind == StepAddRoute {
		words += " proto static"
	}
	if rest != "" {
		words += " " + rest
	}
	if s.Route.kept.message == nil && s.Route.Source.IsValid() {
		words += " src " + s.Route.Source.String()
	}
	return words
}

// createWords returns the words of a new device that follow its mode.
func (s *Spec) createWords() string {
	var b strings.Builder
	if s.Access.User != nil {
		b.WriteString(" user " + words.Quote(s.Access.User.String()))
	}
	if s.Access.Group != nil {
		b.WriteString(" group " + words.Quote(s.Access.Group.String()))
	}
	for _, flag := range []struct {
		set  bool
		word string
	}{{s.PI, " pi"}, {s.VnetHdr, " vnet_hdr"}, {s.OneQueue, " one_queue"},
		{s.MultiQueue != nil && *s.MultiQueue, " multi_queue"}} {
		if flag.set {
			b.WriteString(flag.word)
		}
	}
	return b.String()
}

// linkProperties are the properties of a Link, in the order in which they must be set.
var linkProperties = []struct {
	isSet func(Link) bool
	copy  func(to *Link, from Link)
	words func(Link) string // as ip link set accepts the property
}{
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
}

// words returns the properties as ip link set accepts them.
func (l Link) words() string {
	var each []string
	for _, p := range linkProperties {
		if p.isSet(l) {
			each = append(each, p.words(l))
		}
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

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// what returns the name of the property or object that the step changes, for an error.
func (s Step) what() string {
	switch s.Kind {
	case StepLink:
		if s.link.MAC != nil && len(s.link.split()) == 1 {
			return "mac " + s.link.MAC.String() // ip link set calls it address, which means an IP address here
		}
		return s.link.words()
	case StepAddAddress, StepRemoveAddress:
		return "address " + s.address.String()
	case StepAddRoute, StepRemoveRoute:
		return "route " + s.Route.String()
	case StepAddRule, StepRemoveRule:
		return "rule " + s.Rule.Words()
	case StepMaster, StepHold:
		if s.master.Name == "" {
			return "no-master"
		}
		return "master " + words.Escape(s.master.Name)
	case StepRename:
		return "name " + words.Escape(s.name)
	case StepAccess:
		return "access " + words.Escape(s.access.String())
	}
	return ""
}
