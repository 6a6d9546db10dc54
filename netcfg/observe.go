package netcfg

import (
	"errors"
	"slices"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// depth is how much of each device is read.
type depth int

const (
	bare    depth = iota // the device and its addresses: the kernel walks through all routes to find those of a device
	shallow              // also the administrator's routes through it
	own                  // also the routes of routing daemons through it
	down                 // as own; the engine restores what the kernel removes from a device that is down
	deep                 // also the routes through other devices with one of its addresses as source
)

// Up to few devices are each requested separately. More are read by one dump of all links. For up to several devices it
// ends when it has returned request links for each of them, and each device is requested: there are very many others. A
// request takes as long as that many links of a dump.
const (
	few     = 32
	several = 256
	request = 3
)

// Devices reads the named devices, in that order, or all TUN/TAP devices in the order of their names if there are no
// names. If a name does not exist, its device is nil. A device of another kind has little more than its Kind.
func (ns *Namespace) Devices(names ...string) ([]*Device, error) {
	return ns.withPrograms(names, shallow)
}

// Summaries reads devices as Devices does, without their routes.
func (ns *Namespace) Summaries(names ...string) ([]*Device, error) {
	return ns.withPrograms(names, bare)
}

func (ns *Namespace) withPrograms(names []string, how depth) ([]*Device, error) {
	devices, err := ns.observe(wantedNames(names), how, nil, true)
	if err != nil {
		return nil, err
	}
	ns.countQueues(devices)
	present := slices.DeleteFunc(slices.Clone(devices), func(d *Device) bool { return d == nil })
	ns.FindHolders(present)
	ns.NameAll(present)
	return devices, nil
}

// Complete adds to TUN/TAP devices of a Network what Devices reads.
func (ns *Namespace) Complete(devices []*Device) error {
	err := ns.complete(devices, shallow, nil)
	ns.countQueues(devices)
	ns.FindHolders(devices)
	ns.NameAll(devices)
	return err
}

// Links reads devices as Summaries does, without the attached programs and without the names of users and groups,
// because a name service may be slow.
func (ns *Namespace) Links(names ...string) ([]*Device, error) {
	found, err := ns.observe(wantedNames(names), bare, nil, true)
	ns.countQueues(found)
	return found, err
}

// Counters reads devices as Links does, but only what the kernel reports of the link itself: the counters, and no
// addresses, of which there may be a million.
func (ns *Namespace) Counters(names ...string) ([]*Device, error) {
	return ns.readLinks(wantedNames(names), true)
}

// Device reads the device with an index, without its routes. It returns nil if there is none. A device of another kind
// has little more than its Kind.
func (ns *Namespace) Device(index int) (*Device, error) {
	found, err := ns.observe([]target{{index: index}}, bare, nil, false)
	if err != nil {
		return nil, err
	}
	ns.countQueues(found)
	return found[0], nil
}

// A target is a device to be read: by its index, which never changes, or by its name if the index is 0.
type target struct {
	name  string
	index int
	any   bool // read it completely, even if it is not a TUN/TAP device
}

func wantedNames(names []string) []target {
	wanted := make([]target, len(names))
	for i, name := range names {
		wanted[i].name = name
	}
	return wanted
}

// readLinks reads the links of the targets, with nil for one that does not exist, or of all TUN/TAP devices, sorted by
// name.
func (ns *Namespace) readLinks(wanted []target, stats bool) (found []*Device, err error) {
	if len(wanted) == 0 || len(wanted) > several {
		found, err = ns.dumpLinks(len(wanted) == 0, stats)
	} else {
		found, err = ns.askLinks(wanted, stats)
	}
	if len(wanted) == 0 {
		slices.SortFunc(found, func(a, b *Device) int { return link.CompareNames(a.Name, b.Name) })
	} else if err == nil {
		found = inOrder(wanted, found)
	}
	return found, err
}

// observe reads the targets, or all TUN/TAP devices, without the attached programs, the names of their users and the
// queues of single-queue devices. The tables are those of readRoutes.
func (ns *Namespace) observe(wanted []target, how depth, tables []table, stats bool) ([]*Device, error) {
	found, err := ns.readLinks(wanted, stats)
	if err != nil {
		return nil, err
	}
	seen := map[*Device]bool{}
	var ours []*Device
	for i, d := range found {
		any := len(wanted) > 0 && wanted[i].any
		if d != nil && !seen[d] && (d.Kind == "tun" || any) { // it may be named twice: by an alternative name too
			ours, seen[d] = append(ours, d), true
		}
	}
	if err := ns.readMasters(ours); err != nil {
		return nil, err
	}
	if err := ns.ReadAddresses(ours); err != nil {
		return nil, err
	}
	return found, ns.complete(ours, how, tables)
}

// complete reads what neither the link nor the addresses of a device tell.
func (ns *Namespace) complete(devices []*Device, how depth, tables []table) error {
	for _, d := range devices {
		ns.readOwnDelay(d)
	}
	if err := ns.readVLANs(devices); err != nil {
		return err
	}
	return ns.readRoutes(devices, how, tables)
}

// inOrder returns the devices in the order of the targets, with nil for a target that does not exist.
func inOrder(wanted []target, devices []*Device) []*Device {
	byName, byIndex := make(map[string]*Device, len(devices)), indexed(devices)
	for _, d := range devices {
		for _, alt := range d.AltNames {
			byName[alt] = d
		}
	}
	for _, d := range devices {
		byName[d.Name] = d
	}
	found := make([]*Device, len(wanted))
	for i, w := range wanted {
		if found[i] = byIndex[w.index]; w.index == 0 {
			found[i] = byName[w.name]
		}
	}
	return found
}

// AllLinks reads the network devices of every kind, without their addresses, routes and programs.
func (ns *Namespace) AllLinks() ([]*Device, error) { return ns.dumpLinks(false, false) }

// dumpLinks reads all links, or the TUN/TAP devices. Each function gets the message of each link, too.
func (ns *Namespace) dumpLinks(oursOnly, stats bool, each ...func(body []byte)) ([]*Device, error) {
	r := rtnl.AskLink(0, 0, "", stats)
	if oursOnly {
		info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
		info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("tun"))
		r.AddData(info)
	}
	var l rtnl.Link // one for all: it escapes to the heap
	return rtnl.Dump(ns.socket, r, func(body []byte) (*Device, bool) {
		if !l.Unmarshal(body) || oursOnly && l.Kind != "tun" {
			return nil, false
		}
		for _, f := range each {
			f(body)
		}
		return DeviceOf(&l), true
	})
}

// someLinks reads that many links, or all if there are fewer.
func someLinks(most int, stats bool) ([]*Device, error) {
	return rtnl.DumpSome(rtnl.AskLink(0, 0, "", stats), most, func(body []byte) (*Device, bool) {
		d := decodeLink(body)
		return d, d != nil
	})
}

// askLinks reads the links of the targets, and possibly others.
func (ns *Namespace) askLinks(wanted []target, stats bool) (found []*Device, err error) {
	if most := request * len(wanted); len(wanted) > few {
		if found, err = someLinks(most, stats); err != nil || len(found) < most {
			return found, err
		}
		found = nil
	}
	requests := make([]*nl.NetlinkRequest, len(wanted))
	for i, w := range wanted {
		if w.index != 0 {
			w.name = ""
		}
		requests[i] = rtnl.AskLink(unix.NLM_F_ACK, w.index, w.name, stats)
	}
	errs := ns.socket.Exchange(requests, func(i int, body []byte) {
		if d := decodeLink(body); d != nil {
			if wanted[i].index == 0 && d.Name != wanted[i].name {
				d.AltNames = append(d.AltNames, wanted[i].name)
			}
			found = append(found, d)
		}
	})
	for i, err := range errs {
		if err != nil && !errors.Is(err, unix.ENODEV) {
			return nil, Unread(wanted[i].name, err)
		}
	}
	return found, nil
}

// link reads one link of any kind by its name, or by its index if that is not 0. If it does not exist, the error is
// ENODEV.
func (ns *Namespace) link(name string, index int) (*Device, error) {
	var found *Device
	ask := rtnl.AskLink(unix.NLM_F_ACK, index, name, false)
	err := ns.socket.Do(ask, func(body []byte) { found = decodeLink(body) })
	if err == nil && found == nil {
		err = unix.ENODEV
	}
	return found, err
}

// Unread returns the error of a device that cannot be read. An empty name is filled in by the caller.
func Unread(device string, err error) *cause.Error {
	return &cause.Error{Device: device, What: "read the device", Err: err}
}

// absent reports whether no device has an index. If the kernel does not answer, the device counts as present.
func (ns *Namespace) absent(index int) bool {
	_, err := ns.link("", index)
	return cause.Gone(err)
}

// joined fills in the master; nil: none is known.
func (d *Device) joined(m *Device) {
	if m != nil {
		d.Master, d.MasterKind, d.masterPVID = m.Name, m.Kind, m.Settings[rtnl.VLANDefaultPVID]
	}
}

// readMasters fills in the names and kinds of the masters.
func (ns *Namespace) readMasters(devices []*Device) error {
	byIndex := map[int]*Device{}
	for _, d := range devices {
		if d.masterIndex == 0 {
			continue
		}
		m, known := byIndex[d.masterIndex]
		if !known {
			var err error
			if m, err = ns.link("", d.masterIndex); err != nil && !cause.Gone(err) {
				return err
			}
			byIndex[d.masterIndex] = m
		}
		d.joined(m)
	}
	return nil
}
