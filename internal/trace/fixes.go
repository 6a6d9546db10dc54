package trace

import (
	"net/netip"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
)

// command returns a fix that is one command, for the network namespace.
func command(words ...string) []fix.Fix { return []fix.Fix{fix.Run(fix.InNamespace(words...))} }

// see returns a fix that shows the reader where to look.
func see(words ...string) []fix.Fix {
	return []fix.Fix{{Before: "look at ", Commands: []fix.Command{fix.InNamespace(words...)}}}
}

// family returns the name of the packet's family below /proc/sys/net.
func (e *Event) family() string {
	if e.To.Is6() {
		return "ipv6"
	}
	return "ipv4"
}

// familyFlag returns the flag of ip(8) for the packet's family.
func (e *Event) familyFlag() string {
	if e.To.Is6() {
		return "-6"
	}
	return "-4"
}

func bringUp(_ *Trace, e *Event) []fix.Fix {
	return command("ip", "link", "set", "dev", e.Device, "up")
}

func startProgram(*Trace, *Event) []fix.Fix {
	return []fix.Fix{fix.Sentence("start the program that reads the device")}
}

func longerQueue(t *Trace, _ *Event) []fix.Fix {
	return []fix.Fix{
		fix.Sentence("make the program read: check that it is not stopped, busy or waiting"),
		{Before: "if it drops bursts only: ",
			Commands: []fix.Command{fix.Tunadm("set", t.target.Name, "--txqueuelen", "5000")}},
	}
}

func longerBacklog(*Trace, *Event) []fix.Fix {
	return []fix.Fix{fix.Run(fix.ByRoot("sysctl", "-w", "net.core.netdev_max_backlog=5000"))}
}

// removeXDP removes the program: behind the driver, or in the driver of a tap.
func removeXDP(_ *Trace, e *Event) []fix.Fix {
	off := func(mode string) fix.Command {
		return fix.InNamespace("ip", "link", "set", "dev", e.Device, mode, "off")
	}
	return []fix.Fix{fix.Run(off("xdpgeneric")), {Before: "if it is still attached: ",
		Commands: []fix.Command{off("xdpdrv")}}}
}

func showIngress(_ *Trace, e *Event) []fix.Fix {
	return see("tc", "-s", "filter", "show", "dev", e.Device, "ingress")
}

func showEgress(_ *Trace, e *Event) []fix.Fix {
	return see("tc", "-s", "filter", "show", "dev", e.Device, "egress")
}

func showQueueing(_ *Trace, e *Event) []fix.Fix {
	return see("tc", "-s", "qdisc", "show", "dev", e.Device)
}

func forwardPort(_ *Trace, e *Event) []fix.Fix {
	return command("bridge", "link", "set", "dev", e.In, "state", "3")
}

func showPort(_ *Trace, e *Event) []fix.Fix { return see("bridge", "-d", "link", "show", "dev", e.In) }

// loosenFilter accepts packets whose source is routed through any device. The larger value of the device and of all
// counts, so that of the device is enough.
func loosenFilter(_ *Trace, e *Event) []fix.Fix {
	return []fix.Fix{fix.Run(fix.Sysctl("ipv4", e.In, "rp_filter", "2"))}
}

// acceptSource accepts the source of a packet that the kernel refused for one of several reasons.
func acceptSource(t *Trace, e *Event) []fix.Fix {
	if t.deviceOf(e.From) != "" {
		return acceptLocal(t, e)
	}
	for _, where := range []string{"all", e.In} {
		if value := t.host.sysctl("ipv4", where, "rp_filter"); value == "1" {
			return loosenFilter(t, e)
		}
	}
	return nil
}

func acceptLocal(_ *Trace, e *Event) []fix.Fix {
	return []fix.Fix{fix.Run(fix.Sysctl("ipv4", e.In, "accept_local", "1"))}
}

func routeLocalnet(_ *Trace, e *Event) []fix.Fix {
	return []fix.Fix{fix.Run(fix.Sysctl("ipv4", e.In, "route_localnet", "1"))}
}

// forward has this host forward what arrives through the device, unless the destination is behind the same device. IPv6
// has a setting of all devices, and since Linux 6.17 one of a single device.
func forward(t *Trace, e *Event) []fix.Fix {
	where, name := e.In, "forwarding"
	if e.To.Is6() {
		where = "all"
	}
	if t.host.sysctl(e.family(), where, name) != "0" || behind(e.InIndex, e.To) {
		return nil
	}
	if e.To.Is6() && t.host.sysctl(e.family(), e.In, "force_forwarding") == "0" {
		where, name = e.In, "force_forwarding"
	}
	return []fix.Fix{fix.Run(fix.Sysctl(e.family(), where, name, "1"))}
}

// behind reports whether an address is in a network of the device.
func behind(device int, ip netip.Addr) bool {
	h, err := evidence.Open()
	if err != nil {
		return false
	}
	defer h.Close()
	for _, a := range h.Addresses(device, ip.Is6()) {
		network := a.Local
		if a.Peer.IsValid() {
			network = a.Peer
		}
		if netip.PrefixFrom(network, a.Bits).Contains(ip) {
			return true
		}
	}
	return false
}

func routeOrForward(t *Trace, e *Event) []fix.Fix {
	if e.InIndex != 0 {
		if fixes := forward(t, e); fixes != nil {
			return fixes
		}
	}
	if !e.To.IsValid() {
		return nil
	}
	get := []string{"ip", e.familyFlag(), "route", "get", e.To.String(), "from", e.From.String()}
	if e.InIndex != 0 {
		get = append(get, "iif", e.In)
	}
	return see(get...)
}

func addLocalRoute(t *Trace, e *Event) []fix.Fix {
	own := e.To.String()
	return command("ip", e.familyFlag(), "route", "add", "local", own, "dev", t.deviceOf(e.To),
		"table", "local", "proto", "kernel", "scope", "host", "src", own)
}

func enableIPv6(_ *Trace, e *Event) []fix.Fix {
	return []fix.Fix{fix.Run(fix.Sysctl("ipv6", e.In, "disable_ipv6", "0"))}
}

func showFirewall(*Trace, *Event) []fix.Fix { return see("nft", "list", "ruleset") }

func showPolicies(*Trace, *Event) []fix.Fix { return see("ip", "xfrm", "policy") }

func showNeighbour(_ *Trace, e *Event) []fix.Fix {
	if !e.To.IsValid() {
		return nil
	}
	return see("ip", "neighbour", "show", "to", e.To.String(), "dev", e.Device)
}

func showSockets(*Trace, *Event) []fix.Fix { return see("ss", "-lnptu") }
