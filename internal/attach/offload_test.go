package attach

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/tunadm/tunadm/internal/guard"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/nstest"
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
		if one.guard != nil { // as if somebody killed it
			if err := unix.Kill(guardian(t), unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			awaitNoGuardian(t)
		}
		one.Queues[0].Close()
	}
}

// TestTheGuardianEndsWithTheAttachment also checks that it restores the offload, before the rest is restored.
func TestTheGuardianEndsWithTheAttachment(t *testing.T) {
	ns := open(t)
	add(t, ns, netcfg.Spec{Name: "tun7", Mode: link.TUN, Link: netcfg.Link{Up: new(true)}})
	all := []*Attached{attach(t, ns, Request{Device: "tun7", VnetHdr: true, Offload: true})}
	if guardian(t) == 0 || !segments(t, ns, "tun7") {
		t.Fatalf("guardian %d, segments %t", guardian(t), segments(t, ns, "tun7"))
	}
	all[0].Queues[0].Close()
	if d, err := ns.Device(all[0].Index); err != nil || !d.InUse() {
		t.Errorf("free before the offload is restored: %v, %v", d, err)
	}
	if err := Close(all); err != nil {
		t.Error(err)
	}
	d, err := ns.Device(all[0].Index)
	if err != nil || d.InUse() || segments(t, ns, "tun7") || guardian(t) != 0 {
		t.Errorf("after Close: %v, %v, segments %t, guardian %d", d, err, segments(t, ns, "tun7"), guardian(t))
	}
	if err := Detach(ns, all); err != nil {
		t.Error(err)
	}
}

// TestWithoutAGuardianThereIsNoOffload hides the program, so that it cannot run again.
func TestWithoutAGuardianThereIsNoOffload(t *testing.T) {
	ns := open(t)
	add(t, ns, netcfg.Spec{Name: "tun7", Mode: link.TUN})
	all, err := Prepare(ns, Request{Device: "tun7", VnetHdr: true, Offload: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("none", "/proc", "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	err = Attach(ns, all, nil)
	if failed := unix.Unmount("/proc", 0); failed != nil {
		t.Fatal(failed)
	}
	if err != nil || segments(t, ns, "tun7") {
		t.Errorf("got %v, segments %t", err, segments(t, ns, "tun7"))
	}
	if err := Detach(ns, all); err != nil {
		t.Error(err)
	}
}

// guardian returns the PID of the guardian that this process has started, 0 if there is none.
func guardian(t *testing.T) (pid int) {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil || len(tasks) == 0 {
		t.Fatal("no threads: ", err)
	}
	for _, path := range tasks {
		text, _ := os.ReadFile(path) // the thread may have ended
		for child := range strings.FieldsSeq(string(text)) {
			if line, _ := os.ReadFile("/proc/" + child + "/cmdline"); strings.HasPrefix(string(line), guard.Name) {
				pid, _ = strconv.Atoi(child)
			}
		}
	}
	return pid
}

// awaitNoGuardian waits until the guardian has ended: a process that has ended has no command line.
func awaitNoGuardian(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(nstest.Patience(10 * time.Second)); guardian(t) != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the guardian does not end")
		}
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
