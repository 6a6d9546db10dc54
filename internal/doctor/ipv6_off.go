package doctor

import (
	"fmt"
	"strconv"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// ipv6Off finds a device without IPv6. On one that carries IPv4 packets in both directions, this is meant, unless the
// question is about an IPv6 address.
func ipv6Off(v *view) []Finding {
	d := v.device
	if off, _ := v.setting("ipv6", d.Name, "disable_ipv6"); off != "1" || d.Master != "" {
		return nil
	}
	if t := v.traffic(); t.sent > 0 && t.received > 0 && !v.asksIPv6() {
		return ok("IPv6 is off on it (disable_ipv6), and IPv4 packets pass in both directions")
	}
	return v.withoutIPv6()
}

// asksIPv6 reports whether the question is about an IPv6 address.
func (v *view) asksIPv6() bool { return v.From.Is6() || v.To.Is6() }

// wantsIPv6 finds IPv6 packets that a program sends to this host through a device on which IPv6 is off.
func (v *view) wantsIPv6(c *conversation) []Finding {
	if !c.From.Is6() || c.answered || !c.forThisHost(v) {
		return nil
	}
	if off, _ := v.setting("ipv6", v.layer3().Name, "disable_ipv6"); off == "1" {
		return v.withoutIPv6()
	}
	return v.tooSmallForIPv6(v.layer3())
}

// tooSmallForIPv6 finds a link on which the kernel has no IPv6 because of its MTU.
func (v *view) tooSmallForIPv6(l *netcfg.Device) []Finding {
	if l.MTU >= link.MTUMinV6 {
		return nil
	}
	raise := fix.Run(ip("link", "set", "dev", l.Name, "mtu", strconv.Itoa(link.MTUMinV6)))
	if l == v.device {
		raise = fix.Run(fix.Tunadm("set", l.Name, "--mtu", strconv.Itoa(link.MTUMinV6)))
	}
	return one(Warning, fmt.Sprintf("the MTU of %s is %d, but IPv6 requires %d", words.Escape(l.Name), l.MTU,
		link.MTUMinV6), "the kernel has no IPv6 addresses there, and drops the IPv6 packets of the program", raise)
}

func (v *view) withoutIPv6() []Finding {
	d := v.layer3()
	return one(Warning, "IPv6 is off on it (disable_ipv6)",
		"it has no IPv6 address, and adding one fails: \"permission denied\"",
		fix.Run(fix.Sysctl("ipv6", d.Name, "disable_ipv6", "0")))
}
