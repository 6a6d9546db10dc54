package doctor

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// otherPort finds another port of the bridge that passes no frames of the program: one that was disabled by hand, or
// each port that leads to other hosts.
func otherPort(j *journey) []Finding {
	p, br := j.port()
	if p == nil || br == nil || !br.Up {
		return nil
	}
	b := j.host.Bridge(br.Index)
	if b == nil {
		return nil
	}
	if found := j.closedByHand(p, b, br); found != nil {
		return found
	}
	if found := j.deaf(p, br); found != nil {
		return found
	}
	var found []Finding
	ports := j.uplinks(p)
	for _, o := range ports {
		closed := j.closed(p, o, b, br)
		if closed == nil {
			return j.limited(p, ports, br)
		}
		found = append(found, closed...)
	}
	t := j.heard(p, br)
	certain := func(o *evidence.Port) bool { // and STP frames to the program look like answers
		return b.STP && o.Up && o.Carrier || !o.Up && !j.hasForwarded() && t.sent > 0 || j.deadEnd(o, br) != nil
	}
	if len(found) == 0 || !t.unanswered() && !slices.ContainsFunc(ports, certain) {
		return nil
	}
	found[0].Means += fmt.Sprintf("; the program has sent %s, and received %s", packets(t.sent), packets(t.received))
	return found[:1]
}

// closedByHand finds another port of the bridge that was disabled by hand. STP blocks ports on purpose.
func (j *journey) closedByHand(p *evidence.Port, b *evidence.Bridge, br *netcfg.Device) []Finding {
	for _, o := range j.otherPorts(p) {
		if b.STP || !o.Up || !o.Carrier {
			continue
		}
		if o.State == evidence.PortDisabled {
			o = j.enabled(o.Index)
		}
		if o == nil || o.State != evidence.PortDisabled && o.State != evidence.PortBlocking {
			continue
		}
		name := j.called(o.Index)
		return one(Warning, fmt.Sprintf(
			"%s, another port of its bridge %s, is disabled or blocked, although STP is off",
			words.Escape(name), words.Escape(br.Name)), "the bridge passes no frame between the two",
			fix.Run(fix.InNamespace("bridge", "link", "set", "dev", name, "state", "3")))
	}
	return nil
}

// deaf finds the port of another program to which the bridge does not flood frames, if this program got no answers.
func (j *journey) deaf(p *evidence.Port, br *netcfg.Device) []Finding {
	const most = 64
	others := j.otherPorts(p)
	for _, o := range others[:min(most, len(others))] {
		floods := o.FloodBroadcast && o.FloodMulticast && (o.Flood || o.Learning)
		if !o.Up || !o.Carrier || o.State != evidence.PortForwarding || floods {
			continue
		}
		if l := j.byIndex(o.Index); l == nil || l.Kind != "tun" || !j.heard(p, br).unanswered() {
			continue
		}
		if found := j.unflooded(o, br, "the port "+j.nameOf(o.Index), "the program there"); len(found) > 0 {
			found[0].Level = Warning
			return found
		}
	}
	return nil
}

// uplinks returns the other ports of the bridge that lead to other hosts than programs: network cards, bonds and
// tunnels; without these, veths, whose other end may be a container. Among very many ports, it looks at the first.
func (j *journey) uplinks(p *evidence.Port) (all []*evidence.Port) {
	const few, most = 16, 256
	others := j.otherPorts(p)
	if len(others) > few {
		j.every()
	}
	var veths []*evidence.Port
	for _, o := range others[:min(most, len(others))] {
		switch l := j.byIndex(o.Index); {
		case l == nil || l.Kind == "tun":
		case l.Kind == "veth":
			veths = append(veths, o)
		default:
			all = append(all, o)
		}
	}
	if len(all) == 0 {
		return veths
	}
	return all
}

// portsOf returns how many ports a bridge has.
func (j *journey) portsOf(bridge int) (n int) {
	for number, p := range j.host.Ports() {
		if p.Bridge == bridge && number != bridge {
			n++
		}
	}
	return n
}

// deadEnd returns the other end of a port that is a veth if nothing in this network namespace uses it, and this host is
// no end of the bridge itself, which only joins the two; nil: something may.
func (j *journey) deadEnd(o *evidence.Port, br *netcfg.Device) *netcfg.Device {
	end := j.byIndex(j.host.Peer(o.Index))
	if end == nil || j.portsOf(br.Index) > 2 || end.Master != "" || !end.Up || len(own(end)) > 0 || len(own(br)) > 0 ||
		len(j.host.Uppers(end.Index)) > 0 ||
		len(j.host.Filters(end.Index, evidence.Ingress)) > 0 || j.host.Captured(end.Index) {
		return nil
	}
	return end
}

// called returns the name of a link as a command requires it.
func (v *view) called(index int) string {
	if l := v.byIndex(index); l != nil {
		return l.Name
	}
	return ""
}

// heard returns what the program has sent and received. The IPv6 multicast of this host and of other ports, which the
// bridge sends to each port, is left out, unless this host has talked to the program: there may have been more of it
// before the program attached.
func (j *journey) heard(p *evidence.Port, br *netcfg.Device) traffic {
	t := j.traffic()
	behind := j.behind(p)
	for _, n := range j.host.Neighbours(br.Index) {
		if n.Confirmed() && slices.ContainsFunc(behind, func(f evidence.Neighbour) bool {
			return slices.Equal(f.MAC, n.MAC)
		}) {
			return t
		}
	}
	for _, flooded := range []string{"Ip6OutMcastPkts", "Ip6InMcastPkts"} {
		t.received -= min(t.received, j.host.Counter("dev_snmp6/"+br.Name, "", flooded))
	}
	return t
}

// closed finds out why a port passes no frame between the port of the program and the hosts behind it.
func (j *journey) closed(p, o *evidence.Port, b *evidence.Bridge, br *netcfg.Device) []Finding {
	name, master := j.called(o.Index), words.Escape(br.Name)
	port := words.Escape(name) + ", the port of its bridge " + master + " to other hosts,"
	none := "no frame of the program leaves the bridge"
	set := func(words ...string) fix.Fix {
		return fix.Run(fix.InNamespace(append([]string{"bridge", "link", "set", "dev", name}, words...)...))
	}
	state := [...]string{"disabled", "listening", "learning", "forwarding", "blocking"}[min(o.State, 4)]
	switch {
	case !o.Up:
		return one(Warning, port+" is down", none, fix.Run(ip("link", "set", "dev", name, "up")))
	case !o.Carrier:
		return one(Warning, port+" has no carrier", none,
			fix.Sentence("connect "+words.Escape(name)+", or bring up its other end"))
	case j.deadEnd(o, br) != nil:
		end := words.Escape(j.deadEnd(o, br).Name)
		return one(Warning, port+" leads nowhere: its other end "+end+" is in no bridge, and has no address", none,
			fix.Sentence("add "+end+" to the bridge of the other hosts: ip link set dev "+end+" master BRIDGE"))
	case o.State == evidence.PortListening || o.State == evidence.PortLearning:
		return one(Warning, port+" is in the STP state "+state, waits(b)+": "+none, waitFor(b))
	case o.State != evidence.PortForwarding:
		return one(Warning, port+" is in the STP state "+state,
			"STP found another path, or BPDU guard disabled it: "+none,
			fix.Sentence("inspect the paths: bridge -d link show"))
	case p.Isolated && o.Isolated:
		return one(Warning, port+" is isolated, like the port of the program",
			"the bridge passes no frame between isolated ports", set("isolated", "off"))
	case o.Locked && len(j.behind(o)) == 0:
		return one(Warning, port+" is locked, and the bridge knows no MAC address behind it",
			"a locked port accepts only frames from MAC addresses in the forwarding database", set("locked", "off"))
	}
	found := j.unflooded(o, br, words.Escape(name)+", its port to other hosts", "the network behind it")
	if len(found) > 0 && found[0].Level == Error {
		found[0].Level = Warning
		return found
	}
	return otherVLAN(p, o, b, port, j.device.Name, name)
}

// otherVLAN finds a port that is in no VLAN of the program, or passes the frames to and from it in different VLANs.
func otherVLAN(p, o *evidence.Port, b *evidence.Bridge, port, device, name string) []Finding {
	if !b.VLANFiltering {
		return nil
	}
	ours, theirs := untagged(p), untagged(o)
	join := fix.Run(fix.InNamespace("bridge", "vlan", "add", "dev", device, "vid", usualVLAN(o, nil), "pvid",
		"untagged"))
	trunk := fix.Run(fix.InNamespace("bridge", "vlan", "add", "dev", name, "vid", usualVLAN(p, nil)))
	list := []fix.Fix{join, trunk}
	if slices.ContainsFunc(o.VLANs, func(v evidence.VLAN) bool { return !v.Untagged }) {
		list = []fix.Fix{trunk, join}
	}
	if !p.Shares(o) {
		return one(Warning, fmt.Sprintf("%s is in %s, and the port of the program in %s", port, vlanWords(o.VLANs),
			vlanWords(p.VLANs)), "the bridge passes no frame between different VLANs", list...)
	}
	crossed := func(v evidence.VLAN) bool { return v.ID == ours && v.Untagged && theirs != ours }
	if ours != 0 && slices.ContainsFunc(o.VLANs, crossed) {
		return one(Warning, fmt.Sprintf("%s sends the frames of VLAN %d without a tag, and has frames without a tag "+
			"in %s", port, ours, map[bool]string{true: "no VLAN", false: fmt.Sprint("VLAN ", theirs)}[theirs == 0]),
			"no answer to the program arrives in its VLAN", trunk, join)
	}
	return nil
}

// untagged returns the VLAN of frames without a tag that arrive at a port; 0: it drops them.
func untagged(p *evidence.Port) uint16 {
	for _, v := range p.VLANs {
		if v.PVID {
			return v.ID
		}
	}
	return 0
}

// limited finds ports to other hosts that pass only some frames of the program.
func (j *journey) limited(p *evidence.Port, ports []*evidence.Port, br *netcfg.Device) []Finding {
	for _, o := range ports {
		name := j.nameOf(o.Index)
		if found := j.unflooded(o, br, name, "the network behind it"); found != nil && found[0].Level == Warning {
			return found
		}
		if o.MTU < p.MTU && p.MTU <= br.MTU {
			return one(Warning, fmt.Sprintf("its MTU is %d, and %s, the port of its bridge %s to other hosts, has %d",
				p.MTU, name, words.Escape(br.Name), o.MTU),
				fmt.Sprintf("the bridge silently drops frames of the program with more than %d bytes of content",
					o.MTU),
				fix.Run(ip("link", "set", "dev", j.called(o.Index), "mtu", fmt.Sprint(p.MTU))),
				fix.Sentence(fmt.Sprintf("or set the MTU of the program's own device to %d", o.MTU)))
		}
	}
	return nil
}

// bridgeAlone finds a bridge that leads nowhere: it has no address of this host, and no other port that is in use.
func bridgeAlone(j *journey) []Finding {
	p, br := j.port()
	if p == nil || br == nil || !br.Up || len(own(br)) > 0 || len(j.uplinks(p)) > 0 {
		return nil
	}
	routed := func(r rtnl.Route) bool { return r.Type == unix.RTN_UNICAST && r.To.Addr().IsGlobalUnicast() }
	others := j.otherPorts(p)
	t := j.heard(p, br)
	inUse := func(o *evidence.Port) bool { return o.Up && o.Carrier }
	if slices.ContainsFunc(j.host.RoutesThrough(br.Index), routed) || slices.ContainsFunc(others, inUse) ||
		!t.unanswered() || len(j.host.Uppers(br.Index)) > 0 {
		return nil
	}
	what := "it is the only port of its bridge " + words.Escape(br.Name) + ", which has no address"
	if len(others) > 0 {
		const most = 3
		var names []string
		for _, o := range others[:min(most, len(others))] {
			names = append(names, j.nameOf(o.Index))
		}
		what = fmt.Sprintf("its bridge %s has no address, and no other port with a carrier (%s)", words.Escape(br.Name),
			strings.Join(names, ", "))
	}
	card := "a network card"
	if way, err := j.host.Find(flow.Packet{To: unknownHost(false)}); err == nil && way.Refusal == 0 {
		if l := j.byIndex(way.Index); l != nil && l.Kind != "tun" && l.Kind != "loopback" && l.Master == "" {
			card = "the link to other networks, " + words.Escape(l.Name) + ","
		}
	}
	return one(Warning, what, fmt.Sprintf("the bridge leads nowhere: neither this host nor another one receives the "+
		"frames of the program, which has sent %s, and received %s", packets(t.sent), packets(t.received)),
		fix.Sentence("add "+card+" to the bridge, and move its addresses and routes to the bridge"),
		fix.Sentence("or give the bridge an address in the network of the program"))
}
