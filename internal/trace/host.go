package trace

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/evidence"
)

// A host answers questions about the network namespace of the thread that opened it.
type host struct{ socket int }

func openHost() (host, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	return host{fd}, os.NewSyscallError("socket", err)
}

func (h host) close() { unix.Close(h.socket) }

// name returns the name of a device; "": there is none with that index.
func (h host) name(index int) string {
	ifr, err := unix.NewIfreq("")
	if err != nil || index == 0 {
		return ""
	}
	ifr.SetUint32(uint32(index))
	if unix.IoctlIfreq(h.socket, unix.SIOCGIFNAME, ifr) != nil {
		return ""
	}
	return ifr.Name()
}

// flags returns the IFF_ flags of a device; 0: there is none.
func (h host) flags(device string) uint16 {
	ifr, err := unix.NewIfreq(device)
	if err != nil || unix.IoctlIfreq(h.socket, unix.SIOCGIFFLAGS, ifr) != nil {
		return 0
	}
	return ifr.Uint16()
}

// down reports whether a device is down.
func (h host) down(device string) bool {
	flags := h.flags(device)
	return flags != 0 && flags&unix.IFF_UP == 0
}

// idle reports whether a device has no carrier, because no program is attached.
func (h host) idle(device string) bool {
	return h.flags(device)&(unix.IFF_UP|unix.IFF_RUNNING) == unix.IFF_UP
}

// sysctl returns a sysctl of a device, such as rp_filter; "": not known.
func (h host) sysctl(family, device, name string) string {
	value, _ := evidence.Sysctl(family + "/conf/" + device + "/" + name)
	return value
}
