package netcfg

import (
	"slices"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/holders"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/sysctl"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/internal/words"
)

// A Device is the observed state of one network device. TUN/TAP devices have the kind "tun"; of other devices only
// Index, Name and Kind are filled in, except of bridges and ports in a run that changes them.
type Device struct {
	Index    int
	Name     string
	Netns    *string // its network namespace, as --netns accepts it, "" for this one; set by the caller
	AltNames []string
	Kind     string // "tun" for tun and tap; "veth", "bridge", "loopback", ...; "" for a network card

	Mode           link.Mode
	Persist        bool // the device outlives the program that created it
	MultiQueue     bool
	PI, VnetHdr    bool // the flags of the last program that attached
	Queues         int  // attached and enabled
	DisabledQueues int  // attached but disabled, on a multi-queue device

	// Access is who may attach. A nil User and Group restrict nobody; if both are set, both must match.
	Access users.Access

	Up, Carrier bool
	CarrierOn   bool   // the driver's carrier, even if the device is down
	CarrierUps  uint32 // how many times the carrier came on
	Promisc     bool
	Multicast   bool
	MTU         int      // bytes
	MAC         link.MAC // nil on a tun
	TxQueueLen  int      // packets
	Alias       string
	Master      string // "": none
	MasterKind  string // "bridge", "vrf"

	Settings rtnl.Settings           // of a bridge, or of a port of a bridge
	byTree   map[rtnl.Setting]string // settings that are unknown, see [rtnl.Link]
	VLANs    []rtnl.VLAN             // of a port of a bridge

	Addresses []Address // in the kernel's order, with foreign ones
	Routes    []Route   // through the device, and through others with one of its addresses as source

	// Holders are the programs that have the device open. They have fewer queues than the device if this user may not
	// inspect every process.
	Holders []Holder

	Stats Stats

	prefixes    []Route       // the routes that the kernel derived from addresses; read if how is own or more
	how         depth         // how much was read
	sight       holders.Sight // of the search for Holders
	masterIndex int
	masterPVID  *int             // the default PVID of a bridge that is the master
	portNo      uint16           // of a port of a bridge
	sysctls     []sysctl.Setting // those that a change asks for; nil: not read
	group       uint32           // the link group, see ip link set group
	allMulti    bool             // it receives all multicast
	arp         bool             // it uses ARP or neighbour discovery
	qdisc       string           // the name of the queueing discipline
	others      []string         // in sentences, see [rtnl.Link]
}

// A Holder is a program that has a device's queue open.
type Holder struct {
	PID      int
	Command  string // the contents of /proc/PID/comm: any bytes, up to 15
	User     users.ID
	Queues   int  // descriptors of the device in this program
	Probable bool // the name matches, but the network namespace could not be verified
	Claims   int  // those of Queues that tunadm opened to observe or change the device
}

// Stats are the counters of a device since its creation, from the host's side: rx is what the attached program wrote.
type Stats struct {
	RxPackets, RxBytes, RxErrors, RxDropped uint64
	TxPackets, TxBytes, TxErrors, TxDropped uint64

	RxOtherHost uint64 // IP packets to another MAC address, which the host dropped
}

// MasterIndex returns the index of the master, 0 without one.
func (d *Device) MasterIndex() int { return d.masterIndex }

// State returns "down", "no-carrier" (up, carrier off) or "up".
func (d *Device) State() string {
	switch {
	case !d.Up:
		return "down"
	case !d.Carrier:
		return "no-carrier"
	}
	return "up"
}

// KindWords returns the kind of the device, with an article.
func (d *Device) KindWords() string {
	switch d.Kind {
	case "":
		return "another kind of device"
	case "loopback":
		return "the loopback device"
	case "tun":
		return "a " + d.Mode.String()
	}
	return "a " + words.Escape(d.Kind)
}

// NotOurs returns the error of a device of another kind, which the caller asked for by this name.
func (d *Device) NotOurs(asked string) error {
	detail := "it is " + d.KindWords() + ", not a TUN/TAP device"
	return &cause.Error{Device: asked, Cause: cause.OtherKind, Detail: detail}
}

// InUse reports whether a program is attached.
func (d *Device) InUse() bool { return d.Queues+d.DisabledQueues > 0 }

// HoldersComplete reports whether a holder was found for every queue.
func (d *Device) HoldersComplete() bool { return d.Unfound() <= 0 }

// CutShort reports whether the search for holders reached its time limit before it found all.
func (d *Device) CutShort() bool { return !d.HoldersComplete() && d.sight == holders.Cut }

// Unseen returns a phrase about the holders that were not found, or "".
func (d *Device) Unseen() string {
	switch {
	case d.HoldersComplete():
		return ""
	case d.sight == holders.Forbidden:
		return "a program that this user may not examine"
	case d.CutShort():
		return "a program that could not be examined"
	}
	return "a program that was not found"
}

// Unfound returns the number of queues without a holder.
func (d *Device) Unfound() int {
	n := d.Queues + d.DisabledQueues
	for _, h := range d.Holders {
		// if the search was cut short, a probable holder may belong to another namespace
		if !h.Probable || d.sight != holders.Cut {
			n -= h.Queues
		}
	}
	return n
}

// Fresh returns a device of that mode as the kernel creates it, with no property set.
func Fresh(name string, mode link.Mode) *Device {
	d := &Device{Name: name, Kind: "tun", Mode: mode, Persist: true, MTU: 1500, TxQueueLen: 500, Multicast: true}
	if mode == link.TAP {
		d.TxQueueLen = 1000
	}
	return d
}

// ipv6 returns an address or a route that the kernel would remove with an MTU below 1280, as text. It ignores
// link-local ones, and returns "" if there is none.
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

// OtherIPv6 reports whether the device has IPv6 addresses or routes that the kernel did not add when the carrier came
// on, as far as it records that. The routes must have been read.
func (d *Device) OtherIPv6() bool {
	return d.ipv6() != "" || slices.ContainsFunc(d.Addresses, func(a Address) bool {
		return a.Local.Is6() && a.Local.IsLinkLocalUnicast() && a.kept.origin != 0 &&
			a.kept.origin != rtnl.OriginKernelLinkLocal
	})
}
