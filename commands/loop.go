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
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/tunadm/tunadm/internal/attach"
	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/loop"
	"github.com/tunadm/tunadm/internal/packet"
	"github.com/tunadm/tunadm/internal/state"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

var loopVerb = verb{
	name: "loop", page: "tunadm-packets(8)", operands: "--a ADDR --b ADDR [-- CMD ARGS]", lasting: true,
	usage:   "route traffic between two local addresses through a pair of tuns and a relay",
	command: func(p *program) command { return &loopOptions{program: p} },
}

type loopOptions struct {
	*program
	netns         string
	ends          [2]loop.End
	mtu           *int
	clean, dryRun bool
	line          []string // the user's relay and its arguments; nil: none is given
}

func (o *loopOptions) flags() []*option {
	end := func(name string, e *loop.End) []*option {
		return []*option{
			listFlag(name, "`ADDR` is the address of this end, IPv4 or IPv6; repeat it to give both", parseEnd,
				&e.Addresses),
			valueFlag(name+"-device", "use the existing tun `NAME`, and restore it afterwards", parseDevice, &e.Device),
		}
	}
	return append(append(end("a", &o.ends[0]), end("b", &o.ends[1])...),
		pointerFlag("mtu", "maximum packet size of both tuns in `BYTES`", parseInt(link.MTUMin, link.MTUMax), &o.mtu),
		switchFlag("clean", "only remove the remains of a killed loop", &o.clean),
		switchFlag("dry-run", "print the steps and change nothing", &o.dryRun),
		netnsFlag(&o.netns),
		verboseFlag(o.program, "print each packet, and each step on standard error"),
		quietFlag(o.program, "print errors and packets only"),
	)
}

func (o *loopOptions) launches(line []string) { o.line = line }

// parseEnd parses an address without a prefix length.
func parseEnd(s string) (netip.Addr, error) {
	a, err := netcfg.ParseAddress(s)
	if err == nil && (a.Peer.IsValid() || strings.Contains(s, "/")) {
		err = fmt.Errorf("%q is not only an address: an end has no prefix length and no peer", s)
	}
	return a.Local, err
}

func parseDevice(name string) (string, error) { return name, deviceName(name) }

// run returns nil after a signal, and if the reader of the packets that --verbose prints goes away.
func (o *loopOptions) run(operands []string) error {
	if err := o.check(operands); err != nil {
		return err
	}
	debug.SetGCPercent(100) // the run may be long
	ctx, caught := o.catchSignals()
	ns, err := netcfg.Open(o.netns)
	if err != nil {
		return err
	}
	defer ns.Close()
	warn := func(device, text string) { o.sayOf(device, "warning: "+text) }
	l := &loop.Loop{Namespace: ns, Ends: o.ends, MTU: o.mtu, Log: o.logStep, Warn: warn}
	if !o.clean {
		if err := l.Check(); err != nil {
			return err
		}
	}
	if o.dryRun {
		return o.plan(ctx, l)
	}
	namespace, err := ns.Identity()
	if err != nil {
		return err
	}
	memory, err := state.Run.OpenLoop(namespace)
	if err != nil {
		return err
	}
	defer memory.Close()
	l.Remember = memory.Remember
	if err := o.removeLeft(l, memory); err != nil || o.clean {
		return err
	}
	err = o.relay(ctx, caught, l)
	if failed := l.End(); failed != nil {
		left := &exitError{code: exitFailed, err: errors.New("not all of it could be removed")}
		left.fix = fix.Run(fix.Tunadm("loop", "", "--clean"))
		return errors.Join(err, failed, left)
	}
	return errors.Join(err, memory.Forget())
}

// check returns an error if the command line makes no sense or names a command that cannot be executed.
func (o *loopOptions) check(operands []string) error {
	addresses := [2]int{len(o.ends[0].Addresses), len(o.ends[1].Addresses)}
	switch {
	case len(operands) > 0:
		hint := "a command follows --: tunadm loop --a ADDR --b ADDR -- CMD"
		return usage(quote(operands[0])+": loop has no operands", hint)
	case o.clean && (addresses != [2]int{} || o.line != nil || o.dryRun):
		return usagef("--clean can be combined with --netns, --verbose and --quiet only")
	case o.clean:
		return nil
	case addresses[0] == 0 || addresses[1] == 0:
		return usage("each end requires an address", "tunadm loop --a 192.168.13.1 --b 192.168.13.2")
	case o.mtu != nil && *o.mtu < link.MTUMinV6 && slices.ContainsFunc(o.ends[0].Addresses, netip.Addr.Is6):
		return usagef("--mtu: IPv6 requires an MTU of %d or more", link.MTUMinV6)
	case o.line == nil:
		return nil
	case len(o.line) == 0:
		return usagef("no command follows --")
	case o.line[0] == "":
		return usagef("the name of the command is empty")
	}
	_, err := exec.LookPath(o.line[0])
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return &exitError{code: exitNoProgram, err: fmt.Errorf("%s: no such command", words.Escape(o.line[0]))}
	case err != nil:
		return notExecutable(o.line[0], err)
	}
	return nil
}

// removeLeft removes what a killed loop left.
func (o *loopOptions) removeLeft(l *loop.Loop, memory *state.Loop) error {
	var left loop.Memory
	found, err := memory.Recall(&left)
	if !found || err != nil {
		return err
	}
	if err := l.EndOf(&left); err != nil {
		return err
	}
	o.say("removed what a killed loop left")
	return memory.Forget()
}

// plan prints the steps. Unlike a real run, it does not remove what a killed loop left.
func (o *loopOptions) plan(ctx context.Context, l *loop.Loop) error {
	steps, err := l.Plan(ctx)
	if e := new(cause.Error); errors.As(err, &e) && e.Device == "" && e.Fix.IsZero() {
		clean := []fix.Command{fix.Tunadm("loop", "", "--clean")}
		e.Fix = fix.Fix{Before: "if a killed loop left it: ", Commands: clean}
	}
	if err != nil {
		return err // the loop would do none of the steps
	}
	for _, s := range steps {
		if _, err := fmt.Fprintln(o.stdout, s); err != nil {
			return err
		}
	}
	return nil
}

// relay sets the loop up and relays its packets until the run ends.
func (o *loopOptions) relay(ctx context.Context, caught *interrupts, l *loop.Loop) error {
	if err := l.Make(ctx); err != nil {
		return err
	}
	whole := !o.verbose && o.line == nil
	attached, err := l.Attach(attach.Request{VnetHdr: whole, Offload: whole})
	if err != nil {
		return err
	}
	queues := [2]*os.File{attached[0].Queues[0], attached[1].Queues[0]}
	defer queues[0].Close()
	defer queues[1].Close()
	if err := l.Divert(ctx); err != nil {
		return err
	}
	o.sayReady(l)
	names := [2]string{l.Ends[0].Device, l.Ends[1].Device}
	if o.line != nil {
		return o.relayBy(caught, queues, names)
	}
	relay := packet.Relay{Names: names, Queues: queues}
	if o.verbose {
		o.stdout = patient{ctx, plainly(o.stdout)}
		relay.Each = packetPrinter(o.stdout, names)
	}
	runtime.GOMAXPROCS(1) // one goroutine carries the packets; otherwise the runtime wakes threads without work
	if err := relay.Run(ctx); !errors.Is(err, syscall.EPIPE) && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

func (o *loopOptions) sayReady(l *loop.Loop) {
	end := func(e loop.End) string {
		words := words.Escape(e.Device)
		for _, ip := range e.Addresses {
			words += " " + ip.String()
		}
		return words
	}
	pref := l.Priorities
	o.say(fmt.Sprintf("%s <> %s is ready; rules %d, %d and %d, table %d",
		end(l.Ends[0]), end(l.Ends[1]), pref[0], pref[1], pref[2], l.Table))
}

// packetPrinter returns a function that prints a line for a packet.
func packetPrinter(to io.Writer, names [2]string) func(from, bytes int) error {
	var one sync.Mutex
	var line []byte
	for i := range names {
		names[i] = words.Escape(names[i])
	}
	return func(from, bytes int) error {
		one.Lock()
		defer one.Unlock()
		line = append(append(append(line[:0], names[from]...), " > "...), names[1-from]...)
		line = append(strconv.AppendInt(append(line, ' '), int64(bytes), 10), " bytes\n"...)
		_, err := to.Write(line)
		return err
	}
}

// relayBy runs the user's relay, and waits for it.
func (o *loopOptions) relayBy(caught *interrupts, queues [2]*os.File, names [2]string) error {
	cmd := exec.Command(o.line[0], o.line[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, plainly(o.stdout), plainly(o.stderr)
	cmd.Env = listenEnvironment(os.Environ(), names[:]) // LISTEN_PID is left out: its PID is not known yet
	cmd.ExtraFiles = queues[:]
	return runCommand(caught, cmd, func() error { return errors.Join(queues[0].Close(), queues[1].Close()) })
}
