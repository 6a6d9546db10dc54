package sysctl

import (
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/files"
)

// A Usual holds the values that a new device of the thread's network namespace would have, by the name of the sysctl.
type Usual map[string]string

// followers are sysctls that follow another one or the device itself, or that the kernel generates.
var followers = []string{
	"net.ipv4.conf.mc_forwarding", "net.ipv6.conf.mc_forwarding", "net.ipv6.conf.mtu", "net.ipv6.conf.stable_secret",
	"net.ipv4.neigh.retrans_time", "net.ipv6.neigh.retrans_time", // of the same name with _ms
	"net.ipv4.neigh.base_reachable_time", "net.ipv6.neigh.base_reachable_time",
	"net.ipv4.neigh.unres_qlen", "net.ipv6.neigh.unres_qlen", // of unres_qlen_bytes
}

// chosen are the values that the kernel chooses for devices without a MAC address.
var chosen = map[string]string{
	"net.ipv6.conf.accept_dad": "-1", "net.ipv6.conf.use_tempaddr": "-1", "net.ipv6.conf.addr_gen_mode": "3",
}

// Changed returns the settings of a device that differ from those of a new one, sorted by their names.
func (u Usual) Changed(device string) (all []Setting) {
	for _, family := range []string{"ipv4", "ipv6"} {
		for _, group := range []string{"conf", "neigh"} {
			for _, key := range files.Names("/proc/sys/net/" + family + "/" + group + "/" + device) {
				s := Setting{family: family, group: group, key: key}
				now, ok := s.Read(device)
				usual, known := u.of(s)
				if !ok || !known || now.Value == usual || now.Value == "" || chosen[s.Name()] == now.Value ||
					slices.Contains(followers, s.Name()) {
					continue
				}
				all = append(all, now)
			}
		}
	}
	slices.SortFunc(all, func(a, b Setting) int { return strings.Compare(a.Name(), b.Name()) })
	return all
}

// of returns the value that a new device would have. Only the first namespace has the defaults of neighbour tables;
// elsewhere lo counts, which has them unless they were changed.
func (u Usual) of(s Setting) (value string, known bool) {
	if value, known = u[s.Name()]; known {
		return value, true
	}
	usual, ok := s.Read("default")
	if !ok {
		if usual, ok = s.Read("lo"); !ok || s.group == "conf" {
			return "", false
		}
	}
	u[s.Name()] = usual.Value
	return usual.Value, true
}
