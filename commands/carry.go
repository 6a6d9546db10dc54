package commands

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime/debug"
	"syscall"

	"github.com/tunadm/tunadm/internal/packet"
	"github.com/tunadm/tunadm/netcfg"
)

// A take takes a packet that came out of a device. It ends the run with success by io.EOF.
type take func(p []byte) error

// A carrier is what a verb does with the packets of a device.
type carrier struct {
	// prepare is called before anything is changed: its error is the verb's. Undo is called if the attachment fails; nil: there is nothing to prepare.
	prepare func(d *netcfg.Device) (undo func(), err error)
	// begin makes the take. It may write packets to the device.
	begin func(ctx context.Context, ns *netcfg.Namespace, a *netcfg.Attached) (take, error)
}

// carry attaches to the one device that is named, and has each packet taken, until a signal comes or nobody reads standard output any more,
// which is success. The device is left as it was.
func (p *program) carry(names []string, c carrier) error {
	switch err := checkNames(names, netcfg.CheckName); {
	case err != nil:
		return err
	case len(names) != 1:
		return &usageError{text: "one device is to be named", hint: "tunadm " + p.verb + " NAME"}
	}
	debug.SetGCPercent(100) // it runs for long
	ctx, cancel := context.WithCancel(signals())
	defer cancel()
	ns, err := netcfg.Open(p.netns)
	if err != nil {
		return err
	}
	defer ns.Close()
	attached, err := ns.PrepareAttach(netcfg.Attachment{Device: names[0], Alone: true})
	if err != nil {
		return capture(err)
	}
	undo := func() {}
	if c.prepare != nil {
		if undo, err = c.prepare(attached[0].Device); err != nil {
			return err
		}
	}
	if err := ns.Attach(attached, nil); err != nil {
		undo()
		return capture(err)
	}
	return errors.Join(p.take(ctx, ns, attached, c), ns.Detach(attached))
}

// take reads packets until the end.
func (p *program) take(ctx context.Context, ns *netcfg.Namespace, attached []*netcfg.Attached, c carrier) error {
	a := attached[0]
	if !a.Up {
		p.sayOf(a.Name, "it is down, and no packet comes until it is up: tunadm set "+netcfg.Word(a.Name)+" --up")
	}
	out, _ := p.stdout.(*os.File)
	reader, stop, err := packet.NewReader(ctx, a.Queues[0], out)
	if err != nil {
		return &netcfg.Error{Device: a.Name, Err: err}
	}
	defer stop()
	p.stdout = patient{ctx, p.stdout}
	if err := netcfg.Start(attached); err != nil {
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
	if netcfg.Gone(err) {
		return netcfg.QueueError(a.Name, err)
	}
	return err
}

// capture points who cannot attach, since a program is attached already, to what looks at packets beside it.
func capture(err error) error {
	if e := new(netcfg.Error); errors.As(err, &e) && e.Cause == netcfg.InUse {
		look := netcfg.InNamespace("tcpdump", "-i", e.Device)
		e.Fix = netcfg.Fix{Before: "stop it first, or see the packets beside it: ", Commands: []netcfg.Command{look}}
	}
	return err
}
