package testing

import (
	"os"
	"strings"
	"testing"
	"time"
)

// owned is the configuration with which the official plugin creates a tap without ip(8).
var owned = keys{"owner": 1000, "group": 1000}

// with returns keys with more of them.
func (k keys) with(pairs ...any) keys {
	all := keys{}
	for key, value := range k {
		all[key] = value
	}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i].(string)] = pairs[i+1]
	}
	return all
}

// situations are those in which the official plugin is wrong. Each returns whether the plugin of the box is right.
var situations = map[string]func(b *box) bool{
	"the MAC address of the configuration": func(b *box) bool {
		result := b.add(owned.with("mac", "02:00:00:00:00:07"))
		return result.Interfaces[0].Mac == "02:00:00:00:00:07" &&
			strings.Contains(b.ip("link show tap0"), "02:00:00:00:00:07")
	},
	"the MTU of the configuration": func(b *box) bool {
		b.add(owned.with("mtu", 1400))
		return strings.Contains(b.ip("link show tap0"), " mtu 1400 ")
	},
	"a multicast MAC address is refused": func(b *box) bool {
		_, refusal := b.call("ADD", owned.with("mac", "01:00:00:00:00:07"))
		return refusal != nil && b.links() == 0
	},
	"a failed property leaves nothing": func(b *box) bool {
		_, refusal := b.call("ADD", keys{"mtu": 70000})
		return refusal != nil && b.links() == 0
	},
	"a missing bridge leaves nothing": func(b *box) bool {
		_, refusal := b.call("ADD", owned.with("bridge", "br9"))
		return refusal != nil && b.links() == 0
	},
	"a route that fails leaves no tap and no address": func(b *box) bool {
		far := keys{"dst": "10.9.0.0/16", "gw": "192.0.2.1"}
		_, refusal := b.call("ADD", owned.with("ipam", b.hostLocal(far)))
		return refusal != nil && b.links() == 0 && len(b.reserved()) == 0
	},
	"a missing IPAM plugin leaves nothing": func(b *box) bool {
		_, refusal := b.call("ADD", owned.with("ipam", keys{"type": "missing"}))
		return refusal != nil && b.links() == 0
	},
	"ADD over a device of others is an error": func(b *box) bool {
		b.ip("tuntap add tap0 mode tap")
		before := b.ip("-d link show tap0")
		_, refusal := b.call("ADD", owned)
		return refusal != nil && b.ip("-d link show tap0") == before && b.links() == 1
	},
	"ADD over a tap of its own keeps that one's address": func(b *box) bool {
		more := owned.with("ipam", b.hostLocal())
		b.add(more)
		before := b.ip("-d addr show tap0")
		_, refusal := b.call("ADD", more)
		return refusal != nil && b.ip("-d addr show tap0") == before && b.links() == 1 && len(b.reserved()) == 1
	},
	"DEL leaves another kind of device": func(b *box) bool {
		b.ip("link add tap0 type veth peer name other")
		b.must("DEL", owned)
		return b.has("tap0")
	},
	"DEL after a failed ADD leaves a tap of others": func(b *box) bool {
		b.ip("tuntap add tap0 mode tap")
		b.call("ADD", owned)
		b.must("DEL", owned)
		return b.has("tap0")
	},
	"DEL deletes the tap although the IPAM plugin fails": func(b *box) bool {
		b.add(owned)
		_, refusal := b.call("DEL", owned.with("ipam", keys{"type": "missing"}))
		return refusal != nil && b.links() == 0
	},
	"DEL succeeds when the mount of the namespace is gone": func(b *box) bool {
		more := owned.with("ipam", b.hostLocal())
		b.add(more)
		gone := *b
		gone.netns = b.TempDir() + "/netns"
		if err := os.WriteFile(gone.netns, nil, 0o600); err != nil {
			b.Fatal(err)
		}
		_, refusal := gone.call("DEL", more)
		return refusal == nil && len(b.reserved()) == 0
	},
	"without ip(8)": func(b *box) bool {
		b.env = []string{"PATH=/nonexistent"}
		_, refusal := b.call("ADD", keys{"owner": 1000, "multiQueue": true})
		return refusal == nil && b.has("tap0")
	},
	"no other namespace is changed": func(b *box) bool {
		b.env = []string{"CNI_NETNS=/proc/self/ns/net"}
		_, refusal := b.call("ADD", owned)
		here := run(b, "ip", "-o", "link")
		if strings.Contains(here, "tap0") {
			run(b, "ip", "link", "delete", "tap0")
		}
		return refusal != nil && !strings.Contains(here, "tap0")
	},
	"CHECK finds drift":       findsDrift,
	"CHECK finds no tap":      findsAbsence,
	"STATUS finds no driver":  findsNoDriver,
	"an IPv6 address at once": sixAtOnce,
	"DNS of the IPAM plugin": func(b *box) bool {
		ipam := static("10.5.0.1/24")
		ipam["dns"] = keys{"nameservers": []string{"10.5.0.53"}}
		return len(b.add(owned.with("ipam", ipam)).DNS.Nameservers) == 1
	},
	"a joined bridge keeps its MAC address": func(b *box) bool {
		b.ip("link add br0 type bridge")
		mac := func() string { return strings.SplitAfter(b.ip("-o link show br0"), "link/ether ")[1][:17] }
		before := mac()
		b.add(owned.with("bridge", "br0"))
		return mac() == before
	},
}

// previous returns the keys of a CHECK after an ADD with these keys.
func (b *box) previous(more keys) keys {
	return more.with("prevResult", b.add(more))
}

func findsDrift(b *box) bool {
	check := b.previous(owned.with("mtu", 1400))
	b.must("CHECK", check)
	b.ip("link set tap0 down mtu 1300 address 02:00:00:00:00:99")
	_, refusal := b.call("CHECK", check)
	return refusal != nil && strings.Contains(refusal.Msg, "mtu 1400")
}

func findsAbsence(b *box) bool {
	check := b.previous(owned)
	b.ip("link delete tap0")
	b.ip("link add tap0 type veth peer name other")
	_, refusal := b.call("CHECK", check)
	return refusal != nil
}

// findsNoDriver hides the driver's node in a mount namespace.
func findsNoDriver(b *box) bool {
	hidden := b.TempDir() + "/hidden"
	script := "#!/bin/sh\nexec unshare -m sh -c 'mount -t tmpfs tmpfs /dev/net && exec " +
		plugins + "/" + b.program + "'\n"
	if err := os.WriteFile(hidden, []byte(script), 0o755); err != nil {
		b.Fatal(err)
	}
	other := *b
	other.program = "../" + strings.Repeat("../", strings.Count(plugins, "/")) + hidden
	_, refusal := other.call("STATUS", owned)
	return refusal != nil && refusal.Code == 50
}

func sixAtOnce(b *box) bool {
	ipam := static("fd00::1/64")
	ipam["addresses"].([]keys)[0]["gateway"] = "fd00::2"
	ipam["routes"] = []keys{{"dst": "fd01::/64"}}
	started := time.Now()
	b.add(owned.with("ipam", ipam))
	return time.Since(started) < 4*time.Second && strings.Contains(b.ip("-6 route"), "fd01::/64 via fd00::2")
}

// TestSituations holds tunadm-cni to situations in which the official plugin is wrong, and shows that it is.
func TestSituations(t *testing.T) {
	for name, right := range situations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !right(newBox(t, "tunadm-cni")) {
				t.Error("tunadm-cni is wrong")
			}
			if right(newBox(t, "tap")) {
				t.Error("the official plugin is right: this is no longer a difference")
			}
		})
	}
}
