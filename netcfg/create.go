package netcfg

import (
	"context"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/driver"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/users"
	"golang.org/x/sys/unix"
)

// createAll runs and logs create steps. It writes the name, the index and the descriptor of each new device into its
// task.
func (ns *Namespace) createAll(ctx context.Context, steps []*task, o Options) []error {
	driver.MakeRoom(len(steps))
	errs := make([]error, len(steps))
	// bridges first, names with a %d last: the kernel must not choose a name that another step asks for
	for pass := range 3 {
		for i, s := range steps {
			turn := map[bool]int{false: 1, true: 2}[link.IsTemplate(s.Device)]
			if s.NewBridge() != nil {
				turn = 0
			}
			if turn != pass {
				continue
			}
			if ctx.Err() != nil {
				errs[i] = &cause.Error{Device: s.Device, Cause: cause.Interrupted}
			} else if err := ns.create(s, o); err != nil {
				errs[i] = ns.explainStep(s, err)
			} else {
				o.Log(s.Step)
			}
		}
	}
	return errs
}

// A newDevice is a device that vanishes with its descriptor until it is persistent. So a failure, a crash or a kill
// leaves no unfinished device.
type newDevice struct {
	fd    int
	name  string
	index int
}

// keep makes the device persistent: it outlives its descriptor.
func (n *newDevice) keep() error { return unix.IoctlSetInt(n.fd, unix.TUNSETPERSIST, 1) }

// release closes the descriptor.
func (ns *Namespace) release(n *newDevice) {
	unix.Close(n.fd)
	ns.held--
}

// discard makes new devices vanish, persistent ones too. It deletes several at once: the kernel waits for each one
// separately when its descriptor is closed. A device to which a program has attached vanishes when that program ends.
func (ns *Namespace) discard(devices []*newDevice) {
	var several []*doomed
	for _, n := range devices {
		_ = unix.IoctlSetInt(n.fd, unix.TUNSETPERSIST, 0) // it fails only if the device is gone already
		if _, index, err := ns.Identify(n.fd); err == nil {
			several = append(several, &doomed{Device: &Device{Index: index, MultiQueue: true}, fd: n.fd})
		}
	}
	if len(several) > 1 {
		ns.deleteClaimed(several)
	}
	for _, n := range devices {
		ns.release(n)
	}
}

// create creates the device of a step, exclusively.
func (ns *Namespace) create(s *task, o Options) error {
	if s.NewBridge() != nil {
		return ns.createBridge(s, o)
	}
	how := ns.createAlone
	if s.create.MultiQueue != nil && *s.create.MultiQueue {
		how = ns.createHidden
	}
	made, err := how(&s.Step)
	if err != nil {
		return err
	}
	s.Device, s.Index, s.hold = made.name, made.index, made
	ns.held++
	return nil
}

// createAlone creates a single-queue device. This program's descriptor takes its one queue, so no other program can
// attach.
func (ns *Namespace) createAlone(s *Step) (*newDevice, error) {
	made, err := ns.make(s, s.Device, 0)
	if err != nil {
		return nil, err
	}
	if err := made.equip(s); err != nil {
		unix.Close(made.fd)
		return nil, err
	}
	return made, nil
}

// make creates the device of a step under a name. An index of 0 lets the kernel choose. The carrier is off, as on every
// device without a program: with a carrier, IPv6 would configure the device as soon as it is up.
func (ns *Namespace) make(s *Step, name string, index int) (made *newDevice, err error) {
	fd, err := ns.openDriver()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
		}
	}()
	if index != 0 {
		if err := unix.IoctlSetPointerInt(fd, unix.TUNSETIFINDEX, index); err != nil {
			return nil, err
		}
	}
	quiet, err := ns.knowsNoCarrier(fd)
	if err != nil {
		return nil, err
	}
	flags := s.create.flags() | unix.IFF_TUN_EXCL
	if quiet {
		flags |= unix.IFF_NO_CARRIER
	}
	if err := driver.SetInterface(fd, name, flags); err != nil {
		return nil, ns.explainCreate(s.Device, err)
	}
	if !quiet {
		if err := unix.IoctlSetPointerInt(fd, unix.TUNSETCARRIER, 0); err != nil {
			return nil, &cause.Error{Device: s.Device, What: "turn off the carrier", Err: err}
		}
	}
	made = &newDevice{fd: fd}
	if made.name, made.index, err = ns.Identify(fd); err != nil {
		return nil, Unread(s.Device, err)
	}
	return made, nil
}

// equip sets the MAC address, the owner and the group of a new device.
func (n *newDevice) equip(s *Step) error {
	if s.create.MAC != nil { // first: udev assigns an address unless one was set
		if err := driver.SetMAC(n.fd, s.create.MAC); err != nil {
			return &cause.Error{Device: s.Device, What: "mac " + s.create.MAC.String(), Err: err}
		}
	}
	return users.SetAccess(n.fd, *s.create.Access, users.Access{})
}

// flags returns the IFF_ flags of a new device.
func (s *Spec) flags() uint16 {
	multiQueue := s.MultiQueue != nil && *s.MultiQueue
	return driver.Flags{Mode: s.Mode, PI: s.PI, VnetHdr: s.VnetHdr, OneQueue: s.OneQueue, MultiQueue: multiQueue}.Bits()
}
