package netcfg

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/sysctl"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/internal/words"
)

// A Step is one change of one device, printable as the ip(8) command that does the same. It does not change after
// planning: plans are compared and printed without a kernel.
type Step struct {
	Kind   StepKind
	Device string // the name, which may contain a %d until the create step has run
	Index  int    // of the device; 0: not created yet

	create  *Spec      // create: mode, access, MAC and the flags of a new device
	link    *Link      // link: the properties to set in one request; see properties
	address *Address   // add-address, remove-address
	Route   *Route     // add-route, remove-route
	Rule    *rtnl.Rule // add-rule, remove-rule
	master  *Master    // hold, master
	vlan    rtnl.VLAN  // add-vlan, remove-vlan
	sysctl  *sysctl.Setting
	ports   []string      // delete: the ports that may leave the bridge
	access  *users.Access // access
	name    string        // rename: the new name
	down    bool          // rename: the kernel renames only devices that are down
	force   bool          // delete: delete even if a program is attached
	old     *Device       // access, delete, sysctl: the device as it was observed

	doubtful bool // add-route: a deeper look shows whether the kernel refuses the route

	phase phase
}

// properties returns the properties that a link step sets. Other steps set none.
func (s *Step) properties() Link {
	if s.link == nil {
		return Link{}
	}
	return *s.link
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
	StepAddVLAN       StepKind = "add-vlan"
	StepRemoveVLAN    StepKind = "remove-vlan"
	StepSysctl        StepKind = "sysctl"
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
	phaseSysctl
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
		if s.NewBridge() != nil {
			return "ip link add " + linkName(s.Device) + " type bridge"
		}
		return "ip tuntap add dev " + dev + " mode " + s.create.Mode.String() + s.create.createWords()
	case StepDelete:
		return "ip link delete dev " + dev
	case StepLink:
		return "ip link set " + linkName(s.Device) + " " + s.link.Words()
	case StepAddAddress:
		return "ip addr add " + s.address.Words() + " dev " + dev + rtnl.AddressWords(s.address.kept.message, s.Device)
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
	case StepSysctl:
		return "sysctl -w " + s.sysctl.Words(s.Device)
	case StepAddVLAN:
		return "bridge vlan add dev " + dev + " " + s.vlan.Words()
	case StepRemoveVLAN:
		return fmt.Sprintf("bridge vlan del dev %s vid %d", dev, s.vlan.ID)
	case StepRename:
		return "ip link set " + linkName(s.Device) + " name " + words.Quote(s.name)
	case StepAccess:
		return "# " + fix.Tunadm("set", s.Device, s.access.Flags()...).String() // ip(8) has no command for it
	}
	return "# " + dev + ": " + string(s.Kind)
}

// Last reports whether the step runs after all others of a run.
func (s Step) Last() bool { return s.phase == phaseDelete }

// linkName returns the name in the form that ip link set accepts. The word dev separates it from the command's
// keywords, none of which has a digit.
func linkName(name string) string {
	if strings.ContainsAny(name, "0123456789") && name[0] != '-' {
		return words.Quote(name)
	}
	return "dev " + words.Quote(name)
}

func (s Step) routeWords(dev string) string {
	more, whole := rtnl.RouteWords(s.Route.kept.message)
	if s.Kind == StepAddRoute && s.Route.kept.message != nil && !s.Route.kept.plain && !(s.Route.kept.moved && whole) {
		return "# " + dev + ": route " + s.Route.String() + " as it was"
	}
	verb, protocol := "add", "static"
	switch {
	case s.Kind == StepRemoveRoute:
		verb = "del"
	case s.Route.kept.moved:
		verb, protocol = "append", strconv.Itoa(int(s.Route.kept.message[5])) // rtm_protocol
	}
	to, rest, _ := strings.Cut(s.Route.String(), " ")
	if strings.HasPrefix(rest, "via ") {
		via, more, _ := strings.Cut(rest[len("via "):], " ")
		to, rest = to+" via "+via, more
	}
	words := "ip route " + verb + " " + to + " dev " + dev
	if s.Kind == StepAddRoute {
		words += " proto " + protocol
	}
	if rest != "" {
		words += " " + rest
	}
	if (s.Route.kept.message == nil || s.Route.kept.moved) && s.Route.Source.IsValid() {
		words += " src " + s.Route.Source.String()
	}
	if s.Route.kept.moved && s.Kind == StepAddRoute {
		words += more
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

// What returns the name of the property or object that the step changes, for an error.
func (s Step) What() string {
	switch s.Kind {
	case StepLink:
		if s.link.MAC != nil && len(s.link.Split()) == 1 {
			return "mac " + s.link.MAC.String() // ip link set calls it address, which means an IP address here
		}
		return s.link.Words()
	case StepAddAddress, StepRemoveAddress:
		return "address " + s.address.Words()
	case StepAddRoute, StepRemoveRoute:
		return "route " + s.Route.String()
	case StepAddRule, StepRemoveRule:
		return "rule " + s.Rule.Words()
	case StepMaster, StepHold:
		if s.master.Name == "" {
			return "no-master"
		}
		return "master " + words.Escape(s.master.Name)
	case StepSysctl:
		return "sysctl " + s.sysctl.Name() + "=" + words.Escape(s.sysctl.Value)
	case StepAddVLAN, StepRemoveVLAN:
		return fmt.Sprintf("vlan %d", s.vlan.ID)
	case StepRename:
		return "name " + words.Escape(s.name)
	case StepAccess:
		return "access " + words.Escape(s.access.String())
	}
	return ""
}
