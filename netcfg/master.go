package netcfg

import (
	"errors"
	"slices"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/words"
	"golang.org/x/sys/unix"
)

// A Master is the bridge or VRF that a device joins. The engine looks up all fields but Name.
type Master struct {
	Name  string
	MTU   int // bytes, as it was before the run
	index int
	kind  string // "bridge", "vrf", ...
	mac   link.MAC
	empty bool // no device has joined it, and none joins before this one
	hold  bool // it would take the device's MAC address; set its own one first
	met   bool // a device of this run joins it
	of    *job // that creates it; nil: it exists
	set   bool // this run sets its MAC address, which it keeps then
	pvid  *int // the default PVID of a bridge
}

// master looks up the master that a device is to join.
func (ns *Namespace) master(name string) (*Master, error) {
	m, err := ns.link(name, 0)
	if cause.Gone(err) {
		add := fix.Run(fix.InNamespace("ip", "link", "add", name, "type", "bridge"))
		what := "master " + words.Escape(name)
		return nil, &cause.Error{What: what, Cause: cause.NoMaster, Fix: add, Err: unix.ENODEV}
	} else if err != nil {
		return nil, err
	}
	ports, err := ns.ports(m.Index)
	return &Master{Name: m.Name, index: m.Index, kind: m.Kind, MTU: m.MTU, mac: m.MAC, empty: len(ports) == 0,
		pvid: m.Settings[rtnl.VLANDefaultPVID]}, err
}

// cachedMaster looks up each master once in a run.
func (ns *Namespace) cachedMaster(name string, masters map[string]*Master) (*Master, error) {
	if m := masters[name]; m != nil {
		return m, nil
	}
	m, err := ns.master(name)
	if err == nil {
		masters[name] = m
	}
	return m, err
}

// withoutMaster returns the error of a master that does not exist, with the command that creates one for this device.
func (j *job) withoutMaster(err error) error {
	e := new(cause.Error)
	if !errors.As(err, &e) {
		return err
	}
	e.Device = j.Name
	if e.Cause == cause.NoMaster && (j.Want.Mode == link.TUN || j.before != nil && j.before.Mode == link.TUN) {
		e.Fix = fix.Run(fix.InNamespace("ip", "link", "add", j.Want.Master.Name, "type", "vrf", "table", "10"))
		e.Fix.After = "  # a tun cannot join a bridge"
	}
	return e
}

// bridgePortMAC is the first byte of the MAC address of a tap that joins a bridge. A bridge takes the lowest MAC
// address of its ports.
const bridgePortMAC = 0xfe

// adapt changes the Spec of a device that joins a master: the join must not change the master itself.
func (j *job) adapt(want *Spec, m *Master) {
	joining := *m
	want.Master = &joining
	if m.kind != Bridge || want.Mode == link.TUN || want.Kind == Port ||
		j.before != nil && (j.before.Master == m.Name || j.before.Mode == link.TUN) {
		return
	}
	if want.MTU == nil {
		want.MTU = &joining.MTU
	}
	mac := want.MAC
	switch {
	case mac != nil:
	case j.before != nil && len(j.before.MAC) > 0 && (j.before.MAC[0] == bridgePortMAC || j.before.InUse()):
		mac = j.before.MAC // other hosts have the address of a device in use in their neighbour tables
	default:
		mac = link.RandomMAC(bridgePortMAC)
		want.MAC = mac
	}
	// A bridge that lost its last port has the MAC address zero, and needs one.
	joining.hold = m.of == nil && !m.set && !m.mac.IsZero() && (m.empty || slices.Compare(mac, m.mac) < 0)
	joining.empty, m.met = m.empty && !m.met, true
}

// noteMTU notes a bridge that changes its MTU if that follows the smallest MTU of its ports: the kernel does not tell.
func (ns *Namespace) noteMTU(j *job, want *Spec, masters map[string]*Master) {
	m := want.Master
	if want.MTU == nil || j.before != nil && j.before.MTU == *want.MTU {
		return
	}
	if m == nil && j.before != nil && j.before.Master != "" {
		m, _ = ns.cachedMaster(j.before.Master, masters) // a master that is gone has no MTU to lose
	}
	if m != nil && m.kind == Bridge && (*want.MTU < m.MTU || *want.MTU > m.MTU && m.empty) {
		j.result.Follows = m
	}
}

// join plans the device's move into its master, in a phase of the run.
func (p *planner) join(ph phase) {
	m := p.want.Master
	if m == nil || m.Name == p.have.Master {
		return
	}
	if p.want.undo && p.have.Master != "" { // first, because a bridge follows the MTU and the MAC address of its ports
		p.step(phaseYield, Step{Kind: StepMaster, master: &Master{}})
		if m.Name == "" {
			return
		}
	}
	if m.hold && m.empty { // setting the present address again would leave the bridge's STP identifier at zero
		other := *m
		other.mac = slices.Clone(m.mac)
		other.mac[len(other.mac)-1] ^= 1
		p.step(ph, Step{Kind: StepHold, master: &other})
	}
	if m.hold {
		p.step(ph, Step{Kind: StepHold, master: m})
	}
	p.step(ph, Step{Kind: StepMaster, master: m})
}
