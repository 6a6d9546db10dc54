package netcfg

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// createAll does create steps and writes the names and the indexes that the devices got into them. Until a portion of them is remembered
// none of it is persistent, so that a crash leaves nothing that nobody knows of.
func (k *Kernel) createAll(ctx context.Context, steps []*Step, remember func([]*Step) error) []error {
	errs := make([]error, len(steps))
	var order []int
	for _, counted := range []bool{false, true} { // last those that the kernel numbers, so that it takes no number that is asked for
		for i, s := range steps {
			if IsTemplate(s.Device) == counted {
				order = append(order, i)
			}
		}
	}
	for portion := range slices.Chunk(order, claims()) {
		k.createPortion(ctx, steps, portion, errs, remember)
	}
	return errs
}

// createPortion does those of the steps whose places are in portion.
func (k *Kernel) createPortion(ctx context.Context, steps []*Step, portion []int, errs []error, remember func([]*Step) error) {
	growDescriptors(len(portion))
	var made []*Step
	fds := make([]int, len(portion))
	for n, i := range portion {
		fds[n] = -1
		if ctx.Err() != nil {
			errs[i] = &Error{Device: steps[i].Device, Cause: Interrupted}
		} else if fds[n], errs[i] = k.create(steps[i]); errs[i] != nil {
			errs[i] = k.explainStep(steps[i], errs[i])
		} else {
			made = append(made, steps[i])
		}
	}
	var forgotten error
	if remember != nil && len(made) > 0 {
		forgotten = remember(made)
	}
	for n, i := range portion {
		if fds[n] < 0 {
			continue
		}
		if forgotten == nil || steps[i].New.undo { // what was there before comes back, remembered or not
			errs[i] = steps[i].persist(fds[n])
		} else {
			errs[i] = &Error{Device: steps[i].Device, Cause: NotPermitted, Detail: "cannot be remembered, and is not made", Fix: fixOf(forgotten), Err: forgotten}
		}
		unix.Close(fds[n])
	}
}

// create makes the device of a step, exclusively, and gives back the descriptor with which it goes.
func (k *Kernel) create(s *Step) (fd int, err error) {
	if fd, err = k.openDriver(); err != nil {
		return -1, err
	}
	if err = k.createWith(fd, s); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func (k *Kernel) createWith(fd int, s *Step) error {
	flags := uint16(s.New.Mode) | unix.IFF_TUN_EXCL
	if !s.New.PI {
		flags |= unix.IFF_NO_PI
	}
	if s.New.VnetHdr {
		flags |= unix.IFF_VNET_HDR
	}
	if s.New.OneQueue {
		flags |= unix.IFF_ONE_QUEUE
	}
	// Until it has its owner a multi-queue device is open to everyone who knows its name. Nobody knows this one.
	asked, hidden := s.Device, s.New.MultiQueue != nil && *s.New.MultiQueue
	if hidden {
		flags |= unix.IFF_MULTI_QUEUE
		asked = secretName()
	}
	name, err := setInterface(fd, asked, flags)
	if err != nil {
		return k.explainCreate(s.Device, err)
	}
	index, err := k.socket.index(name)
	if err != nil {
		return &Error{Device: name, What: "look it up", Err: err}
	}
	if s.New.MAC != nil { // before all else, since udev looks whether it has one that was given, and else gives it one
		if err := k.setLink(index, nl.NewRtAttr(unix.IFLA_ADDRESS, s.New.MAC)); err != nil {
			return &Error{Device: name, What: "mac " + s.New.MAC.String(), Err: err}
		}
	}
	if err := setAccess(fd, *s.New.Access, Access{}); err != nil {
		return err
	}
	if hidden {
		if name, err = k.reveal(index, s.Device); err != nil {
			return err
		}
	}
	s.Device, s.Index = name, index
	return nil
}

// persist lets the device of a create step outlive its descriptor.
func (s *Step) persist(fd int) error {
	if err := unix.IoctlSetInt(fd, unix.TUNSETPERSIST, 1); err != nil {
		return &Error{Device: s.Device, What: "make it persistent", Err: err}
	}
	return nil
}

// reveal gives a device that was made under a secret name the one that it is to have, if nobody found it meanwhile.
func (k *Kernel) reveal(index int, name string) (string, error) {
	if err := k.setLink(index, nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name))); err != nil {
		return "", k.explainCreate(name, err)
	}
	d, err := k.link("", index)
	if err != nil {
		return "", &Error{Device: name, What: "look it up", Err: err}
	}
	if d.Queues+d.DisabledQueues != 1 {
		return "", &Error{Device: name, Detail: "somebody attached before the device had its owner"}
	}
	return d.Name, nil
}

// secretName is a name that nobody can guess. It is as long as a name can be.
func secretName() string { return fmt.Sprintf("tun%012x", rand.Uint64()>>16) }
