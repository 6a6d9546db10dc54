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

// carry attaches to the one device that is named, and has each packet taken, until a signal comes or nobody reads standard output any more,
// which is success. Begin makes the take, which may write packets to the device.
func (p *program) carry(names []string, begin func(ctx context.Context, k *netcfg.Kernel, d *netcfg.Device, to io.Writer) (take, error)) error {
	switch err := checkNames(names, netcfg.CheckName); {
	case err != nil:
		return err
	case len(names) != 1:
		return &usageError{text: "one device is to be named", hint: "tunadm " + p.verb + " NAME"}
	}
	debug.SetGCPercent(100) // it runs for long
	ctx, cancel := context.WithCancel(signals())
	defer cancel()
	k, err := netcfg.Open(p.netns)
	if err != nil {
		return err
	}
	defer k.Close()
	d, files, err := k.Attach(names[0], netcfg.Attachment{Alone: true})
	if err != nil {
		return capture(err)
	}
	queue := files[0]
	if !d.Up {
		p.sayOf(d.Name, "it is down, and no packet comes until it is up: tunadm set "+netcfg.Word(d.Name)+" --up")
	}
	context.AfterFunc(ctx, func() { queue.Close() })
	if out, ok := p.stdout.(*os.File); ok {
		go func() {
			if netcfg.UntilUnread(ctx, out) == nil {
				cancel()
			}
		}()
	}
	p.stdout = patient{ctx, p.stdout}
	taken, err := begin(ctx, k, d, queue)
	buffer := make([]byte, packet.SizeMax)
	for n := 0; err == nil; {
		if n, err = queue.Read(buffer); err == nil {
			err = taken(buffer[:n])
		}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed) || errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return d.Carried(err)
}

// capture points who cannot attach, since a program is attached already, to what looks at packets beside it.
func capture(err error) error {
	if e := new(netcfg.Error); errors.As(err, &e) && e.Cause == netcfg.InUse {
		e.Fix = "stop it first, or see the packets beside it: tcpdump -i " + netcfg.Word(e.Device)
	}
	return err
}
