package netcfg

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/words"
	"golang.org/x/sys/unix"
)

// The kinds of a Spec that are not TUN/TAP devices. A change of a port asks for its master, and for nothing else.
const (
	Bridge = "bridge"
	Port   = "port" // a link of any kind, which others own
)

// otherKind returns the error of a device that has the name and is not of the kind that the change means.
func (j *job) otherKind() error {
	if isKind(j.kind(), j.now) {
		return nil
	}
	return notKind(j.kind(), j.now)
}

// isSame reports whether the device with the job's index is still the job's, as far as its kind shows: the kernel uses
// an index again only if a program asks for it.
func (j *job) isSame(d *Device) bool {
	if j.before != nil {
		return d.Kind == j.before.Kind
	}
	return isKind(j.kind(), d)
}

// still looks again at a bridge or a port before its steps of a phase run, and reports whether it is the same.
// Deletions look themselves.
func (ns *Namespace) still(j *job, ph phase) bool {
	runs := slices.ContainsFunc(j.steps, func(s Step) bool { return s.phase == ph })
	if !runs || j.kind() == "" || j.index == 0 || ph == phaseDelete {
		return true
	}
	now, err := ns.link("", j.index)
	return err != nil && !cause.Gone(err) || err == nil && j.isSame(now)
}

// kind returns the kind of the device that the change means.
func (c Change) kind() string {
	if c.Want != nil {
		return c.Want.Kind
	}
	return c.Kind
}

// NewBridge returns the Spec of the bridge that the step creates, or nil.
func (s Step) NewBridge() *Spec {
	if s.create == nil || s.create.Kind != Bridge {
		return nil
	}
	return s.create
}

// isKind reports whether the device is of the kind of a Spec.
func isKind(kind string, d *Device) bool {
	return kind == Port || d.Kind == Bridge && kind == Bridge || d.Kind == "tun" && kind == ""
}

func notKind(kind string, d *Device) error {
	if kind == Bridge {
		return &cause.Error{Device: d.Name, Cause: cause.OtherKind, Detail: "it is " + d.KindWords() + ", not a bridge"}
	}
	return d.NotOurs(d.Name)
}

// kindOf returns the kind of a Spec that restores the device.
func (d *Device) kindOf() string {
	switch d.Kind {
	case "tun":
		return ""
	case Bridge:
		return Bridge
	}
	return Port
}

// fresh returns the device that the Spec describes as the kernel creates it.
func (s *Spec) fresh() *Device {
	if s.Kind == Bridge {
		return &Device{Name: s.Name, Kind: Bridge, MTU: 1500, TxQueueLen: 1000, Multicast: true}
	}
	return Fresh(s.Name, s.Mode)
}

// firstLook returns how much must be read before the run: what moves to a bridge has any origin.
func firstLook(jobs []*job) depth {
	how := bare
	for _, j := range jobs {
		switch {
		case j.Heir || j.Want != nil && j.Want.MoveAddresses:
			return deep
		case j.kind() != "" || j.Want != nil && j.Want.needsRoutes():
			how = shallow
		}
	}
	return how
}

// newMaster chooses the MAC address of a new bridge, and returns it as the master of other devices. A bridge with a MAC
// address that was set keeps it, whichever ports come and go. The address of its first port is known in the network.
func (j *job) newMaster(ports []*job) *Master {
	m := &Master{Name: j.Name, kind: Bridge, MTU: 1500, of: j, pvid: j.Want.Settings[rtnl.VLANDefaultPVID]}
	first := true
	for _, k := range ports {
		if k.now == nil || len(k.now.MAC) != 6 || k.now.MAC.IsZero() { // the kernel will refuse it
			continue
		}
		if j.Want.MAC == nil {
			j.Want.MAC = k.now.MAC
		}
		if first || k.now.MTU < m.MTU {
			m.MTU = k.now.MTU
		}
		first = false
	}
	if j.Want.MAC == nil {
		j.Want.MAC = link.RandomMAC(2) // locally administered
	}
	if j.Want.MTU != nil {
		m.MTU = *j.Want.MTU
	}
	m.mac = j.Want.MAC
	return m
}

// declares gives an existing master the properties that it will have when devices join it.
func (j *job) declares(m *Master) {
	m.pvid = cmp.Or(j.Want.Settings[rtnl.VLANDefaultPVID], m.pvid)
	if j.Want.MTU != nil {
		m.MTU = *j.Want.MTU
	}
	if j.Want.MAC != nil {
		m.mac, m.set = j.Want.MAC, true
	}
}

// failTogether fails a bridge with its ports: what moved between them is put back as a whole. It fails the devices that
// join a new bridge with it.
func failTogether(jobs []*job) {
	for _, j := range jobs {
		if b := j.bridge; b != nil && j.err != nil && b.err == nil && j.Want.Kind == Port {
			b.err = cause.Follow(b.Name, j.Name, j.err)
		}
	}
	for _, j := range jobs {
		if j.bridge != nil && j.bridge.err != nil && j.err == nil {
			j.err = cause.Follow(j.Name, j.bridge.Name, j.bridge.err)
		}
	}
}

// createBridge creates the bridge of a step. It is remembered under an index before it exists: the kernel has no bridge
// that vanishes with its program. The index is random, so no bridge of another program has it by chance.
func (ns *Namespace) createBridge(s *task, o Options) error {
	const tries, least, most = 16, 10_000, 1 << 16
	var err error
	for range tries {
		s.Index = least + rand.IntN(most-least)
		if against := o.ahead([]Step{s.Step}, nil); against != nil {
			return against
		}
		if err = ns.socket.Do(rtnl.NewBridge(s.Device, s.Index, s.create.MAC), nil); err == nil {
			return nil
		}
		taken := errors.Is(err, unix.EEXIST) || errors.Is(err, unix.EBUSY)
		if now, missing := ns.link("", s.Index); missing != nil {
			break
		} else if !taken && now.Name == s.Device && now.Kind == Bridge {
			return nil // the kernel's answer was lost
		}
	}
	s.Index = 0
	return ns.explainCreate(s.Device, err)
}

// ports returns the links that have joined a master.
func (ns *Namespace) ports(master int) ([]*Device, error) {
	return rtnl.Dump(ns.socket, rtnl.AskPorts(master), func(body []byte) (*Device, bool) {
		port := decodeLink(body)
		return port, port != nil && port.masterIndex == master
	})
}

// keepUsed fails the deletion of bridges with a port that stays and that the change does not name. It reads the ports
// that an undo may have to restore: of bridges that it may have to re-create, and of those with another default PVID,
// with which the kernel changes the VLANs of ports.
func (ns *Namespace) keepUsed(jobs []*job, o Options) {
	going := map[int]bool{}
	for _, j := range jobs {
		going[j.index] = j.err == nil && j.Want == nil
	}
	ofPorts := func(s Step) bool { return s.properties().Settings[rtnl.VLANDefaultPVID] != nil }
	for _, j := range jobs {
		if j.err == nil && j.before != nil && slices.ContainsFunc(j.steps, ofPorts) {
			j.ports, j.err = ns.wholePorts(j.before)
		}
		if j.err == nil && j.Want == nil && j.before != nil && j.before.Kind == Bridge {
			if j.err = ns.busyBridge(j.before, j.Ports, going); j.err == nil && o.Atomic {
				j.ports, j.err = ns.wholePorts(j.before)
			}
			if j.err != nil {
				j.steps = nil
			}
		}
	}
}

// busyBridge returns the error of a bridge with a port that does not go and may not leave.
func (ns *Namespace) busyBridge(d *Device, leave []string, going map[int]bool) error {
	ports, err := ns.ports(d.Index)
	if err != nil {
		return Unread(d.Name, err)
	}
	var names []string
	for _, p := range ports {
		named := func(name string) bool { return name == p.Name || slices.Contains(p.AltNames, name) }
		if !going[p.Index] && !slices.ContainsFunc(leave, named) {
			names = append(names, words.Escape(p.Name))
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	how := fix.Run(fix.InNamespace("ip", "link", "set", "dev", names[0], "nomaster"))
	return &cause.Error{Device: d.Name, Cause: cause.InUse, Err: errBusy, Fix: how,
		Detail: "in use by its " + map[bool]string{true: "port ", false: "ports "}[len(names) == 1] +
			strings.Join(names, ", ")}
}

// deleteBridge deletes the bridge of a step, unless a port has joined it in the meantime.
func (ns *Namespace) deleteBridge(s *task) error {
	now, err := ns.link("", s.Index)
	switch {
	case err != nil && !cause.Gone(err):
		return err
	case err != nil || now.Kind != Bridge: // another name does not matter, as with a claim
		return cause.Vanished(s.Device)
	}
	if err := ns.busyBridge(now, s.ports, nil); err != nil {
		return err
	}
	if err = ns.deleteLink(s.Index); err != nil && !cause.Gone(err) && ns.absent(s.Index) {
		return nil // the kernel's answer was lost
	}
	return err
}

// wholePorts returns the ports of a bridge with their settings and VLANs, in the order in which they joined it.
func (ns *Namespace) wholePorts(bridge *Device) ([]*Device, error) {
	ports, err := ns.ports(bridge.Index)
	for _, p := range ports {
		p.Master, p.MasterKind, p.masterPVID = bridge.Name, Bridge, bridge.Settings[rtnl.VLANDefaultPVID]
	}
	slices.SortFunc(ports, func(a, b *Device) int { return cmp.Compare(a.portNo, b.portNo) })
	return ports, cmp.Or(err, ns.readVLANs(ports))
}

// rejoin makes the ports of a deleted bridge join it again when an undo has re-created it, and restores the VLANs of
// the ports of another one, without those that have moved to another bridge: in the job of the undo that changes the
// port, or in a new one, which it returns. The kernel numbers ports in the order in which they join.
func (j *job) rejoin(bridge *job, back, failed, all []*job) (more []*job) {
	for i, p := range j.ports {
		moved := func(k *job) bool {
			return k.err == nil && k.before != nil && k.before.Index == p.Index &&
				slices.ContainsFunc(k.tried, func(t *task) bool { return t.Kind == StepMaster })
		}
		if !j.deleted && slices.ContainsFunc(all, moved) {
			continue
		}
		at := slices.IndexFunc(failed, func(k *job) bool { return k.before != nil && k.before.Index == p.Index })
		u := &job{Change: Change{Name: p.Name, Expect: PresentOrNot, Kind: p.kindOf()}, index: p.Index, back: true,
			want: &Spec{Name: p.Name, Kind: p.kindOf(), undo: true}}
		if at >= 0 && back[at].want != nil {
			u = back[at]
		} else {
			more = append(more, u)
		}
		u.want.Master = &Master{Name: j.Name, of: bridge, pvid: p.masterPVID}
		u.want.portOf(p)
		u.turn = i
	}
	return more
}
