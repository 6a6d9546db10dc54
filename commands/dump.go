package commands

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

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
	return p.carry(names, func(ctx context.Context, _ *netcfg.Kernel, d *netcfg.Device, _ io.Writer) (take, error) {
		seen := 0
		counted := func(err error) error {
			if seen++; err == nil && seen == p.count {
				return io.EOF
			}
			return err
		}
		if p.write == "" {
			var text []byte
			return func(b []byte) error {
				text = append(append(text[:0], packet.Describe(b, d.Mode)...), '\n')
				if p.hex {
					text = packet.AppendHex(text, b)
				}
				_, err := p.stdout.Write(text)
				return counted(err)
			}, nil
		}
		to := p.stdout
		if p.write != "-" {
			f, err := os.Create(p.write) // the process ends with the run, and closes it
			if err != nil {
				return nil, fmt.Errorf("--write: %w", err)
			}
			to = patient{ctx, f}
		}
		w, err := packet.NewWriter(to, d.Name, d.Mode, "tunadm "+p.version)
		return func(b []byte) error { return counted(w.Write(b, time.Now())) }, err
	})
}
