package commands

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tunadm/tunadm/internal/packet"
	"github.com/tunadm/tunadm/netcfg"
)

// tunnelPort is where a tunnel listens, or calls, if nothing else is said. It is simpletun's.
const tunnelPort = "55555"

var tunnelVerb = verb{
	name: "tunnel", operands: "NAME --plain {--listen ADDRESS[:PORT] | --connect HOST[:PORT]}",
	usage: "carry a device's packets to another host, in clear text",
	flags: func(p *program) []cli.Flag {
		return []cli.Flag{
			boolFlag("plain", "yes, in clear text, to whoever is at the other end", &p.plain),
			valueFlag(p, "listen", "wait for the other host on this `ADDRESS:PORT`", parseListen, func(a string) { p.listen = a }),
			valueFlag(p, "connect", "call the other host, again and again, at this `HOST:PORT`", parseConnect, func(a string) { p.connect = a }),
			boolFlag("udp", "a packet a datagram, instead of a TCP stream", &p.udp),
			netnsFlag(p),
			boolFlag("verbose", "print on standard error who comes and goes", &p.verbose, "v"),
		}
	},
	run: (*program).tunnel,
}

// tunnel ends with success when it is stopped by a signal.
func (p *program) tunnel(names []string) error {
	switch {
	case len(names) == 0:
		return &usageError{text: "no device is named", hint: "tunadm tunnel NAME --plain --listen ADDRESS | --connect HOST"}
	case len(names) > 1:
		return usagef("one device at a time")
	case !p.plain:
		return &usageError{
			text: "all would go in clear text, to whoever is at the other end: --plain says that it may",
			hint: "wg(8) encrypts; so does ssh -L around a tunnel, see the EXAMPLES of tunadm(8)",
		}
	case p.listen == "" && p.connect == "":
		return usagef("neither --listen nor --connect")
	case p.listen != "" && p.connect != "":
		return usagef("--listen and --connect exclude each other")
	}
	if err := checkNames(names, netcfg.CheckName); err != nil {
		return err
	}
	debug.SetGCPercent(100) // it runs for long
	ctx := signals()
	d, queue, err := p.attach(names[0])
	if err != nil {
		return err
	}
	t := packet.Tunnel{Device: d.Name, Queue: queue, Address: p.connect, UDP: p.udp, Trouble: func(text string) { p.sayOf(d.Name, text) }}
	if p.listen != "" {
		t.Address, t.Listen = p.listen, true
	}
	if p.verbose {
		t.Log = t.Trouble
	}
	t.Trouble("clear text: whoever is on the way reads and changes it, and whoever reaches the port takes part")
	return t.Run(ctx)
}

// attach opens the device's queue in the network namespace of --netns, on a thread that goes no further: sockets that are opened
// later are in the namespace of the caller.
func (p *program) attach(name string) (d *netcfg.Device, queue *os.File, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		var k *netcfg.Kernel
		if k, err = netcfg.Open(p.netns); err != nil {
			return
		}
		defer k.Close()
		var queues []*os.File
		if d, queues, err = k.Attach(name, netcfg.Attachment{}); err == nil {
			queue = queues[0]
		}
	}()
	<-done
	return d, queue, err
}

// parseListen takes an address of this host: a tunnel listens where it is told, and nowhere else.
func parseListen(s string) (string, error) {
	host, port, err := splitEnd(s)
	if err != nil {
		return "", err
	}
	if host == "" {
		return "", fmt.Errorf("%q names no address to listen on; [::]:%s are all there are, IPv4 too, and 0.0.0.0:%s those of IPv4", s, port, port)
	}
	if _, err := netip.ParseAddr(host); err != nil {
		return "", fmt.Errorf("%q is no IP address", host)
	}
	return net.JoinHostPort(host, port), nil
}

func parseConnect(s string) (string, error) {
	host, port, err := splitEnd(s)
	if err != nil {
		return "", err
	}
	if host == "" || strings.ContainsAny(host, " /") {
		return "", fmt.Errorf("%q names no host", s)
	}
	return net.JoinHostPort(host, port), nil
}

// splitEnd takes HOST, HOST:PORT, [HOST] and [HOST]:PORT apart. An IPv6 address with a port stands in brackets.
func splitEnd(s string) (host, port string, err error) {
	if _, err := netip.ParseAddr(s); err == nil {
		return s, tunnelPort, nil
	}
	if inner, ok := strings.CutPrefix(s, "["); ok && strings.HasSuffix(inner, "]") {
		return strings.TrimSuffix(inner, "]"), tunnelPort, nil
	}
	if !strings.Contains(s, ":") {
		return s, tunnelPort, nil
	}
	if host, port, err = net.SplitHostPort(s); err != nil {
		return "", "", errors.New(quote(s) + " is no HOST:PORT; an IPv6 address stands in brackets")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", "", fmt.Errorf("%q is no port: 1 to 65535 are", port)
	}
	return host, port, nil
}
