// Package doctor finds out why a device does not work, or why a user cannot attach to it. It only looks: nothing is changed, no device
// is attached to, no packet is sent.
package doctor

import (
	"cmp"
	"errors"
	"slices"
	"strconv"

	"github.com/tunadm/tunadm/netcfg"
)

// A Level says how serious a finding is.
type Level uint8

// The levels, the most serious first.
const (
	Fault   Level = iota // something does not work
	Warning              // something may not work as it is meant
	OK                   // looked at, and found right
)

func (l Level) String() string { return [...]string{"fault", "warning", "ok"}[l] }

// A Finding is one answer of one check.
type Finding struct {
	Check  string // the name of the check
	Level  Level
	Device string   // "": the machine
	What   string   // what was seen
	Means  string   // what it means
	Mend   []string // the ways to mend it, the best first: each a command, or a sentence where there is none
}

// A Question is what the doctor is asked.
type Question struct {
	Device   string // "": all there are
	User     string // "": who runs the program
	Netns    string // the network namespace that is looked at, as --netns names it; "": where the program runs
	Declared func(device string) *netcfg.Spec
}

// A patient is what is looked at.
type view struct {
	Question
	namespace *netcfg.Namespace
	person    netcfg.Person
	network   *netcfg.Network
	devices   []*netcfg.Device // TUN/TAP devices, the one that is asked about alone if there is one
	device    *netcfg.Device   // the one at hand; nil: a check of the machine
	people    map[string]netcfg.Person
	ways      []detour // of the device; nil: not asked yet
	rules     [][]byte // of the firewall; nil: not read yet
}

// A check looks at one thing.
type check struct {
	name string
	look func(*view) []Finding
}

// The tables of the checks, those first that explain others.
func machineChecks() []check {
	return []check{
		{"driver", driver}, {"device", absent}, {"create", create}, {"rule-left-over", leftRules},
	}
}

func deviceChecks() []check {
	return []check{
		{"attach", attach}, {"access", impossibleAccess}, {"owner", unknownIDs}, {"anyone", anyone}, {"mode", modeOfName}, {"queues", queues},
		{"bridge-down", bridgeDown}, {"down", down}, {"queue-length", queueLength}, {"no-carrier", noCarrier}, {"unread", unread}, {"left-over", leftOver},
		{"mtu", mtuOfMaster}, {"mtu-ipv6", mtuIPv6}, {"mac-twice", macTwice}, {"declared", declared}, {"other-mac", otherMACs},
		{"bridge-address", bridgeAddress}, {"address", noAddress}, {"ipv6-off", ipv6Off}, {"duplicate", duplicate}, {"tentative", tentative},
		{"link-local", noLinkLocal}, {"subnet-twice", subnetTwice}, {"linkdown", linkdownIgnored}, {"route", routeElsewhere},
		{"own-address", ownAddress}, {"rp-filter", rpFilter}, {"accept-local", acceptLocal}, {"forwarding", forwarding},
		{"firewall", firewall}, {"networkmanager", networkManager}, {"networkd", networkd},
	}
}

// Checks are the names of all checks.
func Checks() (names []string) {
	for _, c := range slices.Concat(machineChecks(), deviceChecks()) {
		names = append(names, c.name)
	}
	return names
}

// Examine asks all checks, and gives back what they found, the most serious first, and those that explain others before these. The
// error is of the kernel, or of a user whom nobody knows.
func Examine(ns *netcfg.Namespace, q Question) ([]Finding, error) {
	v := &view{Question: q, namespace: ns, person: ns.Self(), people: map[string]netcfg.Person{}}
	var err error
	if q.User != "" {
		if v.person, err = ns.Person(q.User); err != nil {
			return nil, err
		}
	}
	if err := v.read(); err != nil {
		return nil, err
	}
	findings := v.ask(machineChecks())
	for _, d := range v.devices {
		v.device, v.ways = d, nil
		findings = append(findings, v.ask(deviceChecks())...)
	}
	slices.SortStableFunc(findings, func(a, b Finding) int { return cmp.Compare(a.Level, b.Level) })
	return findings, nil
}

// read looks at the devices and the network.
func (v *view) read() error {
	all, err := v.namespace.Devices()
	if err != nil {
		return err
	}
	if v.network, err = v.namespace.Network(all); err != nil {
		return err
	}
	v.devices = slices.DeleteFunc(all, func(d *netcfg.Device) bool {
		return v.Device != "" && d.Name != v.Device && !slices.Contains(d.AltNames, v.Device)
	})
	return nil
}

func (v *view) ask(checks []check) (findings []Finding) {
	for _, c := range checks {
		for _, f := range c.look(v) {
			f.Check = c.name
			for i, mend := range f.Mend {
				f.Mend[i] = v.fit(mend)
			}
			if v.device != nil {
				f.Device = v.device.Name
			}
			findings = append(findings, f)
		}
	}
	return findings
}

// one is a list of one finding.
func one(level Level, what, means string, mend ...string) []Finding {
	return []Finding{{Level: level, What: what, Means: means, Mend: mend}}
}

// ok is what was looked at, and is right.
func ok(what string) []Finding { return one(OK, what, "") }

// known is a finding in the words that the program has for the same thing when it fails.
func known(level Level, err error) []Finding {
	f := Finding{Level: level, What: err.Error()}
	if e := new(netcfg.Error); errors.As(err, &e) {
		f.Mend = []string{e.Hint().String()}
	}
	return []Finding{f}
}

// packets is a number of packets in words.
func packets(n uint64) string {
	if n == 1 {
		return "1 packet"
	}
	return strconv.FormatUint(n, 10) + " packets"
}

// asked says that the device was asked for by its name, but not about a user.
func (v *view) asked() bool { return v.Device != "" && v.User == "" }
