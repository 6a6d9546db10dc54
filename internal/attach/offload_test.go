package attach

import (
	"testing"
	"unsafe"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/netcfg"
	"golang.org/x/sys/unix"
)

// TestAPlainProgramGetsPlainPackets attaches without headers after a program with offload.
func TestAPlainProgramGetsPlainPackets(t *testing.T) {
	ns := open(t)
	add(t, ns, netcfg.Spec{Name: "tun7", Mode: link.TUN, Link: netcfg.Link{Up: new(true)},
		Addresses: addresses(t, "10.0.7.1/24")})
	for _, a := range []Request{{Device: "tun7", VnetHdr: true, Offload: true}, {Device: "tun7"}} {
		one := attach(t, ns, a)
		if whole := segments(t, ns, "tun7"); whole != a.Offload {
			t.Errorf("%+v: segments come whole: %t", a, whole)
		}
		one.Queues[0].Close()
	}
}

// segments reports whether the device accepts large TCP segments, as ethtool -k prints it.
func segments(t *testing.T, ns *netcfg.Namespace, name string) bool {
	t.Helper()
	value := struct{ command, data uint32 }{command: unix.ETHTOOL_GTSO}
	if err := ethtoolValue(ns.Socket().FD(), name, &value); err != nil {
		t.Fatal(err)
	}
	return value.data != 0
}

func ethtoolValue(fd int, name string, value *struct{ command, data uint32 }) error {
	request := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}{data: unsafe.Pointer(value)}
	copy(request.name[:unix.IFNAMSIZ-1], name)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL,
		uintptr(unsafe.Pointer(&request))); errno != 0 {
		return errno
	}
	return nil
}
