package fix

import (
	"slices"
	"strings"
	"testing"
)

// TestLasting checks how long each kind of change is said to last, and whether it opens more than one device.
func TestLasting(t *testing.T) {
	for line, want := range map[string]string{
		"sysctl -w net.ipv4.conf.tun0.rp_filter=2":              untilFile,
		"sysctl -w net.ipv4.conf.all.rp_filter=0":               "for all devices; " + untilFile,
		"sysctl -w net.ipv4.ip_forward=1":                       "between all devices; " + untilFile,
		"sysctl -w net.ipv6.conf.all.forwarding=1":              "between all devices; " + untilFile,
		"sysctl -w net.ipv6.conf.tun0.force_forwarding=1":       untilFile,
		"sysctl -w net.ipv4.neigh.default.gc_thresh3=4096":      "for all devices; " + untilFile,
		"sysctl -w net.ipv4.icmp_echo_ignore_all=0":             "for all devices; " + untilFile,
		"ip route replace 10.0.0.0/24 dev tun0":                 untilDown,
		"ip -6 route del fd00::/64 dev tun0":                    untilAgain,
		"ip rule del pref 100":                                  untilAgain,
		"ip rule add pref 100 lookup main":                      untilBoot,
		"ip neigh del 10.0.0.2 dev tap0":                        untilAgain,
		"ip neigh replace 10.0.0.2 lladdr 2:0:0:0:0:1 dev tap0": untilDown,
		"ip neigh flush dev tap0":                               "",
		"ip addr replace 10.0.0.1/24 dev br0":                   untilDeleted,
		"ip link set dev tun0 up":                               untilDeleted,
		"ip link set dev tun0 xdpgeneric off":                   untilAgain,
		"bridge link set dev tap0 state 3":                      untilPort,
		"bridge vlan add dev br0 vid 7 self":                    untilDeleted,
		"bridge fdb del 02:00:00:00:00:01 dev tap0 master":      untilAgain,
		"tc qdisc del dev tun0 root":                            untilAgain,
		"nft insert rule inet filter input iifname tun0 accept": untilRuleset,
		"nft list ruleset":                                      "",
		"ip -4 route get 10.0.0.2 from 10.0.0.1":                "",
		"tc -s qdisc show dev tun0":                             "",
		"tunadm set tun0 --up":                                  "",
	} {
		f := Run(InNamespace(strings.Fields(line)...)).Lasting()
		if _, got, _ := strings.Cut(f.String(), "  # "); got != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
		if strings.Contains(want, "all devices") != f.wide() {
			t.Errorf("%s: wide: %v", line, f.wide())
		}
	}
	kept := Fix{Commands: []Command{InNamespace("ip", "rule", "del", "pref", "1")}, After: "  # until noon"}
	if got := kept.Lasting().String(); got != "ip rule del pref 1  # until noon" {
		t.Errorf("got %s", got)
	}
	wide, narrow := Run(InNamespace("sysctl", "-w", "net.ipv4.ip_forward=1")), kept
	sorted := Narrowest([]Fix{wide, Sentence("or ask"), narrow})
	if len(sorted) != 3 || slices.IndexFunc(sorted, Fix.wide) < slices.IndexFunc(sorted, func(f Fix) bool {
		return f.After != ""
	}) {
		t.Errorf("got %v", sorted)
	}
}
