package commands

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"github.com/tunadm/tunadm/internal/attach"
	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/packet"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

var echoVerb = verb{
	name: "echo", page: "tunadm-packets(8)", operands: "NAME", operand: deviceName, lasting: true,
	usage:   "attach to a device and answer pings, to prove that it works",
	command: func(p *program) command { return &echoOptions{program: p} },
}

type echoOptions struct {
	*program
	netns string
}

func (o *echoOptions) flags() []*option {
	return []*option{
		verboseFlag(o.program, "print each packet on standard error, and whether it is answered"),
		netnsFlag(&o.netns),
	}
}

// run answers pings until it is stopped.
func (o *echoOptions) run(names []string) error {
	c := carrier{program: o.program, netns: o.netns, prepare: refusePort, begin: o.respond}
	return c.carry(names)
}

// refusePort refuses a device that is in a bridge.
func refusePort(d *netcfg.Device) (undo func(), err error) {
	if d.Master != "" && d.MasterKind != "vrf" {
		return nil, &cause.Error{
			Device: d.Name, Detail: "it is a port of a bridge: echo would answer for all hosts of its network",
			Fix: fix.Fix{Commands: []fix.Command{fix.Tunadm("set", d.Name, "--no-master")},
				After: " takes it out of " + words.Escape(d.Master)},
		}
	}
	return func() {}, nil
}

func (o *echoOptions) respond(ctx context.Context, ns *netcfg.Namespace, a *attach.Attached) (take, error) {
	if a.Up {
		if err := attach.AwaitRunning(ctx, ns, a.Index); err != nil {
			return nil, err
		}
		o.sayOf(a.Name, "answers now")
	}
	r := &packet.Responder{Mode: a.Mode, MAC: [6]byte(link.RandomMAC(stationMAC)), Broadcasts: broadcasts(a.Device)}
	return func(b []byte) error {
		answer := r.Respond(b)
		if o.verbose {
			reaction := map[bool]string{true: "(answered)", false: "(ignored)"}[answer != nil]
			fmt.Fprintf(o.stderr, "%s  %s\n", packet.Describe(b, a.Mode), reaction)
		}
		if answer == nil {
			return nil
		}
		_, err := a.Queues[0].Write(answer)
		if errors.Is(err, syscall.EIO) || errors.Is(err, syscall.EAGAIN) { // the device is down, or its queue is full
			return nil
		}
		return err
	}, nil
}

// stationMAC is the first byte of echo's own MAC address: it is locally administered.
const stationMAC = 0x02

// broadcasts returns the broadcast addresses of the device's IPv4 networks.
func broadcasts(d *netcfg.Device) (all []netip.Addr) {
	for _, a := range d.Addresses {
		if last, ok := broadcast(a); ok {
			all = append(all, last)
		}
	}
	return all
}

// broadcast returns the last address of the address's IPv4 network. It returns false if the network has no broadcast
// address.
func broadcast(a netcfg.Address) (netip.Addr, bool) {
	if !a.Local.Is4() || a.Peer.IsValid() || a.Bits > 30 {
		return netip.Addr{}, false
	}
	last := a.Local.As4()
	for i := a.Bits; i < 32; i++ {
		last[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(last), true
}
