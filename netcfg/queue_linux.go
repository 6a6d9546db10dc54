package netcfg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// QueuesMax is how many programs, or threads of one, can attach to a multi-queue device at once.
const QueuesMax = 256

// VnetHeader is the length in bytes of the virtio header before each packet of a queue that was attached with it.
const VnetHeader = 10

// An Attachment is how a program attaches to a device. The device keeps VnetHdr and PI as the last program had them.
type Attachment struct {
	Queues  int  // 1..QueuesMax; more than one takes a multi-queue device
	VnetHdr bool // each packet has a virtio header before it
	PI      bool // each packet has four bytes of flags and protocol before it
	Offload bool // with VnetHdr: segments of up to 64 KiB come whole, and checksums may be left to others
	Alone   bool // not to a device to which another program is attached, with which the packets would be shared
}

// Attach attaches to a device that is there, as a program that is to carry its packets: a Read or a Write of a file is one packet.
// It never makes a device. The files do not block their thread, and are closed on exec. The error is an [*Error].
func (k *Kernel) Attach(name string, a Attachment) (*Device, []*os.File, error) {
	found, err := k.observe([]target{{name: name}}, shallow, false)
	if err != nil {
		return nil, nil, err
	}
	d := found[0]
	switch {
	case d == nil:
		return nil, nil, &Error{Device: name, Cause: NoDevice}
	case d.Kind != "tun":
		return nil, nil, &Error{Device: name, Cause: OtherKind, Detail: "it is " + d.KindWords() + ", not a TUN/TAP device"}
	case a.Queues > 1 && !d.MultiQueue:
		return nil, nil, &Error{Device: name, Cause: WrongQueues, Detail: "it is single-queue"}
	}
	if a.Alone && d.InUse() {
		return nil, nil, k.busy(d)
	}
	var files []*os.File
	for range max(a.Queues, 1) {
		f, err := k.attachQueue(d, a)
		if err != nil {
			return nil, nil, errors.Join(err, closeAll(files))
		}
		files = append(files, f)
	}
	return d, files, nil
}

func closeAll(files []*os.File) (err error) {
	for _, f := range files {
		err = errors.Join(err, f.Close())
	}
	return err
}

// attachQueue attaches one queue. It is put to the runtime's poller only then, which would else never hear of a packet.
func (k *Kernel) attachQueue(d *Device, a Attachment) (*os.File, error) {
	flags := uint16(d.Mode)
	for _, f := range []struct {
		set bool
		bit uint16
	}{{!a.PI, unix.IFF_NO_PI}, {a.VnetHdr, unix.IFF_VNET_HDR}, {d.MultiQueue, unix.IFF_MULTI_QUEUE}} {
		if f.set {
			flags |= f.bit
		}
	}
	fd, err := k.attach(d, flags, withCarrier)
	if err != nil {
		return nil, err
	}
	if a.VnetHdr {
		err = prepareVnet(fd, a.Offload)
	} else { // the program before may have left it on, and without the header nobody could tell such packets
		err = unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, 0)
	}
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		unix.Close(fd)
		return nil, &Error{Device: d.Name, What: "attach", Err: err}
	}
	return os.NewFile(uintptr(fd), driver), nil
}

// Carried is the error of a Read or a Write of an attached file, which is an [*Error] where the device is gone: then each one would fail.
func (d *Device) Carried(err error) error {
	for _, errno := range []unix.Errno{unix.EFAULT, unix.EBADFD} { // the call that was blocked then, and all later ones
		if errors.Is(err, errno) {
			return &Error{Device: d.Name, Cause: NoDevice, Detail: "it was deleted", Err: errno}
		}
	}
	return err
}

// UntilUnread returns when ctx ends, or when out is a pipe that nobody reads any more.
func UntilUnread(ctx context.Context, out *os.File) error {
	w, stop, err := newWaiter(ctx, out, -1, -1)
	if err != nil {
		return err
	}
	defer stop()
	return w.wait(time.Time{})
}

// The bits of TUNSETOFFLOAD: checksums, and segments of TCP and, from Linux 6.2 on, of UDP.
const (
	offloadTCP = unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6
	offloadUDP = 0x20 | 0x40 // TUN_F_USO4, TUN_F_USO6
)

// prepareVnet sets what a device keeps of the programs before: the length of the header, and what comes in one piece.
func prepareVnet(fd int, offload bool) error {
	if err := unix.IoctlSetPointerInt(fd, unix.TUNSETVNETHDRSZ, VnetHeader); err != nil {
		return fmt.Errorf("length of the virtio header: %w", err)
	}
	if !offload {
		return unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, 0)
	}
	if unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, offloadTCP|offloadUDP) == nil {
		return nil
	}
	return unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, offloadTCP)
}
