// Package attach attaches to devices as a program does that carries their packets, and restores the state that this
// changes. It never creates a device.
package attach

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/driver"
	"github.com/tunadm/tunadm/internal/guard"
	"github.com/tunadm/tunadm/internal/poll"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// QueuesMax is the number of queues that can be attached to a multi-queue device at once.
const QueuesMax = 256

// A Request is how a program wants to attach to a device. The device keeps VnetHdr, PI and Offload after the program
// ends.
type Request struct {
	Device  string
	Queues  int  // 1..QueuesMax; more than one requires a multi-queue device
	VnetHdr bool // a virtio header precedes each packet
	PI      bool // four bytes of flags and protocol precede each packet
	Offload bool // with VnetHdr: the kernel may pass segments of up to 64 KiB, and packets without a checksum
	Alone   bool // fail if another program is attached, which would share the packets
}

// An Attached is a device to which this program attaches.
type Attached struct {
	*netcfg.Device            // as it was before the attachment
	Queues         []*os.File // set by Attach; one Read or Write is one packet
	Before         Traces     // the state that the attachment changes, as it was before

	asked Request
	tried bool // the device's flags may have changed, even if the attachment failed
	guard *guard.Guardian
}

// Prepare checks whether all these attachments are possible. It changes nothing. Each of the joined errors is an
// [*cause.Error].
func Prepare(ns *netcfg.Namespace, asked ...Request) ([]*Attached, error) {
	names := make([]string, len(asked))
	for i, a := range asked {
		names[i] = a.Device
	}
	found, err := ns.Links(names...)
	if err != nil {
		return nil, err
	}
	all := make([]*Attached, len(asked))
	first := map[int]string{}
	var errs []error
	for i, a := range asked {
		d := found[i]
		if err := attachable(ns, d, a); err != nil {
			errs = append(errs, err)
			continue
		}
		if other, twice := first[d.Index]; twice {
			errs = append(errs, &cause.Error{Device: a.Device, Cause: cause.BadRequest,
				Detail: "the same device as " + words.Escape(other)})
			continue
		}
		first[d.Index] = a.Device
		before, err := traces(ns, d)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all[i] = &Attached{Device: d, Before: before, asked: a}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return all, nil
}

// attachable returns an error if the attachment is known to fail.
func attachable(ns *netcfg.Namespace, d *netcfg.Device, a Request) error {
	switch {
	case d == nil:
		return &cause.Error{Device: a.Device, Cause: cause.NoDevice}
	case d.Kind != "tun":
		return d.NotOurs(a.Device)
	case a.Queues > 1 && !d.MultiQueue:
		return &cause.Error{Device: a.Device, Cause: cause.WrongQueues, Detail: "it is single-queue"}
	case d.InUse() && (a.Alone || !d.MultiQueue):
		if e := ns.Busy(d); !e.Released || !ns.Recount(d) {
			return e
		}
	}
	return nil
}

// Attach attaches to all devices or to none. The queues are closed on exec. Attach calls remember, unless it is nil,
// after Before is complete and before it makes the last of those changes. From Linux 6.1 on, the carrier stays off
// until Start.
//
// The next program may not set offloads, and could not use packets without a checksum. So a guardian restores those of
// the devices with Offload if this process is killed. If no guardian can be started, the offloads stay off. The error
// is a [*cause.Error].
func Attach(ns *netcfg.Namespace, all []*Attached, remember func() error) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, Detach(ns, all))
		}
	}()
	for _, a := range all {
		for range max(a.asked.Queues, 1) {
			if err := addQueue(ns, a); err != nil {
				return err
			}
		}
		if a.asked.VnetHdr {
			if a.Before.Header, err = unix.IoctlGetInt(int(a.Queues[0].Fd()), unix.TUNGETVNETHDRSZ); err != nil {
				return &cause.Error{Device: a.Name, What: "length of the virtio header", Err: err}
			}
		}
	}
	if remember != nil {
		if err := remember(); err != nil {
			return err
		}
	}
	guarded := hold(all)
	for _, a := range all {
		if err := a.prepare(guarded); err != nil {
			return err
		}
	}
	return nil
}

// hold starts a guardian for the devices with offload, and reports whether it could. The first device keeps it.
func hold(all []*Attached) bool {
	var queues []guard.Queue
	for _, a := range all {
		if a.asked.VnetHdr && a.asked.Offload {
			q := guard.Queue{FD: int(a.Queues[0].Fd()), Header: a.Before.Header, Offload: a.Before.Offload}
			queues = append(queues, q)
		}
	}
	if len(queues) == 0 {
		return false
	}
	var err error
	all[0].guard, err = guard.Hold(queues)
	return err == nil
}

// addQueue attaches one queue.
func addQueue(ns *netcfg.Namespace, a *Attached) error {
	flags := driver.Flags{Mode: a.Mode, PI: a.asked.PI, VnetHdr: a.asked.VnetHdr, MultiQueue: a.MultiQueue}
	a.tried = true
	fd, err := ns.Attach(a.Device, flags.Bits())
	if err != nil {
		return err
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFL, 0); err != nil { // the descriptor no longer counts as a claim
		unix.Close(fd)
		return &cause.Error{Device: a.Name, What: "attach", Err: err}
	}
	a.Queues = append(a.Queues, os.NewFile(uintptr(fd), driver.Path))
	return nil
}

// prepare sets the state that the device keeps from the previous program: the header's length and the offloads, which
// stay off unless they are guarded.
func (a *Attached) prepare(guarded bool) error {
	fd := int(a.Queues[0].Fd())
	if a.asked.VnetHdr && a.Before.Header != driver.HeaderUsual {
		if err := unix.IoctlSetPointerInt(fd, unix.TUNSETVNETHDRSZ, driver.HeaderUsual); err != nil {
			return &cause.Error{Device: a.Name, What: "length of the virtio header", Err: err}
		}
	}
	if a.asked.VnetHdr && a.asked.Offload && guarded {
		if unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, driver.OffloadTCP|driver.OffloadUDP) == nil {
			return nil
		}
		if err := unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, driver.OffloadTCP); err != nil {
			return &cause.Error{Device: a.Name, What: "offload", Err: err}
		}
		return nil
	}
	// The previous program may have left the offloads on. Without a header, a program cannot recognise such packets.
	if err := a.Before.setOffload(fd, 0); err != nil {
		return &cause.Error{Device: a.Name, What: "offload", Err: err}
	}
	return nil
}

// Start turns on the carrier. From then on the kernel sends packets to the queues.
func Start(all []*Attached) error {
	for _, a := range all {
		if err := driver.TurnOnCarrier(int(a.Queues[0].Fd())); err != nil {
			return QueueError(a.Name, &cause.Error{Device: a.Name, What: "carrier", Err: err})
		}
	}
	return nil
}

// Detach closes the queues and restores the state that the attachment changed. The error is a [*cause.Error].
func Detach(ns *netcfg.Namespace, all []*Attached) error {
	err := Close(all)
	for _, a := range all {
		if a.tried {
			a.tried = false
			err = errors.Join(err, PutBack(ns, a.Before))
		}
	}
	return err
}

// Close closes the queues, after the guardian has restored the offloads. PutBack restores the rest. The error is a
// [*cause.Error].
func Close(all []*Attached) (err error) {
	for _, a := range all {
		for _, f := range a.Queues {
			if failed := f.Close(); failed != nil && !errors.Is(failed, os.ErrClosed) {
				err = errors.Join(err, &cause.Error{Device: a.Name, What: "detach", Err: failed})
			}
		}
		a.Queues = nil
	}
	for _, a := range all {
		a.guard.Release()
		a.guard = nil
	}
	return err
}

// QueueError returns an error of an attached queue as a [*cause.Error]. If the device was deleted, its cause is
// NoDevice.
func QueueError(device string, err error) error {
	if cause.Gone(err) {
		return cause.Vanished(device)
	}
	if e := new(cause.Error); errors.As(err, &e) {
		return err
	}
	return &cause.Error{Device: device, What: "queue", Err: err}
}

// AwaitRunning waits, for a second at most, until the kernel has noticed that a program is attached to a device that is
// up. The kernel notices this a moment later (linkwatch), and until then it drops packets sent to the device.
func AwaitRunning(ctx context.Context, ns *netcfg.Namespace, index int) error {
	_, err := await(ctx, ns, index, true, time.Second)
	return err
}

// await waits until the kernel has noticed that a device runs, or that it no longer runs, and reports whether it has.
// The kernel notices a change within a second.
func await(
	ctx context.Context, ns *netcfg.Namespace, index int, wanted bool, patience time.Duration,
) (bool, error) {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	for deadline := time.Now().Add(patience); ; poll.Sleep(time.Millisecond) {
		running := false
		ask := rtnl.Request(unix.RTM_GETLINK, unix.NLM_F_ACK, msg)
		err := ns.Socket().Do(ask, func(body []byte) {
			running = len(body) >= unix.SizeofIfInfomsg && rtnl.Uint32(body[8:])&unix.IFF_RUNNING != 0
		})
		if err != nil {
			return false, netcfg.Unread("", err)
		}
		if running == wanted || ctx.Err() != nil || time.Now().After(deadline) {
			return running == wanted, nil
		}
	}
}
