package commands

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/tunadm/tunadm/internal/packet"
	"github.com/tunadm/tunadm/netcfg"
)

var echoVerb = verb{
	name: "echo", operands: "NAME",
	usage: "attach, and answer pings: proof that a device works",
	flags: func(p *program) []cli.Flag {
		return []cli.Flag{
			boolFlag("verbose", "print each packet on standard error, and whether it is answered", &p.verbose, "v"),
			netnsFlag(p),
		}
	},
	run: (*program).echo,
}

func (p *program) echo(names []string) error {
	return p.carry(names, carrier{prepare: refusePort, begin: p.respond})
}

// refusePort refuses a device that is in a bridge.
func refusePort(d *netcfg.Device) (undo func(), err error) {
	if d.Master != "" && d.MasterKind != "vrf" {
		return nil, &netcfg.Error{Device: d.Name, Detail: "it is a port of " + netcfg.Escape(d.Master) + ", in whose network it would answer for all hosts"}
	}
	return func() {}, nil
}

func (p *program) respond(ctx context.Context, ns *netcfg.Namespace, a *netcfg.Attached) (take, error) {
	if a.Up {
		if err := ns.AwaitRunning(ctx, a.Index); err != nil {
			return nil, err
		}
		p.sayOf(a.Name, "answers now")
	}
	r := &packet.Responder{Mode: a.Mode, MAC: stationMAC(), Broadcasts: broadcasts(a.Device)}
	return func(b []byte) error {
		answer := r.Respond(b)
		if p.verbose {
			fmt.Fprintf(patient{ctx, p.stderr}, "%s  %s\n", packet.Describe(b, a.Mode), map[bool]string{true: "(answered)", false: "(ignored)"}[answer != nil])
		}
		if answer == nil {
			return nil
		}
		_, err := a.Queues[0].Write(answer)
		if errors.Is(err, syscall.EIO) || errors.Is(err, syscall.EAGAIN) { // it went down meanwhile, or has no room
			return nil
		}
		return err
	}, nil
}

// stationMAC is a random Ethernet address, of those that anybody may use.
func stationMAC() (mac [6]byte) {
	n := rand.Uint64()
	for i := range mac {
		mac[i] = byte(n >> (8 * i))
	}
	mac[0] = 0x02
	return mac
}

// broadcasts are the last addresses of the device's IPv4 networks.
func broadcasts(d *netcfg.Device) (all []netip.Addr) {
	for _, a := range d.Addresses {
		if last, ok := a.Broadcast(); ok {
			all = append(all, last)
		}
	}
	return all
}
