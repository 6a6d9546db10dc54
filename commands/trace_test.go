package commands

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"time"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/nstest"
)

// traces reports whether the kernel gives reasons for dropped packets, and describes its types.
func traces() (bool, error) { return hasReason("NOT_SPECIFIED") }

// names reports whether the kernel has the names of reasons that Linux 6.14 introduced.
func names() (bool, error) { return hasReason("BRIDGE_INGRESS_STP_STATE") }

func hasReason(name string) (bool, error) {
	types, err := os.ReadFile("/sys/kernel/btf/vmlinux")
	if os.IsNotExist(err) {
		return false, nil
	}
	return strings.Contains(string(types), "SKB_DROP_REASON_"+name+"\x00"), err
}

// bpfDrop is the program "bpf-drop NAME generic|driver|ingress|egress|left": it has a BPF program drop all packets of a
// device there, prints "dropping", and stays until it is killed; "left" leaves a generic XDP program behind.
func bpfDrop(args []string) int {
	hook := map[string]struct{ program, attach, flags, verdict uint32 }{
		"generic": {unix.BPF_PROG_TYPE_XDP, unix.BPF_XDP, unix.XDP_FLAGS_SKB_MODE, 1},
		"left":    {unix.BPF_PROG_TYPE_XDP, unix.BPF_XDP, unix.XDP_FLAGS_SKB_MODE, 1},
		"driver":  {unix.BPF_PROG_TYPE_XDP, unix.BPF_XDP, unix.XDP_FLAGS_DRV_MODE, 1},
		"ingress": {unix.BPF_PROG_TYPE_SCHED_CLS, unix.BPF_TCX_INGRESS, 0, 2},
		"egress":  {unix.BPF_PROG_TYPE_SCHED_CLS, unix.BPF_TCX_EGRESS, 0, 2},
	}[args[1]]
	device, err := net.InterfaceByName(args[0])
	must(err)
	code := []uint64{uint64(hook.verdict)<<32 | 0xb7, 0x95} // mov r0, VERDICT; exit
	license := []byte("GPL\x00")
	load := struct {
		kind, count    uint32
		code, license  uintptr
		_              [4]uint32
		name           [24]byte
		index, expects uint32
	}{kind: hook.program, count: 2, code: uintptr(unsafe.Pointer(&code[0])),
		license: uintptr(unsafe.Pointer(&license[0])), expects: hook.attach}
	program, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_LOAD, uintptr(unsafe.Pointer(&load)),
		unsafe.Sizeof(load))
	runtime.KeepAlive(code)
	runtime.KeepAlive(license)
	if errno != 0 {
		must(errno)
	}
	if args[1] == "left" {
		l, err := netlink.LinkByName(args[0])
		must(err)
		must(netlink.LinkSetXdpFdWithFlags(l, int(program), unix.XDP_FLAGS_SKB_MODE))
		return 0
	}
	link := struct{ program, device, attach, flags uint32 }{
		uint32(program), uint32(device.Index), hook.attach, hook.flags}
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		_, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_LINK_CREATE, uintptr(unsafe.Pointer(&link)),
			unsafe.Sizeof(link))
		if errno == 0 {
			break
		}
		if errno != unix.EBUSY && errno != unix.EEXIST || time.Now().After(end) {
			must(errno)
		}
	} // a program that was killed is detached some time later
	fmt.Println("dropping")
	nstest.Rest()
	return 0
}
