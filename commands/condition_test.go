package commands

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/nstest"
)

// conditions are the features of the kernel on which lines of the scripts depend. Such a line begins with [NAME] or
// [!NAME]. Each is probed in a separate network namespace, without the code under test.
var conditions = map[string]func() (bool, error){
	"extack":  sync.OnceValues(extack),
	"counts":  sync.OnceValues(counts),
	"others":  sync.OnceValues(others),
	"queues":  sync.OnceValues(queues),
	"traces":  sync.OnceValues(traces),
	"names":   sync.OnceValues(names),
	"vlans":   sync.OnceValues(vlans),
	"filter":  sync.OnceValues(filter),
	"monitor": sync.OnceValues(monitor),
	"legacy":  sync.OnceValues(legacy),
	"locked": sync.OnceValues(succeeds("sh", "-ec", "ip link add br0 type bridge; "+
		"ip link add v0 master br0 type veth peer name v1; bridge link set dev v0 locked on; "+
		"bridge -d link show dev v0 | grep 'locked on'")), // Linux 5.18
	"xfrm": sync.OnceValues(succeeds("ip", "xfrm", "policy", "list")),
	"esp": sync.OnceValues(succeeds("ip", "xfrm", "state", "add", "src", "192.0.2.1", "dst", "192.0.2.2", "proto",
		"esp", "spi", "7", "mode", "tunnel", "enc", "cipher_null", "")),
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

// filter reports whether the kernel has br_netfilter, which shows frames of bridges to the chains of IP.
func filter() (bool, error) {
	err := exec.Command("unshare", "-n", "sysctl", "-n", "net.bridge.bridge-nf-call-iptables").Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		return false, err
	}
	return err == nil, nil
}

// monitor reports whether the kernel's drop monitor is loaded, and reports what trace cannot find out with BPF.
func monitor() (bool, error) {
	_, err := os.Stat("/sys/module/drop_monitor")
	better, failed := traces()
	return err == nil && !better, failed
}

// legacy reports whether the kernel has the tables of iptables-legacy.
func legacy() (bool, error) {
	err := exec.Command("unshare", "-n", "iptables-legacy", "-S").Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		return false, err
	}
	return err == nil, nil
}

// succeeds reports whether the kernel has what a command requires.
func succeeds(command ...string) func() (bool, error) {
	return func() (bool, error) {
		err := exec.Command("unshare", append([]string{"-n"}, command...)...).Run()
		if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
			return false, err
		}
		return err == nil, nil
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

// others reports whether the kernel counts packets to other MAC addresses, the 25th of a link's counters. It does since
// Linux 5.19.
func others() (bool, error) {
	const counters, size = 25, 8
	links, err := syscall.NetlinkRIB(unix.RTM_GETLINK, unix.AF_UNSPEC)
	if err != nil {
		return false, err
	}
	messages, err := syscall.ParseNetlinkMessage(links)
	if err != nil || len(messages) == 0 {
		return false, fmt.Errorf("%d links: %w", len(messages), err)
	}
	attributes, err := syscall.ParseNetlinkRouteAttr(&messages[0])
	for _, a := range attributes {
		if a.Attr.Type == unix.IFLA_STATS64 {
			return len(a.Value) >= counters*size, nil
		}
	}
	return false, fmt.Errorf("a link without counters: %w", err)
}

// queues reports whether the driver reports the number of queues of a single-queue device. It does since Linux
// 6.9.
func queues() (reported bool, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread dies with the goroutine
		var socket int
		if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
			socket, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		}
		if err != nil {
			return
		}
		defer unix.Close(socket)
		queue, failed := nstest.Attach("t0", unix.IFF_TUN|unix.IFF_NO_PI)
		if err = failed; err != nil {
			return
		}
		defer queue.Close()
		// struct ethtool_channels: the command, four largest numbers, and four numbers, of which combined is the last
		channels := [9]uint32{unix.ETHTOOL_GCHANNELS}
		var request struct {
			name [unix.IFNAMSIZ]byte
			data *[9]uint32
			_    [16]byte
		}
		copy(request.name[:], "t0")
		request.data = &channels
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(socket), unix.SIOCETHTOOL,
			uintptr(unsafe.Pointer(&request)))
		if reported = errno == 0 && channels[8] == 1; !reported && errno != unix.EOPNOTSUPP {
			err = fmt.Errorf("the queues of a device: %d, %w", channels[8], errno)
		}
	}()
	<-done
	return reported, err
}

// vlans reports whether a bridge can filter VLANs.
func vlans() (bool, error) {
	err := exec.Command("unshare", "-n", "ip", "link", "add", "br0", "type", "bridge", "vlan_filtering", "1").Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		return false, fmt.Errorf("ip link add: %w", err)
	}
	return err == nil, nil
}
