package commands

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/attach"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/packet"
	"github.com/tunadm/tunadm/netcfg"
)

// tunnelPort is the default port, that of simpletun.
const tunnelPort = "55555"

var tunnelVerb = verb{
	name: "tunnel", page: "tunadm-packets(8)",
	operands: "NAME --plain {--listen ADDRESS[:PORT] | --connect HOST[:PORT]}", operand: deviceName, lasting: true,
	usage:   "carry the packets of a device to another host in clear text",
	command: func(p *program) command { return &tunnelOptions{program: p} },
}

type tunnelOptions struct {
	*program
	netns           string
	plain, udp      bool
	listen, connect string         // "host:port"; "": not given
	peer            netip.AddrPort // invalid: the first that connects
}

func (o *tunnelOptions) flags() []*option {
	return []*option{
		switchFlag("plain", "confirm that packets travel in clear text, to an unauthenticated host", &o.plain),
		valueFlag("listen", "wait for the other host at `ADDRESS[:PORT]`", parseListen, &o.listen),
		valueFlag("connect", "connect to the other host at `HOST[:PORT]`, and reconnect", parseConnect, &o.connect),
		switchFlag("udp", "send a datagram for each packet, instead of a TCP stream", &o.udp),
		valueFlag("peer", "with --listen and --udp: accept packets only from `ADDRESS[:PORT]`", parsePeer,
			&o.peer),
		netnsOfDevice(&o.netns, "the sockets are"),
		verboseFlag(o.program, "print connections on standard error"),
	}
}

// check returns an error if the command line makes no sense.
func (o *tunnelOptions) check(names []string) error {
	switch {
	case len(names) == 0:
		return usage("no device is named", "tunadm tunnel NAME --plain --listen ADDRESS | --connect HOST")
	case len(names) > 1:
		return usagef("exactly one device must be named")
	case !o.plain:
		return usage("packets would travel in clear text, to an unauthenticated host: confirm that with --plain",
			"wg(8) encrypts; so does ssh -L around a tunnel, see the EXAMPLES of tunadm-packets(8)")
	case o.listen == "" && o.connect == "":
		return usage("neither --listen nor --connect is given",
			"one host waits with --listen ADDRESS, the other one connects with --connect HOST")
	case o.listen != "" && o.connect != "":
		return usagef("--listen and --connect exclude each other")
	case o.peer.IsValid() && (!o.udp || o.listen == ""):
		return usagef("--peer requires --listen and --udp")
	case o.peer.IsValid() && !hears(o.listen, o.peer.Addr()):
		return usagef("--peer %s: the other address family cannot reach %s", o.peer.Addr(), o.listen)
	}
	return nil
}

// run carries packets, and returns nil after a signal.
func (o *tunnelOptions) run(names []string) error {
	if err := o.check(names); err != nil {
		return err
	}
	debug.SetGCPercent(100) // the run may be long
	if err := packet.CheckPoller(); err != nil {
		return err
	}
	ctx := o.signals()
	t := packet.Tunnel{Device: names[0], Address: o.connect, UDP: o.udp, Peer: o.peer}
	t.Trouble = func(text string) { o.sayOf(names[0], text) }
	if o.listen != "" {
		t.Address, t.Listen = o.listen, true
	}
	if o.verbose {
		t.Log = t.Trouble
	}
	thread := openOnThread(o.netns)
	var attached []*attach.Attached
	err := thread.do(func(ns *netcfg.Namespace) (err error) {
		attached, t.Offload, err = prepareTunnel(ns, names[0])
		return err
	})
	if err != nil {
		return err
	}
	t.Device, t.Tap = attached[0].Name, attached[0].Mode == link.TAP
	if err := t.Open(ctx); err != nil {
		return err
	}
	if err := thread.do(func(ns *netcfg.Namespace) error { return attach.Attach(ns, attached, nil) }); err != nil {
		return err
	}
	if err = attach.Start(attached); err == nil {
		t.Queue = attached[0].Queues[0]
		warning := "packets travel in clear text: hosts on the path can read and change them"
		switch {
		case t.Peer.IsValid():
			warning += ", and any host that can forge the address " + t.Peer.Addr().String() + " can send packets"
		case t.Listen:
			warning += ", and any host that reaches the port can send packets"
		}
		t.Trouble(warning)
		runtime.GOMAXPROCS(1) // one goroutine carries the packets; otherwise the runtime wakes threads without work
		err = t.Run(ctx)
	}
	return errors.Join(err, thread.do(func(ns *netcfg.Namespace) error { return attach.Detach(ns, attached) }))
}

// prepareTunnel prepares to attach to a device, and reports whether with offload. It does so without if the packets are
// long anyway, or if the device is multi-queue: its queues all have virtio headers or none has, and other programs may
// expect none.
func prepareTunnel(ns *netcfg.Namespace, name string) (attached []*attach.Attached, offload bool, err error) {
	whole := attach.Request{Device: name, VnetHdr: true, Offload: true}
	attached, err = attach.Prepare(ns, whole)
	if err != nil || !attached[0].MultiQueue && attached[0].MTU <= packet.OffloadMTU {
		return attached, true, err
	}
	attached, err = attach.Prepare(ns, attach.Request{Device: name})
	return attached, false, err
}

// A namespaceThread works in a network namespace on a separate thread, so that the sockets of other threads stay in the
// caller's namespace.
type namespaceThread struct {
	work chan func(*netcfg.Namespace) error
	done chan error
}

// openOnThread opens a namespace. If that fails, each do returns the error.
func openOnThread(netns string) *namespaceThread {
	e := &namespaceThread{work: make(chan func(*netcfg.Namespace) error), done: make(chan error)}
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

func (e *namespaceThread) do(work func(*netcfg.Namespace) error) error {
	e.work <- work
	return <-e.done
}

// parsePeer parses the address of the peer: ADDRESS, ADDRESS:PORT, [ADDRESS] or [ADDRESS]:PORT, with brackets for IPv6.
// Port 0 means any.
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
		return peer, fmt.Errorf("%q is not ADDRESS or ADDRESS:PORT; an IPv6 address with a port requires brackets", s)
	}
	return netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port()), nil
}

// hears reports whether a socket that listens on host:port receives datagrams of a peer. [::] receives those of IPv4
// too.
func hears(listen string, peer netip.Addr) bool {
	at, err := netip.ParseAddrPort(listen)
	both := at.Addr() == netip.IPv6Unspecified()
	return err != nil || both || at.Addr().Unmap().Is4() == peer.Is4()
}

// parseListen parses an address of this host. There is no default.
func parseListen(s string) (string, error) {
	host, port, err := splitEnd(s)
	if err != nil {
		return "", err
	}
	_, isPort := strconv.ParseUint(host, 10, 16)
	if isPort == nil {
		port = host
	}
	if host == "" || isPort == nil {
		return "", fmt.Errorf("%q has no address: [::]:%s accepts connections to all addresses of this host, "+
			"0.0.0.0:%s to its IPv4 addresses", s, port, port)
	}
	if _, err := netip.ParseAddr(host); err != nil {
		return "", fmt.Errorf("%q is not an IP address", host)
	}
	return net.JoinHostPort(host, port), nil
}

func parseConnect(s string) (string, error) {
	host, port, err := splitEnd(s)
	if err != nil {
		return "", err
	}
	if host == "" || strings.ContainsAny(host, " /") {
		return "", fmt.Errorf("%q has no host", s)
	}
	return net.JoinHostPort(host, port), nil
}

// splitEnd splits HOST, HOST:PORT, [HOST] and [HOST]:PORT. An IPv6 address with a port requires brackets.
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
	if host, port, err = net.SplitHostPort(s); err != nil || strings.Contains(s, "/") {
		return "", "", errors.New(quote(s) + " is not HOST:PORT; an IPv6 address requires brackets")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", "", fmt.Errorf("%q is not a port from 1 to 65535", port)
	}
	return host, port, nil
}
