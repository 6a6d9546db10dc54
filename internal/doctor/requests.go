package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/poll"
	"github.com/tunadm/tunadm/internal/trace"
	"github.com/tunadm/tunadm/internal/words"
)

// A request is an ARP request or a neighbour solicitation of a host for the MAC address of another one.
type request struct {
	from, asks netip.Addr
	group      netip.Addr // to which the solicitation is sent
	source     link.MAC
	port       string // through which it arrived
	count      int
	since      time.Time
	answered   bool
	passed     bool // to the program, from another port
	scan       bool // the host asks for many addresses
	talks      bool // the host gets answers from other networks through this one
}

// settled reports whether there is an answer, or none was missed: one may still come, or the host looks around.
func (r *request) settled() bool {
	return r.answered || r.scan || time.Since(r.since) < poll.Patient(patience)
}

func (r *request) String() string {
	what := "ARP request"
	if r.asks.Is6() {
		what = "neighbour solicitation"
	}
	if r.count != 1 {
		what += "s"
	}
	return fmt.Sprintf("seen just now: %d %s of %s for %s without an answer", r.count, what, r.from, r.asks)
}

// listenRequest adds the packet of an event to the requests. A host that asks for its own address looks for duplicates.
func listenRequest(all []*request, e trace.Event, device string) []*request {
	const most = 64
	if e.Reason != "" || !e.Asks.IsValid() && !e.Tells.IsValid() {
		return all
	}
	known := false
	for _, r := range all {
		switch {
		case r.asks == e.Tells:
			r.answered = true
		case r.asks != e.Asks || r.from != e.From:
		case e.ToProgram && e.Device == device:
			r.passed = true
		case e.Device == r.port:
			r.count++
			known = true
		}
	}
	if known || e.ToProgram || !e.Asks.IsValid() || e.From == e.Asks || !oneHost(e.From) || len(all) == most {
		return all
	}
	return append(all, &request{from: e.From, asks: e.Asks, group: e.To, source: e.FromMAC[:], port: e.Device, count: 1,
		since: time.Now()})
}

// besidePorts returns the first other ports of the bridge of the device.
func (v *view) besidePorts() []int {
	const most = 16
	if !v.bridgePort() {
		return nil
	}
	ports := v.siblingNumbers()
	return ports[:min(most, len(ports))]
}

// unresolved finds out why requests for MAC addresses got no answer, and why frames to the program do not reach it.
func (v *view) unresolved(conversations []*conversation, asked []*request) []Finding {
	j := &journey{view: v, course: bridged}
	for _, c := range conversations {
		if found := j.notBehind(c.source); !c.answered && found != nil {
			return v.noted("port-database", found, c)
		}
	}
	for _, r := range asked {
		if r.port == v.device.Name {
			if found := j.notBehind(r.source); found != nil {
				return v.noted("port-database", found, r)
			}
			if found := v.refusesAnswer(r); found != nil {
				return v.noted("arp", found, r)
			}
			if found := v.noProxyFor(r); found != nil {
				return v.noted("proxy-arp", found, r)
			}
			if found := v.nobodyHas(r); found != nil {
				return v.noted("proxy-arp", found, r)
			}
		}
		if found := j.apart(r, asked); found != nil {
			return v.noted("port-isolated", found, r)
		}
		if found := j.unjoined(r); found != nil {
			return v.noted("port-flood", found, r)
		}
		if found := j.hostMACOnly(r); found != nil {
			return v.noted("other-port", found, r)
		}
	}
	return nil
}

// noted completes findings with what was seen.
func (v *view) noted(check string, found []Finding, seen fmt.Stringer) []Finding {
	for i := range found {
		found[i].Means = also(found[i].Means, seen.String())
	}
	return v.complete(check, found)
}

// notBehind finds a program whose MAC address the bridge does not know behind the port, and never will: it sends no
// frames for this address to the port, or drops those from it.
func (j *journey) notBehind(source link.MAC) []Finding {
	p, br := j.port()
	if p == nil || br == nil || len(source) == 0 {
		return nil
	}
	same := func(n evidence.Neighbour) bool { return n.Bridge == br.Index && slices.Equal(n.MAC, source) }
	entries := slices.DeleteFunc(slices.Clone(j.host.FramesNow(br.Index)), func(n evidence.Neighbour) bool {
		return !same(n)
	})
	if slices.ContainsFunc(entries, func(n evidence.Neighbour) bool { return n.Index == p.Index }) {
		return nil
	}
	name, master := j.device.Name, words.Escape(br.Name)
	add := fix.Run(fix.InNamespace("bridge", "fdb", "replace", source.String(), "dev", name, "master", "static"))
	what := fmt.Sprintf("the program has the MAC address %s, and the forwarding database of %s ", source, master)
	switch i := slices.IndexFunc(entries, evidence.Neighbour.Static); {
	case p.Locked:
		return one(Error, what+"does not have it at this port, which is locked",
			"a locked port accepts only frames from MAC addresses in the forwarding database", add)
	case i >= 0 && entries[i].Permanent():
		return nil // see portMAC
	case i >= 0:
		return one(Error, what+"has a fixed entry for it at the port "+j.nameOf(entries[i].Index),
			"the bridge sends the frames for the program to that port", add)
	case len(entries) > 0 || p.Learning || p.Flood:
		return nil
	}
	var others string
	if known := j.behind(p); len(known) > 0 {
		others = ", but " + known[0].MAC.String()
	}
	return one(Error, what+"does not have it at this port"+others, "the bridge learns no address there (learning "+
		"off), and sends no frames to unknown addresses there (flood off): none for the program reaches it", add)
}

// refusesAnswer finds out why this host does not answer a request for an address of its own.
func (v *view) refusesAnswer(r *request) []Finding {
	holder, dev := v.holderOf(r.asks), v.layer3()
	if holder == nil {
		return nil
	}
	name, at := words.Escape(dev.Name), words.Escape(holder.Name)
	if v.host.WithoutARP(dev.Index) {
		return one(Error, "ARP and neighbour discovery are off on "+name+" (NOARP)",
			"this host does not answer requests for its MAC address",
			fix.Run(ip("link", "set", "dev", dev.Name, "arp", "on")))
	}
	if r.asks.Is6() {
		if holder.Index == dev.Index || !usable(withLength(r.asks, 128)) {
			return nil
		}
		return one(Error, fmt.Sprintf("this host answers no neighbour solicitations for %s that arrive through %s",
			r.asks, name), fmt.Sprintf("%s has the address, and not %s: for IPv6, this host answers only for "+
			"addresses of the same device", at, name),
			fix.Run(ip("-6", "neigh", "add", "proxy", r.asks.String(), "dev", dev.Name),
				fix.Sysctl("ipv6", dev.Name, "proxy_ndp", "1")))
	}
	if found := v.ignoresARP(dev, holder, r.from, r.asks); found != nil {
		return found
	}
	if v.largest("arp_filter", dev.Name) == 1 && !v.returns(dev, r.from) {
		return one(Error, fmt.Sprintf("this host answers no ARP requests of %s that arrive through %s (arp_filter 1)",
			r.from, name), "it would send the answers through another device, as its routes are",
			fix.Run(v.zeroes("arp_filter", dev.Name)...))
	}
	return nil
}

// asksNobody reports whether a host behind the device asks for one of the same network, which does not answer.
func (v *view) asksNobody(r *request) bool {
	dev := v.layer3()
	return !r.answered && r.port == v.device.Name && !v.isOwn(r.asks) && v.onSubnet(dev, r.asks) &&
		v.onSubnet(dev, r.from)
}

// askedOnce reports whether such a request may be repeated.
func (v *view) askedOnce(r *request) bool { return r.count == 1 && v.asksNobody(r) }

// nobodyHas finds a host behind the device that asks again for one of the same network which does not exist, and gets
// no answers from other networks, and the address is usual for a gateway.
func (v *view) nobodyHas(r *request) []Finding {
	dev := v.layer3()
	if r.talks || r.count < 2 || !v.asksNobody(r) || v.neighbourMAC(dev.Index, r) != nil {
		return nil
	}
	for _, a := range own(dev) {
		if isGateway(r.asks, a.Subnet()) {
			return one(Warning, fmt.Sprintf("%s, behind it, asks for the MAC address of %s, and nobody answers", r.from,
				r.asks), fmt.Sprintf("no host has this address; this host, which may be its gateway, has %s", a.Local),
				fix.Sentence(fmt.Sprintf("start the host %s, or use %s as the gateway of %s", r.asks, a.Local, r.from)))
		}
	}
	return nil
}

// isGateway reports whether an address is the first or the last one of a network, as those of gateways usually are:
// other hosts may be off.
func isGateway(ip netip.Addr, subnet netip.Prefix) bool {
	first := subnet.Masked().Addr().Next()
	return subnet.Contains(ip) && (ip == first || ip.Is4() && !subnet.Contains(ip.Next().Next()))
}

// noProxyFor finds a host behind the device that asks for one elsewhere, such as a gateway that exists nowhere, and for
// which this host does not answer in its place. A host that gets answers from other networks has a gateway, and many
// hosts try whether there is the metadata service of a cloud.
func (v *view) noProxyFor(r *request) []Finding {
	dev, metadata := v.layer3(), netip.AddrFrom4([4]byte{169, 254, 169, 254})
	if r.talks || r.asks == metadata || !v.returns(dev, r.from) || v.bridgePort() || v.isOwn(r.asks) ||
		v.onSubnet(dev, r.asks) || r.asks.Is6() && !r.asks.IsGlobalUnicast() {
		return nil
	}
	way, err := v.host.Find(flow.Packet{To: r.asks})
	if err != nil || way.Refusal != 0 || way.Local() || way.Index == dev.Index {
		return nil
	}
	p := proxied{host: r.asks, part: netip.PrefixFrom(r.asks, r.asks.BitLen()), link: dev}
	why, _, add := v.proxy4(p)
	if r.asks.Is6() {
		why, _, add = v.proxy6(p)
	}
	if why == "" {
		return nil
	}
	return one(Warning, fmt.Sprintf("%s, behind it, asks for the MAC address of %s, which is not there, and this host "+
		"does not answer for it (%s)", r.from, r.asks, why),
		"this host routes packets to "+r.asks.String()+" through "+v.nameOf(way.Index), add...)
}
