package commands

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
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
			valueFlag(p, "peer", "with --listen and --udp: hear this `ADDRESS[:PORT]` alone", parsePeer, func(a netip.AddrPort) { p.peer = a }),
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
	case p.peer.IsValid() && (!p.udp || p.listen == ""):
		return usagef("--peer goes with --listen and --udp")
	case p.peer.IsValid() && !hears(p.listen, p.peer.Addr()):
		return usagef("--peer %s: its packets never come to %s, which is of the other family", p.peer.Addr(), p.listen)
	}
	if err := checkNames(names, netcfg.CheckName); err != nil {
		return err
	}
	debug.SetGCPercent(100) // it runs for long
	if err := packet.CheckPoller(); err != nil {
		return err
	}
	ctx := signals()
	t := packet.Tunnel{Device: names[0], Address: p.connect, UDP: p.udp, Peer: p.peer, Trouble: func(text string) { p.sayOf(names[0], text) }}
	if p.listen != "" {
		t.Address, t.Listen = p.listen, true
	}
	if p.verbose {
		t.Log = t.Trouble
	}
	kernel := kernelOf(p.netns)
	var attached []*netcfg.Attached
	err := kernel.do(func(ns *netcfg.Namespace) (err error) {
		attached, err = ns.PrepareAttach(netcfg.Attachment{Device: names[0], Poll: true})
		return err
	})
	if err != nil {
		return err
	}
	t.Device = attached[0].Name
	if err := t.Open(ctx); err != nil {
		return err
	}
	if err := kernel.do(func(ns *netcfg.Namespace) error { return ns.Attach(attached, nil) }); err != nil {
		return err
	}
	if err = netcfg.Start(attached); err == nil {
		t.Queue = attached[0].Queues[0]
		t.Trouble("clear text: whoever is on the way reads and changes it, and whoever reaches the port takes part")
		err = t.Run(ctx)
	}
	return errors.Join(err, kernel.do(func(ns *netcfg.Namespace) error { return ns.Detach(attached) }))
}

// A kernelElsewhere does its work in a network namespace on a thread of its own: sockets that others open are in the namespace of the caller.
type kernelElsewhere struct {
	work chan func(*netcfg.Namespace) error
	done chan error
}

// kernelOf opens a namespace. Where that fails, all work does.
func kernelOf(netns string) *kernelElsewhere {
	e := &kernelElsewhere{work: make(chan func(*netcfg.Namespace) error), done: make(chan error)}
	go func() {
		ns, err := netcfg.Open(netns)
		for work := range e.work {
			if err == nil {
				e.done <- work(ns)
			} else {
				e.done <- err
			}
		}
	}()
	return e
}

func (e *kernelElsewhere) do(work func(*netcfg.Namespace) error) error {
	e.work <- work
	return <-e.done
}

// parsePeer reads the address of the peer: ADDRESS, ADDRESS:PORT, [ADDRESS] or [ADDRESS]:PORT, with brackets for IPv6.
// Without a port it is 0, which is any.
func parsePeer(s string) (netip.AddrPort, error) {
	bare := s
	if inner, ok := strings.CutPrefix(s, "["); ok && strings.HasSuffix(s, "]") && strings.Contains(s, ":") {
		bare = strings.TrimSuffix(inner, "]")
	}
	if a, err := netip.ParseAddr(bare); err == nil {
		return netip.AddrPortFrom(a.Unmap(), 0), nil
	}
	peer, err := netip.ParseAddrPort(s)
	if err != nil || peer.Port() == 0 {
		return peer, fmt.Errorf("%q is no ADDRESS or ADDRESS:PORT; an IPv6 address with a port stands in brackets", s)
	}
	return netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port()), nil
}

// hears reports whether a socket that listens on host:port gets the datagrams of a peer: [::] gets those of IPv4 too.
func hears(listen string, peer netip.Addr) bool {
	at, err := netip.ParseAddrPort(listen)
	both := at.Addr() == netip.IPv6Unspecified()
	return err != nil || both || at.Addr().Unmap().Is4() == peer.Is4()
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
