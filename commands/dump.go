package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/tunadm/tunadm/internal/attach"
	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/driver"
	"github.com/tunadm/tunadm/internal/files"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/packet"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

var dumpVerb = verb{
	name: "dump", page: "tunadm-packets(8)", operands: "NAME", operand: deviceName, lasting: true,
	usage:   "attach to a device and print its packets, or write pcapng",
	command: func(p *program) command { return &dumpOptions{program: p} },
}

type dumpOptions struct {
	*program
	netns string
	count int // of packets; 0: no limit
	hex   bool
	bare  bool   // lines without the time
	write string // a file; "-": standard output; "": print lines
	force bool   // overwrite the file

	captured *os.File // the file of --write; nil: none
}

func (o *dumpOptions) flags() []*option {
	return []*option{
		valueFlag("count", "exit after `N` packets", parseCount, &o.count),
		switchFlag("hex", "print the bytes of each packet too", &o.hex),
		switchFlag("no-time", "print no time", &o.bare, "t"),
		valueFlag("write", "write pcapng to `FILE`, or to standard output (-), instead of lines", parseNotEmpty,
			&o.write),
		switchFlag("force", "with --write: overwrite an existing file", &o.force),
		netnsFlag(&o.netns),
	}
}

func parseCount(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q is not a number of packets from 1", s)
	}
	return n, nil
}

// run prints or writes each packet.
func (o *dumpOptions) run(names []string) error {
	if err := exclusive([]pair{
		{o.hex && o.write != "", "--hex", "--write"}, {o.bare && o.write != "", "--no-time", "--write"},
	}); err != nil {
		return err
	}
	switch {
	case o.force && o.write == "":
		return usagef("--force requires --write")
	case o.write == "-" && terminalWidth(o.stdout) > 0:
		return usage("--write - would print binary data on the terminal", "tunadm dump NAME --write - | tshark -i -")
	}
	c := carrier{program: o.program, netns: o.netns}
	seen := 0
	counted := func(err error) error {
		if seen++; err == nil && seen == o.count {
			return io.EOF
		}
		return err
	}
	if o.write != "" {
		c.prepare = o.openCapture
		c.begin = func(ctx context.Context, _ *netcfg.Namespace, a *attach.Attached) (take, error) {
			w, err := o.capture(ctx, a.Device)
			return func(b []byte) error { return counted(w.Write(b, time.Now())) }, err
		}
		return c.carry(names)
	}
	c.begin = func(_ context.Context, _ *netcfg.Namespace, a *attach.Attached) (take, error) {
		var text []byte
		return func(b []byte) error {
			text = text[:0]
			if !o.bare {
				text = time.Now().AppendFormat(text, "15:04:05.000000 ")
			}
			text = append(append(text, packet.Describe(b, a.Mode)...), '\n')
			if o.hex {
				text = packet.AppendHex(text, b)
			}
			_, err := o.stdout.Write(text)
			return counted(err)
		}, nil
	}
	return c.carry(names)
}

// openCapture opens the file of --write. An existing file is truncated only after the attachment succeeded. Without
// --force, a file that is not empty is refused.
func (o *dumpOptions) openCapture(*netcfg.Device) (undo func(), err error) {
	if o.write == "-" {
		return func() {}, nil
	}
	if driver.IsNode(o.write) { // a packet written there would reach no file
		return nil, &exitError{code: exitFailed, fix: fix.Sentence("name a file, or - for standard output"),
			err: fmt.Errorf("--write: %s: the tun driver's node, not a file", o.write)}
	}
	created := true
	o.captured, err = files.OpenNow(o.write, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		created = false
		o.captured, err = files.OpenNow(o.write, os.O_WRONLY|os.O_CREATE, 0o666)
	}
	if err == nil && !o.force && holdsData(o.captured) {
		o.captured.Close()
		return nil, &exitError{code: exitExists, fix: fix.Sentence("--force overwrites it"),
			err: fmt.Errorf("--write: %s: the file exists", o.write)}
	}
	if errors.Is(err, syscall.ENXIO) {
		return nil, &exitError{code: exitFailed, fix: fix.Sentence("start the program that reads the FIFO first"),
			err: fmt.Errorf("--write: %s: a FIFO that no program reads, or a socket", o.write)}
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, &cause.Error{What: "--write: " + words.Escape(o.write), Cause: cause.NotPermitted}
	}
	if failed := new(fs.PathError); errors.As(err, &failed) {
		return nil, fmt.Errorf("--write: %s: %w", words.Escape(o.write), failed.Err)
	} else if err != nil {
		return nil, fmt.Errorf("--write: %w", err)
	}
	return func() {
		if created {
			_ = os.Remove(o.write)
		}
	}, nil
}

// holdsData reports whether a file is a regular one, and not empty.
func holdsData(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular() && info.Size() > 0
}

// capture starts the capture. The file is closed with the process, which ends with the run.
func (o *dumpOptions) capture(ctx context.Context, d *netcfg.Device) (*packet.Writer, error) {
	to := o.stdout
	if o.captured != nil {
		if info, err := o.captured.Stat(); err == nil && info.Mode().IsRegular() {
			if err := o.captured.Truncate(0); err != nil {
				return nil, fmt.Errorf("--write: %w", err)
			}
		}
		to = patient{ctx, o.captured}
	}
	return packet.NewWriter(to, d.Name, d.Mode, "tunadm "+o.version)
}
