package commands

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
)

// condition is whether a line of a script that begins with [NAME] is run.
func condition(name string) (bool, error) {
	if name == "extack" {
		return extack()
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

// extack reports whether the kernel says in words why it refuses an IPv6 address where IPv6 is off. Linux 5.10 gives a
// number only. It asks ip(8), in a network namespace of its own.
var extack = sync.OnceValues(func() (bool, error) {
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
})
