package doctor

import (
	"fmt"
	"time"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/firewall"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// bridgeStages are the places that a frame of the program passes on its way to the other ports of the bridge.
func bridgeStages() []stage {
	return []stage{{"port-state", portState}, {"port-vlan", portVLAN}, {"port-locked", portLocked},
		{"port-mac", portMAC}, {"port-ip", portIP}, {"port-isolated", portIsolated}, {"other-port", otherPort},
		{"bridge-alone", bridgeAlone},
		{"firewall", hooks(firewall.BridgeForward, firewall.Forward, firewall.BridgePostrouting)},
		{"firewall", frameResolution}}
}

// egressStages are the places that a frame passes in a bridge before the port that is the device transmits it.
func egressStages() []stage {
	return []stage{{"port-state", portState}, {"port-vlan", portVLAN}, {"port-flood", portFlood},
		{"port-database", portDatabase}, {"port-mtu", portMTU},
		{"firewall", hooks(firewall.BridgeForward, firewall.Forward, firewall.BridgePostrouting, firewall.Egress)},
		{"firewall", frameResolution}}
}

// port returns the device as a port of its bridge; nil: it is none, is down, or has no carrier. The kernel disables a
// port without a carrier itself.
func (j *journey) port() (*evidence.Port, *netcfg.Device) {
	if j.device.MasterKind != "bridge" || !j.device.Up || !j.device.Carrier {
		return nil, nil
	}
	return j.host.Ports()[j.device.Index], j.link(j.device.Master)
}

// enabled reads a disabled port again: the kernel enables it up to a second after a program attached to it.
func (j *journey) enabled(number int) *evidence.Port {
	const pause, longest = 20 * time.Millisecond, 1200 * time.Millisecond
	for range longest / pause {
		j.host.ForgetPorts()
		if p := j.host.Ports()[number]; p == nil || p.State != evidence.PortDisabled {
			return p
		}
		time.Sleep(pause)
	}
	return j.host.Ports()[number]
}

// portState finds a port that does not forward: by STP, by BPDU guard, or by hand.
func portState(j *journey) []Finding {
	p, br := j.port()
	if p != nil && p.State == evidence.PortDisabled {
		p = j.enabled(p.Index)
	}
	if p == nil || br == nil || p.State == evidence.PortForwarding {
		return nil
	}
	b := j.host.Bridge(br.Index)
	if b == nil {
		return nil
	}
	name, master := j.device.Name, words.Escape(br.Name)
	state := [...]string{"disabled", "listening", "learning", "forwarding", "blocking"}[min(p.State, 4)]
	what := fmt.Sprintf("the port is in the STP state %s, so the bridge %s drops its frames", state, master)
	again := fix.Run(ip("link", "set", "dev", name, "nomaster"), ip("link", "set", "dev", name, "master", br.Name))
	off := fix.Run(append([]fix.Command{ip("link", "set", "dev", br.Name, "type", "bridge", "stp_state", "0")},
		again.Commands...)...)
	off.After = "  # only if no other path leads back to the bridge; until the next boot"
	switch {
	case b.STP && (p.State == evidence.PortListening || p.State == evidence.PortLearning):
		return one(Warning, what, waits(b), waitFor(b), off)
	case b.STP && p.State == evidence.PortBlocking:
		return one(Warning, what, "STP found another path to the same network, and keeps this one in reserve",
			fix.Sentence("inspect the paths: bridge -d link show"), off)
	case p.Guard && p.State == evidence.PortDisabled:
		return one(Error, what, "BPDU guard disables a port on which an STP frame arrives",
			fix.Run(ip("link", "set", "dev", name, "type", "bridge_slave", "guard", "off"),
				ip("link", "set", "dev", name, "down"), ip("link", "set", "dev", name, "up")))
	case b.STP:
		return one(Error, what, "", again)
	}
	return one(Error, what, "an administrator or a program set the state",
		fix.Run(fix.InNamespace("bridge", "link", "set", "dev", name, "state", "3")))
}

// waits returns for how long a bridge does not use a new port.
func waits(b *evidence.Bridge) string {
	return "STP waits twice the forward delay of " + rtnl.ForwardDelay.Decimal(b.ForwardDelay) +
		" s before a new port forwards"
}

func waitFor(b *evidence.Bridge) fix.Fix {
	return fix.Sentence("wait " + rtnl.ForwardDelay.Decimal(2*b.ForwardDelay) + " s")
}

// portLocked finds a locked port behind which the forwarding database has no MAC address.
func portLocked(j *journey) []Finding {
	p, br := j.port()
	if p == nil || br == nil || !p.Locked || len(j.behind(p)) > 0 {
		return nil
	}
	return one(Error, "the port is locked, and the bridge "+words.Escape(br.Name)+" knows no MAC address behind it",
		"a locked port accepts only frames from MAC addresses in the forwarding database",
		fix.Run(fix.InNamespace("bridge", "link", "set", "dev", j.device.Name, "locked", "off")))
}

// portIsolated finds an isolated port whose bridge leads only to other isolated ports.
func portIsolated(j *journey) []Finding {
	p, br := j.port()
	if p == nil || br == nil || !p.Isolated {
		return nil
	}
	isolated := 0
	for _, o := range j.host.Ports() {
		switch {
		case o.Bridge != br.Index || o.Index == p.Index || o.Index == br.Index:
		case !o.Isolated:
			return ok("the port is isolated: it exchanges frames with this host, and with ports that are not isolated")
		default:
			isolated++
		}
	}
	if isolated == 0 || len(own(br)) > 0 {
		return ok("the port is isolated: it exchanges frames only with this host")
	}
	return one(Error, fmt.Sprintf("the port is isolated, like every other port of the bridge %s (%d)",
		words.Escape(br.Name), isolated), "the bridge passes no frame between isolated ports",
		fix.Run(fix.InNamespace("bridge", "link", "set", "dev", j.device.Name, "isolated", "off")))
}

// behind returns the MAC addresses that the bridge knows behind a port, learned or configured.
func (j *journey) behind(p *evidence.Port) (all []evidence.Neighbour) {
	for _, n := range j.host.Frames(p.Bridge) {
		if n.Bridge == p.Bridge && n.Index == p.Index && !n.Permanent() {
			all = append(all, n)
		}
	}
	return all
}
