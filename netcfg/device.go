package netcfg

import (
	"cmp"
	"strings"
)

// A Device is what the kernel says of one network device. Only those of kind "tun" are ours; of others only
// Index, Name and Kind are filled.
type Device struct {
	Index    int
	Name     string
	AltNames []string
	Kind     string // "tun" for tun and tap alike; "veth", "bridge", "loopback", ...; "": one without a kind, such as a network card

	Mode           Mode
	Persist        bool // outlives the program that made it
	MultiQueue     bool
	PI, VnetHdr    bool // the flags of whoever attached last
	Queues         int  // enabled: programs that are attached
	DisabledQueues int  // attached but switched off, on a multi-queue device

	// A nil User and Group restrict nobody; when both are set, both must match.
	Access Access

	Up, Carrier bool
	MTU         int // bytes
	MAC         MAC // nil on a tun
	TxQueueLen  int // packets
	Alias       string
	Master      string // "": none
	MasterKind  string // "bridge", "vrf"
	Promisc     bool
	Multicast   bool

	Addresses []Address // in the kernel's order, foreign ones too
	Routes    []Route   // through the device, and elsewhere with one of its addresses as their source

	// Holders are the programs that were found to have the device open. They are fewer than the queues
	// where this user may not look into every process.
	Holders []Holder

	Stats Stats

	prefixes    []Route // those that IPv6 made of addresses; read where how is not shallow
	how         depth   // of the look
	sight       sight   // how much of the processes could be looked at for Holders
	masterIndex int
	group       uint32 // the link group, as ip link set group
	carrierOn   bool   // the driver's carrier, on a device that is down too
	carrierUps  uint32 // how often it came on
}

// A sight says how much of the processes could be looked at.
type sight uint8

const (
	sightWhole     sight = iota
	sightForbidden       // not into those of other users
	sightCut             // the time was over, or there was no examiner
)

// A Holder is a program that has a device's queue open.
type Holder struct {
	PID      int
	Command  string // as in /proc/PID/comm: any bytes, up to 15
	User     ID
	Queues   int  // descriptors of the device in this program
	Probable bool // the name matches, but whether it is this namespace's device could not be looked up

	claims int // the Queues that this program opened to look at the device or to change it
}

// Stats are the device's counters since it was made, seen from the host: rx is what the attached program wrote.
type Stats struct {
	RxPackets, RxBytes, RxErrors, RxDropped uint64
	TxPackets, TxBytes, TxErrors, TxDropped uint64

	RxOtherHost uint64 // IP packets to another Ethernet address, which the host threw away
}

// State is "down", "no-carrier" (up, carrier off) or "up".
func (d *Device) State() string {
	switch {
	case !d.Up:
		return "down"
	case !d.Carrier:
		return "no-carrier"
	}
	return "up"
}

// InUse says whether a program is attached.
func (d *Device) InUse() bool { return d.Queues+d.DisabledQueues > 0 }

// HoldersComplete says whether a holder was found for every queue.
func (d *Device) HoldersComplete() bool { return d.unseen() <= 0 }

// CutShort says whether holders are missing since the search for them took too long.
func (d *Device) CutShort() bool { return !d.HoldersComplete() && d.sight == sightCut }

// Unseen names the holders that were not found, or is "".
func (d *Device) Unseen() string {
	switch {
	case d.HoldersComplete():
		return ""
	case d.sight == sightForbidden:
		return "a program that this user may not look into"
	case d.CutShort():
		return "a program that could not be examined"
	}
	return "a program that was not found"
}

// unseen is the number of queues without a holder.
func (d *Device) unseen() int {
	n := d.Queues + d.DisabledQueues
	for _, h := range d.Holders {
		if !h.Probable || d.sight != sightCut { // else its device may well be elsewhere: nobody came to look that up
			n -= h.Queues
		}
	}
	return n
}

// fresh is a device in that mode as the kernel makes it, before anything is set.
func fresh(name string, mode Mode) *Device {
	d := &Device{Name: name, Kind: "tun", Mode: mode, Persist: true, MTU: 1500, TxQueueLen: 500, Multicast: true}
	if mode == TAP {
		d.TxQueueLen = 1000
	}
	return d
}

// ipv6 is an address or a route that an MTU below 1280 would take off the device, link-local ones apart, or "".
func (d *Device) ipv6() string {
	for _, a := range d.Addresses {
		if a.Local.Is6() && !a.Local.IsLinkLocalUnicast() {
			return a.String()
		}
	}
	for _, r := range d.Routes {
		if r.To.Addr().Is6() && !r.To.Addr().IsLinkLocalUnicast() && !r.To.Addr().IsMulticast() {
			return r.String()
		}
	}
	return ""
}

// compareNames orders names as people do: tap2 before tap10.
func compareNames(a, b string) int {
	for a != "" && b != "" {
		x, restA := cutNumber(a)
		y, restB := cutNumber(b)
		if x != "" && y != "" {
			if c := cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y)); c != 0 {
				return c
			}
			a, b = restA, restB
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

// cutNumber splits s behind the digits that it begins with, leading zeros apart.
func cutNumber(s string) (digits, rest string) {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	digits = s[:n]
	if trimmed := strings.TrimLeft(digits, "0"); trimmed != "" {
		return trimmed, s[n:]
	}
	return digits[:min(n, 1)], s[n:]
}
