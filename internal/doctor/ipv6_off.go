package doctor

import "github.com/tunadm/tunadm/internal/fix"

// ipv6Off finds a device without IPv6. On one that carries IPv4 packets in both directions, this is meant.
func ipv6Off(v *view) []Finding {
	d := v.device
	if off, _ := v.setting("ipv6", d.Name, "disable_ipv6"); off != "1" || d.Master != "" {
		return nil
	}
	if t := v.traffic(); t.sent > 0 && t.received > 0 {
		return ok("IPv6 is off on it (disable_ipv6), and IPv4 packets pass in both directions")
	}
	return v.withoutIPv6()
}

// wantsIPv6 finds IPv6 packets that a program sends to this host through a device on which IPv6 is off.
func (v *view) wantsIPv6(c *conversation) []Finding {
	off, _ := v.setting("ipv6", v.layer3().Name, "disable_ipv6")
	if off != "1" || !c.From.Is6() || c.answered || !c.forThisHost(v) {
		return nil
	}
	return v.withoutIPv6()
}

func (v *view) withoutIPv6() []Finding {
	d := v.layer3()
	return one(Warning, "IPv6 is off on it (disable_ipv6)",
		"it has no IPv6 address, and adding one fails: \"permission denied\"",
		fix.Run(fix.Sysctl("ipv6", d.Name, "disable_ipv6", "0")))
}
