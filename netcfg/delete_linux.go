package netcfg

import (
	"errors"
	"math/rand/v2"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A doomed device is one that is about to be deleted.
type doomed struct {
	*Device
	fd  int // the claim; -1: none, the device is to go even if a program is attached
	err error
}

// deleteAll does delete steps, as many at a time as there are descriptors for the claims.
func (k *Kernel) deleteAll(steps []*Step) []error {
	var errs []error
	for portion := claims(); len(steps) > 0; {
		n := min(portion, len(steps))
		errs = append(errs, k.deletePortion(steps[:n])...)
		steps = steps[n:]
	}
	return errs
}

// claims is how many devices can be claimed at a time.
func claims() int {
	const others = 32 // descriptors that are open already, or that somebody else needs meanwhile
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < 2*others {
		return 1
	}
	return int(min(limit.Cur-others, 1<<16))
}

// deletePortion claims each device, so that nobody can begin to use it, and deletes them all in one go: the kernel
// waits some 17 ms for each delete, whether of one device or of a thousand.
func (k *Kernel) deletePortion(steps []*Step) []error {
	growDescriptors(len(steps))
	devices := make([]*doomed, len(steps))
	for i, s := range steps {
		d := &doomed{Device: s.Old, fd: -1}
		if d.fd, d.err = k.claimUnused(s.Old); s.Force {
			d.err = nil
		}
		devices[i] = d
	}
	k.deleteClaimed(devices)
	errs := make([]error, len(steps))
	for i, d := range devices {
		if d.err != nil && errors.Is(d.err, unix.EPERM) && d.fd >= 0 {
			d.err = k.letGo(d) // the owner, without any capability
		}
		if d.fd >= 0 {
			unix.Close(d.fd)
		}
		if errs[i] = d.err; d.err != nil {
			errs[i] = k.explainStep(steps[i], d.err)
		}
	}
	return errs
}

// growDescriptors makes room for n more descriptors at once. Left to itself the kernel doubles the table as it fills, and in a process
// of several threads it waits some 5 ms each time (synchronize_rcu).
func growDescriptors(n int) {
	if fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, n); err == nil {
		unix.Close(fd)
	}
}

// claimUnused claims a device that nobody uses. Of a single-queue device the claim itself proves that.
func (k *Kernel) claimUnused(d *Device) (int, error) {
	fd, err := k.claim(d, 0)
	if err == nil {
		err = k.checkUnused(d)
	}
	if err != nil && fd >= 0 {
		unix.Close(fd)
		fd = -1
	}
	return fd, err
}

// checkUnused says whether our claim is the only queue of a multi-queue device.
func (k *Kernel) checkUnused(d *Device) error {
	if !d.MultiQueue {
		return nil
	}
	now, err := k.link("", d.Index)
	if err != nil {
		return err
	}
	if now.Queues+now.DisabledQueues > 1 {
		return k.busy(d)
	}
	return nil
}

// letGo makes the device vanish when its last descriptor is closed, which is the claim unless a program came between.
func (k *Kernel) letGo(d *doomed) error {
	if err := unix.IoctlSetInt(d.fd, unix.TUNSETPERSIST, 0); err != nil {
		return err
	}
	err := k.checkUnused(d.Device)
	if err != nil {
		err = errors.Join(err, unix.IoctlSetInt(d.fd, unix.TUNSETPERSIST, 1))
	}
	return err
}

// deleteClaimed deletes all devices that have no error yet, one by its index and several as one link group.
func (k *Kernel) deleteClaimed(devices []*doomed) {
	var ready []*doomed
	for _, d := range devices {
		if d.err == nil {
			ready = append(ready, d)
		}
	}
	switch len(ready) {
	case 0:
		return
	case 1:
		ready[0].err = k.deleteLink(ready[0].Index)
		return
	}
	group, err := k.unusedGroup()
	for i, r := range k.setGroups(ready, func(*doomed) uint32 { return group }) {
		ready[i].err = errors.Join(err, r)
	}
	members := ready[:0:0]
	var strays []*doomed
	for _, d := range ready {
		if d.err == nil && d.fd >= 0 {
			d.err = k.checkUnused(d.Device)
		}
		if d.err == nil {
			members = append(members, d)
		} else {
			strays = append(strays, d)
		}
	}
	k.setGroups(strays, func(d *doomed) uint32 { return d.group })
	if len(members) == 0 {
		return
	}
	if err := k.deleteGroup(group); err != nil {
		k.setGroups(members, func(d *doomed) uint32 { return d.group })
		for _, d := range members {
			d.err = err
		}
	}
}

// unusedGroup is a link group without a member. It is random, so that nobody else comes upon it meanwhile.
func (k *Kernel) unusedGroup() (uint32, error) {
	links, err := k.dumpLinks(false, false)
	used := map[uint32]bool{0: true}
	for _, l := range links {
		used[l.group] = true
	}
	group := rand.Uint32N(1 << 31)
	for used[group] {
		group = rand.Uint32N(1 << 31)
	}
	return group, err
}

func (k *Kernel) setGroups(devices []*doomed, group func(*doomed) uint32) []error {
	requests := make([]*nl.NetlinkRequest, len(devices))
	for i, d := range devices {
		requests[i] = linkChange(d.Index, nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(group(d))))
	}
	return k.socket.exchange(requests, window, nil)
}

func (k *Kernel) deleteLink(index int) error {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	return k.socket.exchange([]*nl.NetlinkRequest{request(unix.RTM_DELLINK, unix.NLM_F_ACK, msg)}, 1, nil)[0]
}

func (k *Kernel) deleteGroup(group uint32) error {
	r := request(unix.RTM_DELLINK, unix.NLM_F_ACK, nl.NewIfInfomsg(unix.AF_UNSPEC), nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(group)))
	return k.socket.exchange([]*nl.NetlinkRequest{r}, 1, nil)[0]
}
