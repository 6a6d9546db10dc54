// Package doctor finds the reason why a device does not work, or why a user cannot attach to it. It only reads: it
// changes nothing, attaches to no device and sends no packet.
package doctor

import (
	"net/netip"
	"slices"
	"time"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/files"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/netcfg"
)

// A Level is the severity of a finding.
type Level uint8

// The levels, the most serious first.
const (
	Error   Level = iota // something does not work
	Warning              // something may not work as intended
	Unknown              // not examined, and why
	OK                   // checked and correct
)

func (l Level) String() string { return [...]string{"error", "warning", "unknown", "ok"}[l] }

// A Finding is one result of one check.
type Finding struct {
	Check  string // the name of the check
	Level  Level
	Device string    // "": the machine
	What   string    // the observation
	Means  string    // its cause or its effect; "": What includes it
	Fixes  []fix.Fix // the best first
	// Place is the part of the texts by which equal findings of devices differ: where a file declares the device, or
	// the preference of a rule. "": none.
	Place string

	Way     string     // the packet of a stage, and where it goes; "": a check
	counted uint64     // packets that the kernel's counters show to be dropped for this reason; 0: not counted
	vague   bool       // a counter is known, but not which packets it counted
	far     netip.Addr // an answer of this host to the program refutes it; invalid: none does
	opinion bool       // nothing fails, but an administrator may want to know

	unlikely bool // older counters refute it, and only a packet that gets no answer now shows it
}

// A Report is what an examination found.
type Report struct {
	Findings []Finding
	Trail    []Finding        // of each stage that each packet came to, in their order
	Devices  []*netcfg.Device // those that were examined
}

// A Question names the device and the user to examine.
type Question struct {
	Device string   // "": all devices
	More   []string // further devices, each examined as if it were the only one
	User   string   // "": the invoking user
	Netns  string   // the network namespace to examine, as --netns names it; "": that of the program
	// Problems is whether to leave out the findings of level OK of the checks, of which thousands of devices have tens
	// of thousands. Stages still have theirs.
	Problems bool
	// Watch is how long to watch the named devices. The counters are then those of this time only.
	Watch time.Duration
	// Packet is the packet whose way is examined: From, To, Protocol, FromPort and ToPort. Without addresses, the
	// packets are typical ones of the device.
	flow.Packet
	// Declared returns the devices that the default files declare.
	Declared func() []Declared
	// Unapplied returns the errors with which apply would leave declared devices and ports unchanged, by their names.
	// It only reads.
	Unapplied func() map[string]error
}

// A Declared is a device as a file declares it.
type Declared struct {
	Spec  *netcfg.Spec
	Place string // FILE:LINE
}

// A view is everything that the checks look at.
type view struct {
	Question
	namespace  *netcfg.Namespace
	person     users.Person        // the user of the question
	admin      bool                // the invoking user may run commands that require root
	links      *index              // see link, byIndex and every
	policies   []rtnl.Rule         // in the kernel's order, IPv4 first
	settings   map[string]setting  // by the path of the sysctl
	promised   map[string]Declared // the declarations by device; nil: not read yet
	unapplied  map[string]error    // see Unapplied; nil: not asked yet
	candidates []*netcfg.Device    // the TUN/TAP devices of the whole question
	devices    []*netcfg.Device    // the TUN/TAP devices; if the question names one, that one alone
	device     *netcfg.Device      // the device of the current check; nil: a check of the machine
	people     map[string]users.Person
	rules      *wall // the firewall; nil: not read yet
	host       *evidence.Host
	moving     bool                 // the counters are those of the time of the question only
	drivers    []opener             // see programsWithDriver; nil: not read yet
	sight      bool                 // drivers has those of all processes
	search     fileSearch           // for drivers
	refusing   bool                 // the driver refuses what the program writes now
	heard      *conversation        // that the question is about; nil: none
	unheard    string               // why the packets that the device carries were not watched; "": they were
	examples   map[netip.Prefix]int // the devices for which freeAddress chose these networks, by index
	answering  []netip.Addr         // the hosts of other networks that answer programs behind the device
	sights     sights               // of the packets that the device carries
	reach      reach                // what answers to this host prove
	err        error                // the first one of the kernel while a check looked at more

	file  func(path string) ([]byte, error) // reads a file of /proc or /run
	names func(directory string) []string   // the entries of a directory; nil: not known
	// managers has the files of network managers by their directories.
	managers map[string]map[string]bool
	waited   time.Duration                                   // for devices to settle
	again    func(names ...string) ([]*netcfg.Device, error) // reads devices again; nil: cannot
}

// A check looks for one kind of error.
type check struct {
	name string
	look func(*view) []Finding
}

// machineChecks returns the checks of the machine. A check that explains another comes before it.
func machineChecks() []check {
	return []check{
		{"driver", driver}, {"device", absent}, {"create", create}, {"loopback", loopbackDown}, {"missing", missing},
		{"rule-left-over", leftRules},
	}
}

// deviceChecks returns the checks of each device. A check that explains another comes before it.
func deviceChecks() []check {
	return []check{
		{"user-route", userRoute}, {"user-firewall", userFirewall}, {"attach", attach},
		{"programs", programs}, {"access", impossibleAccess}, {"owner", unknownIDs}, {"anyone", anyone},
		{"mode", modeOfName}, {"queues", queues}, {"bridge-down", bridgeDown}, {"down", down},
		{"queue-length", queueLength}, {"detached", detached}, {"own-device", besides}, {"no-carrier", noCarrier},
		{"reader", reader}, {"virtio-header", virtioHeader},
		{"companions", companions}, {"left-over", leftOver},
		{"mtu", mtuOfMaster}, {"mtu-ipv6", mtuIPv6}, {"mac-twice", macTwice}, {"declared", declared},
		{"other-mac", otherMACs}, {"no-bridge", noBridge},
		{"bridge-address", bridgeAddress}, {"address", noAddress}, {"ipv6-off", ipv6Off},
		{"duplicate", duplicate}, {"tentative", tentative}, {"link-local", noLinkLocal},
		{"subnet-twice", subnetTwice}, {"gateway", swallowedGateway},
		{"own-tunnel", ownTunnel}, {"own-bind", ownBind},
		{"answers", answersHere}, {"dhcp", noDHCP}, {"published", unmatched},
		{"linkdown", linkdownIgnored}, {"empty-table", emptyTable}, {"route", routeElsewhere}, {"proxy-arp", proxyARP},
		{"other-network", otherNetwork}, {"taken-network", takenNetwork}, {"default-route", worseDefault},
		{"no-uplink", noUplink},
		{"own-address", ownAddress}, {"accept-local", acceptLocal},
		{"networkmanager", networkManager}, {"networkd", networkd},
	}
}

// Checks returns the names of all checks, those of the machine first.
func Checks() (names []string) {
	for _, c := range append(machineChecks(), deviceChecks()...) {
		names = append(names, c.name)
	}
	return names
}

// Examine runs all checks. The most serious findings come first, and a finding that explains another before it. The
// error is the kernel's, or that of an unknown user.
func Examine(ns *netcfg.Namespace, q Question) (*Report, error) {
	// Beside thousands of devices, a few are read alone. To watch is to compare the counters of all.
	const few = 16
	v, err := open(ns, q, q.Device == "" || q.Watch > 0 || len(q.More) >= few)
	if err != nil {
		return nil, err
	}
	defer v.close()
	return v.examine()
}

// open opens the network namespace, and reads the devices of the question, or all links.
func open(ns *netcfg.Namespace, q Question, every bool) (*view, error) {
	self := ns.Directory.Self()
	v := &view{Question: q, namespace: ns, person: self, admin: self.Admin || self.ID.Number == 0,
		people: map[string]users.Person{}, file: files.Read, names: files.Names,
		managers: map[string]map[string]bool{}, again: ns.Links,
		search: fileSearch{descriptors: descriptorsMost, files: driverFilesMost}}
	var err error
	if q.User != "" {
		if v.person, err = ns.Directory.Person(q.User); err != nil {
			return nil, err
		}
	}
	if v.host, err = evidence.Open(); err != nil {
		return nil, err
	}
	if err := v.read(every); err != nil {
		v.close()
		return nil, err
	}
	return v, nil
}

func (v *view) close() {
	v.host.Close()
	v.rules.close()
}

func (v *view) examine() (report *Report, err error) {
	q := v.Question
	var seen []Finding
	if q.Watch > 0 {
		if seen, err = v.observe(); err != nil {
			return nil, err
		}
	}
	checks := deviceChecks()
	report = &Report{Findings: v.ask(machineChecks())}
	for _, name := range append([]string{q.Device}, q.More...) {
		v.name(name)
		for _, d := range v.devices {
			v.device = d
			report.Devices = append(report.Devices, d)
			report.Findings = append(report.Findings, v.ask(checks)...)
			if v.asked() {
				found, trail := v.follow()
				report.Findings, report.Trail = append(report.Findings, found...), append(report.Trail, trail...)
				report.Findings = v.settle(report.Findings)
				found, trail = v.overhear(report.Findings)
				report.Findings = append(v.unrefuted(report.Findings, found), found...)
				report.Trail = append(report.Trail, trail...)
			}
		}
	}
	report.Findings = append(report.Findings, seen...)
	report.Findings = byEvidence(report.Findings)
	return report, v.err
}

// ask runs checks, and completes each finding with its check and its device.
func (v *view) ask(checks []check) (findings []Finding) {
	for _, c := range checks {
		found := c.look(v)
		if v.Problems {
			found = slices.DeleteFunc(found, func(f Finding) bool { return f.Level == OK })
		}
		findings = append(findings, v.complete(c.name, found)...)
	}
	return findings
}

// complete adds the check, the device, and the circumstances of the fixes.
func (v *view) complete(check string, findings []Finding) []Finding {
	for i := range findings {
		f := &findings[i]
		f.Check = check
		f.Fixes = fix.Narrowest(f.Fixes)
		for i, fix := range f.Fixes {
			f.Fixes[i] = fix.Distinct().Lasting().In(v.Netns).For(v.admin)
		}
		if v.device != nil {
			f.Device = v.device.Name
		}
	}
	return findings
}

// asked reports whether the question expects that the named device works: it is about a packet, or not about a user.
func (v *view) asked() bool { return v.Device != "" && (v.User == "" || v.explicit()) }

// expectsProgram reports whether it is a problem of the named device that no program is attached: the user of a
// question has not attached yet.
func (v *view) expectsProgram() bool { return v.asked() && v.User == "" }
