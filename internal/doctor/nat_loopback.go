package doctor

import (
	"fmt"

	"github.com/tunadm/tunadm/internal/firewall"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/words"
)

// hairpin finds packets of the program that a rule of the firewall leads to another host of the same network: that host
// answers the program directly, from an address that the program did not ask.
func hairpin(j *journey) []Finding {
	if len(j.rules) == 0 || j.walk == nil || j.walk.steps == nil || !j.exact() && !j.traffic().unanswered() {
		return nil
	}
	out, layer3, rule := j.outlet(), j.layer3(), j.walk.steps.Changed(firewall.Destination)
	subnet := j.subnetOf(j.packet.From)
	if out == nil || rule == nil || out.Index != layer3.Index || !subnet.Contains(j.packet.To) {
		return nil
	}
	if asked := j.To; asked.IsValid() && !j.isOwn(asked) && !subnet.Contains(asked) {
		return one(Error, fmt.Sprintf("the firewall leads packets of the program to %s, another host, to %s: %s",
			asked, j.packet.To, place(*rule)), "the rule is for packets from other networks (DNAT), and also matches "+
			"those of the program", fix.Sentence("restrict the rule to the link or the address that other "+
			"networks use: -i or -d of iptables, iifname or ip daddr of nft"))
	}
	p, known := j.located(j.packet)
	if is, sure := j.wall().rules.MasqueradesFor(p); !known || is || !sure {
		return nil
	}
	return one(Error, fmt.Sprintf("the firewall leads packets from %s to %s, which is in the same network and answers "+
		"directly: the program does not expect answers from that address (hairpin NAT)", j.packet.From, j.packet.To),
		"no rule translates the source of these packets: "+place(*rule), natFix(subnet, layer3.Name))
}

// loopbackRoute finds packets that a rule of the firewall redirects to a loopback address, which the kernel does not
// accept as the destination of a packet that arrives through a device.
func loopbackRoute(j *journey) []Finding {
	if j.walk == nil || j.walk.steps == nil || j.frame() {
		return nil
	}
	to, dev := j.walk.steps.Goal().Addr(), j.layer3().Name
	if !to.Is4() || !to.IsLoopback() {
		return nil
	}
	if j.largest("route_localnet", dev) != 0 {
		return ok("packets that are redirected to " + to.String() + " are accepted (route_localnet 1)")
	}
	return one(Error, fmt.Sprintf("the firewall redirects %s to %s, and the kernel drops it as a martian "+
		"(net.ipv4.conf.%s.route_localnet 0)", j.packet, to, words.Escape(dev)),
		"the kernel accepts a loopback destination from a device only if route_localnet is 1",
		fix.Run(fix.Sysctl("ipv4", dev, "route_localnet", "1")))
}
