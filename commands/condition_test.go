package commands

import (
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"sync"
)

// conditions are the features of the kernel on which lines of the scripts depend. Such a line begins with [NAME] or
// [!NAME]. Each is probed with ip(8), in a network namespace of its own.
var conditions = map[string]func() (bool, error){
	"extack": sync.OnceValues(extack),
	"counts": sync.OnceValues(counts),
}

func condition(name string) (bool, error) {
	if probe := conditions[name]; probe != nil {
		return probe()
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

// extack reports whether the kernel says in words why it refuses an IPv6 address where IPv6 is off. Linux 5.10 only
// returns a number.
func extack() (bool, error) {
	const refused = "sysctl -qw net.ipv6.conf.lo.disable_ipv6=1 && ip address add fd00::1/64 dev lo"
	out, err := exec.Command("unshare", "-n", "sh", "-c", refused).CombinedOutput()
	if exit := new(exec.ExitError); !errors.As(err, &exit) {
		return false, fmt.Errorf("the kernel does not refuse an IPv6 address where IPv6 is off: %v: %s", err, out)
	}
	switch text := string(out); {
	case strings.Contains(text, "IPv6 is disabled on this device"):
		return true, nil
	case strings.Contains(text, "RTNETLINK answers: Permission denied"):
		return false, nil
	default:
		return false, fmt.Errorf("ip address add: %w: %s", err, text)
	}
}

// counts reports whether the kernel counts the packets that it drops since a device has no carrier. Linux 5.10 does
// not.
func counts() (bool, error) {
	const drop = `ip tuntap add t0 mode tun && ip address add 10.9.9.1/24 dev t0 && ip link set t0 up &&
		{ ping -q -c 5 -i 0.002 -W 0.1 10.9.9.2 >&2; ip -s -json link show t0; }`
	out, err := exec.Command("unshare", "-n", "sh", "-c", drop).Output()
	dropped := regexp.MustCompile(`"tx":\{[^}]*"dropped":(\d+)`).FindSubmatch(out)
	if err != nil || dropped == nil {
		return false, fmt.Errorf("the counters of a device: %w: %s", err, out)
	}
	return number(string(dropped[1])) >= 5, nil
}
