package netcfg

import (
	"errors"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/driver"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A doomed device is a device that is about to be deleted.
type doomed struct {
	*Device
	fd  int // the claim; -1: none, delete the device even if a program is attached
	err error
}

// deleteAll runs delete steps: those of bridges last.
func (ns *Namespace) deleteAll(steps []*task) []error {
	errs := make([]error, len(steps))
	var devices []*task
	var at []int
	for i, s := range steps {
		if s.old.Kind != Bridge {
			devices, at = append(devices, s), append(at, i)
		}
	}
	for i, err := range ns.deleteDevices(devices) {
		errs[at[i]] = err
	}
	for i, s := range steps { // after their ports
		if s.old.Kind == Bridge {
			if err := ns.deleteBridge(s); err != nil {
				errs[i] = ns.explainStep(s, err)
			}
		}
	}
	return errs
}

// deleteDevices deletes TUN/TAP devices, as many at a time as the limit of descriptors allows claims.
func (ns *Namespace) deleteDevices(steps []*task) []error {
	var errs []error
	for portion := ns.claims(); len(steps) > 0; {
		n := min(portion, len(steps))
		errs = append(errs, ns.deletePortion(steps[:n])...)
		steps = steps[n:]
	}
	return errs
}

// claims returns how many devices can be claimed at a time.
func (ns *Namespace) claims() int {
	const others = 32 // descriptors that are already open, or that other code needs in the meantime
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < uint64(2*others+ns.held) {
		return 1
	}
	return int(min(limit.Cur-uint64(others+ns.held), 1<<16))
}

// deletePortion claims each device, so no other program can attach, and deletes all of them in one request. The kernel
// waits some 17 ms for each request, for one device or for a thousand.
func (ns *Namespace) deletePortion(steps []*task) []error {
	driver.MakeRoom(len(steps))
	devices := make([]*doomed, len(steps))
	for i, s := range steps {
		d := &doomed{Device: s.old, fd: -1}
		if d.fd, d.err = ns.claimUnused(s.old); s.force && !cause.Gone(d.err) {
			d.err = nil
		}
		devices[i] = d
	}
	ns.deleteClaimed(devices)
	errs := make([]error, len(steps))
	for i, d := range devices {
		if d.err != nil && errors.Is(d.err, unix.EPERM) && d.fd >= 0 {
			d.err = ns.letGo(d) // this user is the owner, but has no capability
		}
		if d.fd >= 0 {
			unix.Close(d.fd)
		}
		if errs[i] = d.err; d.err != nil {
			errs[i] = ns.explainStep(steps[i], d.err)
		}
	}
	return errs
}

// claimUnused claims a device that no program uses. For a single-queue device, the claim itself proves that.
func (ns *Namespace) claimUnused(d *Device) (int, error) {
	fd, err := ns.claim(d, 0)
	if err == nil {
		err = ns.checkUnused(d)
	}
	if err != nil && fd >= 0 {
		unix.Close(fd)
		fd = -1
	}
	return fd, err
}

// checkUnused returns an error unless the claim is the only queue of a multi-queue device.
func (ns *Namespace) checkUnused(d *Device) error {
	if !d.MultiQueue {
		return nil
	}
	now, err := ns.link("", d.Index)
	if err != nil {
		return err
	}
	if now.Queues+now.DisabledQueues > 1 {
		return ns.Busy(d)
	}
	return nil
}

// letGo makes the device vanish when its last descriptor is closed. That is the claim, unless another program attached.
func (ns *Namespace) letGo(d *doomed) error {
	if err := unix.IoctlSetInt(d.fd, unix.TUNSETPERSIST, 0); err != nil {
		return err
	}
	err := ns.checkUnused(d.Device)
	if err != nil {
		err = errors.Join(err, unix.IoctlSetInt(d.fd, unix.TUNSETPERSIST, 1))
	}
	return err
}

// deleteSingly deletes a device by its index, after it has checked that the index still belongs to the device.
func (ns *Namespace) deleteSingly(d *doomed) error {
	now, err := ns.link("", d.Index)
	switch {
	case err != nil && !cause.Gone(err):
		return err
	case err != nil || !d.is(now):
		return cause.Vanished(d.Name)
	case d.fd >= 0 && now.Queues+now.DisabledQueues > 1:
		return ns.Busy(d.Device)
	}
	return ns.unlessGone(d, ns.deleteLink(d.Index))
}

// unlessGone returns nil if the device no longer exists, although the delete returned an error: the kernel's answer may
// have been lost.
func (ns *Namespace) unlessGone(d *doomed, err error) error {
	if err == nil || cause.Gone(err) {
		return err
	}
	if now, lookErr := ns.link("", d.Index); cause.Gone(lookErr) || lookErr == nil && !d.is(now) {
		return nil
	}
	return err
}

// is reports whether the index still belongs to the device: the kernel can assign an index again.
func (d *doomed) is(now *Device) bool {
	if now.Kind != "tun" || now.Mode != d.Mode || now.MultiQueue != d.MultiQueue {
		return false
	}
	if d.fd < 0 {
		return now.Name == d.Name
	}
	ifr, err := unix.NewIfreq("")
	return err == nil && unix.IoctlIfreq(d.fd, unix.TUNGETIFF, ifr) == nil && ifr.Name() == now.Name
}

func (ns *Namespace) deleteLink(index int) error {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	return ns.socket.Do(rtnl.Request(unix.RTM_DELLINK, unix.NLM_F_ACK, msg), nil)
}

func (ns *Namespace) deleteGroup(group uint32) error {
	r := rtnl.Request(unix.RTM_DELLINK, unix.NLM_F_ACK, nl.NewIfInfomsg(unix.AF_UNSPEC),
		nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(group)))
	return ns.socket.Do(r, nil)
}

// setGroups moves devices into a link group.
func (ns *Namespace) setGroups(devices []*doomed, group uint32) []error {
	requests := make([]*nl.NetlinkRequest, len(devices))
	for i, d := range devices {
		requests[i] = rtnl.ChangeLink(d.Index, nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(group)))
	}
	return ns.socket.Exchange(requests, nil)
}
