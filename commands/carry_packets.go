package commands

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime/debug"
	"syscall"

	"github.com/tunadm/tunadm/internal/attach"
	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/packet"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// A take handles a packet that came out of a device. io.EOF ends the run with exit status 0.
type take func(p []byte) error

// A carrier is the part of a verb that handles the packets of a device.
type carrier struct {
	*program
	netns string

	// prepare is called before any change; its error is the verb's. undo is called if the attachment fails. nil: there
	// is nothing to prepare.
	prepare func(d *netcfg.Device) (undo func(), err error)

	// begin returns the take. It may write packets to the device.
	begin func(ctx context.Context, ns *netcfg.Namespace, a *attach.Attached) (take, error)
}

// carry attaches to the one named device and handles its packets. It returns nil after a signal, and if the reader of
// standard output goes away. The device is then as it was.
func (c *carrier) carry(names []string) error {
	if len(names) != 1 {
		return usage("exactly one device must be named", "tunadm "+c.verb+" NAME")
	}
	debug.SetGCPercent(100) // the run may be long
	ctx, cancel := context.WithCancel(c.signals())
	defer cancel()
	ns, err := netcfg.Open(c.netns)
	if err != nil {
		return err
	}
	defer ns.Close()
	attached, err := attach.Prepare(ns, attach.Request{Device: names[0], Alone: true})
	if err != nil {
		return capture(err)
	}
	undo := func() {}
	if c.prepare != nil {
		if undo, err = c.prepare(attached[0].Device); err != nil {
			return err
		}
	}
	if err := attach.Attach(ns, attached, nil); err != nil {
		undo()
		return capture(err)
	}
	return errors.Join(c.handle(ctx, ns, attached), attach.Detach(ns, attached))
}

// handle reads packets until the run ends.
func (c *carrier) handle(ctx context.Context, ns *netcfg.Namespace, attached []*attach.Attached) error {
	a := attached[0]
	if !a.Up {
		c.sayOf(a.Name, "the device is down, no packets arrive until it is up: tunadm set "+words.Quote(a.Name)+" --up")
	}
	plain := plainly(c.stdout)
	out, _ := plain.(*os.File)
	reader, stop, err := packet.NewReader(ctx, a.Queues[0], out)
	if err != nil {
		return &cause.Error{Device: a.Name, Err: err}
	}
	defer stop()
	c.stdout = patient{ctx, plain}
	if err := attach.Start(attached); err != nil {
		return err
	}
	taken, err := c.begin(ctx, ns, a)
	buffer := make([]byte, packet.SizeMax)
	for n := 0; err == nil; {
		if n, err = reader.Read(buffer); err == nil {
			err = taken(buffer[:n])
		}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE) {
		return nil
	}
	if cause.Gone(err) {
		return attach.QueueError(a.Name, err)
	}
	return err
}

// capture adds to "in use" a hint at a program that captures packets without attaching.
func capture(err error) error {
	if e := new(cause.Error); errors.As(err, &e) && e.Cause == cause.InUse {
		look := fix.InNamespace("tcpdump", "-i", e.Device)
		e.Fix = fix.Fix{Before: "stop it first, or see the packets beside it: ", Commands: []fix.Command{look}}
	}
	return err
}
