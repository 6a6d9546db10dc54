package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/tunadm/tunadm/internal/loop"
	"github.com/tunadm/tunadm/internal/packet"
	"github.com/tunadm/tunadm/internal/state"
	"github.com/tunadm/tunadm/netcfg"
)

var loopVerb = verb{
	name: "loop", operands: "--a ADDR --b ADDR [-- CMD ARGS]",
	usage: "two tuns on this host, and what their addresses send to one another really crosses",
	flags: func(p *program) []cli.Flag {
		end := func(i int, name string) []cli.Flag {
			e := &p.ends[i]
			return []cli.Flag{
				valueFlag(p, name, "`ADDR` is the address of this end, IPv4 or IPv6; twice: one of each", parseEnd, func(ip netip.Addr) { e.Addresses = append(e.Addresses, ip) }),
				valueFlag(p, name+"-device", "a tun that is there and free, `NAME`, which is left as it was; else one is made", parseDevice, func(d string) { e.Device = d }),
			}
		}
		return append(append(end(0, "a"), end(1, "b")...),
			valueFlag(p, "mtu", "largest packet of both, in `BYTES`", parseInt(netcfg.MTUMin, netcfg.MTUMax), func(n int) { p.properties.spec.MTU = &n }),
			boolFlag("clean", "remove what a loop left that was killed, and do no more", &p.clean),
			boolFlag("dry-run", "print the steps, and do nothing", &p.dryRun),
			netnsFlag(p),
			boolFlag("verbose", "print each packet, and on standard error each step", &p.verbose, "v"),
			boolFlag("quiet", "print errors only, and packets", &p.quiet, "q"),
		)
	},
	repeatable: []string{"a", "b"},
	hands:      true,
	run:        (*program).loop,
}

// parseEnd reads an address without a length.
func parseEnd(s string) (netip.Addr, error) {
	a, err := netcfg.ParseAddress(s)
	if err == nil && (a.Peer.IsValid() || strings.Contains(s, "/")) {
		err = fmt.Errorf("%q is more than an address: an end has an address without a length", s)
	}
	return a.Local, err
}

func parseDevice(name string) (string, error) { return name, netcfg.CheckName(name) }

// loop ends with success when it is stopped by a signal, and when nobody reads the packets any more that -v prints.
func (p *program) loop(operands []string) error {
	if err := p.checkLoop(operands); err != nil {
		return err
	}
	debug.SetGCPercent(100) // it runs for long
	ctx, caught := catchSignals()
	ns, err := netcfg.Open(p.netns)
	if err != nil {
		return err
	}
	defer ns.Close()
	l := &loop.Loop{Namespace: ns, Ends: p.ends, MTU: p.properties.spec.MTU, Log: p.logStep}
	if !p.clean {
		if err := l.Check(); err != nil {
			return err
		}
	}
	if p.dryRun {
		return p.planLoop(ctx, l)
	}
	namespace, err := ns.Identity()
	if err != nil {
		return err
	}
	memory, err := state.OpenLoop(namespace)
	if err != nil {
		return err
	}
	defer memory.Close()
	l.Remember = memory.Remember
	if err := p.cleanLoop(l, memory); err != nil || p.clean {
		return err
	}
	err = p.runLoop(ctx, caught, l)
	if failed := l.End(); failed != nil {
		return errors.Join(err, failed, &usageHint{errors.New("not all of it could be removed"), "tunadm loop --clean"})
	}
	return errors.Join(err, memory.Forget())
}

// checkLoop refuses what cannot be meant.
func (p *program) checkLoop(operands []string) error {
	asked := len(p.ends[0].Addresses)+len(p.ends[1].Addresses) > 0
	switch {
	case len(operands) > 0:
		return &usageError{text: quote(operands[0]) + " stands where nothing is named", hint: "a command stands behind --: tunadm loop --a ADDR --b ADDR -- CMD"}
	case p.clean && (asked || p.command != nil || p.dryRun):
		return usagef("--clean goes with --netns, --verbose and --quiet alone")
	case p.clean:
		return nil
	case len(p.ends[0].Addresses) == 0 || len(p.ends[1].Addresses) == 0:
		return &usageError{text: "an address is needed for each end", hint: "tunadm loop --a 192.168.13.1 --b 192.168.13.2"}
	case p.command == nil:
		return nil
	case len(p.command) == 0:
		return usagef("no command behind --")
	}
	_, err := exec.LookPath(p.command[0])
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return &commandExit{code: exitNoProgram, err: fmt.Errorf("%s: no such command", netcfg.Escape(p.command[0]))}
	case err != nil:
		return &commandExit{code: exitNotExecutable, err: err}
	}
	return nil
}

// cleanLoop undoes what a loop that was killed left.
func (p *program) cleanLoop(l *loop.Loop, memory *state.Loop) error {
	var left loop.Memory
	found, err := memory.Recall(&left)
	if !found || err != nil {
		return err
	}
	if err := l.EndOf(&left); err != nil {
		return err
	}
	p.say("removed what a loop left that was killed")
	return memory.Forget()
}

func (p *program) planLoop(ctx context.Context, l *loop.Loop) error {
	steps, err := l.Plan(ctx)
	for _, s := range steps {
		fmt.Fprintln(p.stdout, s)
	}
	return err
}

func (p *program) logStep(s fmt.Stringer) {
	if p.verbose {
		fmt.Fprintln(p.stderr, s)
	}
}

// runLoop makes the loop, and carries its packets until the end.
func (p *program) runLoop(ctx context.Context, caught *interrupts, l *loop.Loop) error {
	if err := l.Make(ctx); err != nil {
		return err
	}
	whole := !p.verbose && p.command == nil
	attached, err := l.Attach(netcfg.Attachment{VnetHdr: whole, Offload: whole})
	if err != nil {
		return err
	}
	queues := [2]*os.File{attached[0].Queues[0], attached[1].Queues[0]}
	defer queues[0].Close()
	defer queues[1].Close()
	if err := l.Divert(ctx); err != nil {
		return err
	}
	p.sayReady(l)
	names := [2]string{l.Ends[0].Device, l.Ends[1].Device}
	if p.command != nil {
		return p.relayBy(caught, queues, names)
	}
	relay := packet.Relay{Names: names, Queues: queues}
	if p.verbose {
		p.stdout = patient{ctx, p.stdout}
		relay.Each = p.packetPrinter(names)
	}
	if err := relay.Run(ctx); !errors.Is(err, syscall.EPIPE) && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

func (p *program) sayReady(l *loop.Loop) {
	end := func(e loop.End) string {
		words := netcfg.Escape(e.Device)
		for _, ip := range e.Addresses {
			words += " " + ip.String()
		}
		return words
	}
	pref := l.Priorities
	p.say(fmt.Sprintf("%s <> %s is ready; rules %d, %d and %d, table %d", end(l.Ends[0]), end(l.Ends[1]), pref[0], pref[1], pref[2], l.Table))
}

// packetPrinter prints a line a packet.
func (p *program) packetPrinter(names [2]string) func(from, bytes int) error {
	var one sync.Mutex
	var line []byte
	for i := range names {
		names[i] = netcfg.Escape(names[i])
	}
	return func(from, bytes int) error {
		one.Lock()
		defer one.Unlock()
		line = append(append(append(line[:0], names[from]...), " > "...), names[1-from]...)
		line = append(strconv.AppendInt(append(line, ' '), int64(bytes), 10), " bytes\n"...)
		_, err := p.stdout.Write(line)
		return err
	}
}

// relayBy leaves the packets to the user's own program, and waits for it.
func (p *program) relayBy(caught *interrupts, queues [2]*os.File, names [2]string) error {
	cmd := exec.Command(p.command[0], p.command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, p.stdout, p.stderr
	cmd.Env = listenEnvironment(os.Environ(), names[:]) // its process has no number yet
	cmd.ExtraFiles = queues[:]
	return runCommand(caught, cmd, func() error { return errors.Join(queues[0].Close(), queues[1].Close()) })
}
