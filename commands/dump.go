package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tunadm/tunadm/internal/files"
	"github.com/tunadm/tunadm/internal/packet"
	"github.com/tunadm/tunadm/netcfg"
)

var dumpVerb = verb{
	name: "dump", operands: "NAME",
	usage: "attach, and print a line a packet, or write pcapng",
	flags: func(p *program) []cli.Flag {
		return []cli.Flag{
			valueFlag(p, "count", "end after `N` packets", parseCount, func(n int) { p.count = n }),
			boolFlag("hex", "print also the bytes of each packet", &p.hex),
			valueFlag(p, "write", "write pcapng to `FILE`, or to standard output (-), instead of lines", parseFile, func(f string) { p.write = f }),
			netnsFlag(p),
		}
	},
	run: (*program).dump,
}

func parseCount(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q is no number of packets", s)
	}
	return n, nil
}

func parseFile(s string) (string, error) {
	if s == "" {
		return "", fmt.Errorf("the name is empty")
	}
	return s, nil
}

func (p *program) dump(names []string) error {
	if p.hex && p.write != "" {
		return usagef("--hex and --write exclude each other")
	}
	seen := 0
	counted := func(err error) error {
		if seen++; err == nil && seen == p.count {
			return io.EOF
		}
		return err
	}
	if p.write != "" {
		return p.carry(names, carrier{prepare: p.openCapture, begin: func(ctx context.Context, _ *netcfg.Namespace, a *netcfg.Attached) (take, error) {
			w, err := p.capture(ctx, a.Device)
			return func(b []byte) error { return counted(w.Write(b, time.Now())) }, err
		}})
	}
	return p.carry(names, carrier{begin: func(_ context.Context, _ *netcfg.Namespace, a *netcfg.Attached) (take, error) {
		var text []byte
		return func(b []byte) error {
			text = append(append(text[:0], packet.Describe(b, a.Mode)...), '\n')
			if p.hex {
				text = packet.AppendHex(text, b)
			}
			_, err := p.stdout.Write(text)
			return counted(err)
		}, nil
	}})
}

// openCapture opens the file of --write. One that is there is cut off only when the program is attached.
func (p *program) openCapture(*netcfg.Device) (undo func(), err error) {
	if p.write == "-" {
		return func() {}, nil
	}
	made := true
	p.captured, err = files.Open(p.write, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		made = false
		p.captured, err = files.Open(p.write, os.O_WRONLY|os.O_CREATE, 0o666)
	}
	if err != nil {
		return nil, fmt.Errorf("--write: %w", err)
	}
	return func() {
		if made {
			_ = os.Remove(p.write)
		}
	}, nil
}

// capture begins the capture: the process ends with the run, and closes its file.
func (p *program) capture(ctx context.Context, d *netcfg.Device) (*packet.Writer, error) {
	to := p.stdout
	if p.captured != nil {
		if info, err := p.captured.Stat(); err == nil && info.Mode().IsRegular() {
			if err := p.captured.Truncate(0); err != nil {
				return nil, fmt.Errorf("--write: %w", err)
			}
		}
		to = patient{ctx, p.captured}
	}
	return packet.NewWriter(to, d.Name, d.Mode, "tunadm "+p.version)
}
