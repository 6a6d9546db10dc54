package netcfg

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"unsafe"

	"golang.org/x/sys/unix"
)

// TestRelay ends a relay in all ways, idle and under load, and looks what it leaves.
func TestRelay(t *testing.T) {
	for name, c := range map[string]struct {
		load    bool
		end     func(ns *Namespace, cancel func())
		deleted string // the device that its error names
	}{
		"stopped":              {end: func(_ *Namespace, cancel func()) { cancel() }},
		"stopped under load":   {load: true, end: func(_ *Namespace, cancel func()) { cancel() }},
		"deleted":              {end: func(ns *Namespace, _ func()) { remove(t, ns, "tun8") }, deleted: "tun8"},
		"deleted under load":   {load: true, end: func(ns *Namespace, _ func()) { remove(t, ns, "tun7") }, deleted: "tun7"},
		"target deleted, load": {load: true, end: func(ns *Namespace, _ func()) { remove(t, ns, "tun8") }, deleted: "tun8"},
	} {
		t.Run(name, func(t *testing.T) {
			relayOnce(t, c.load, c.end, c.deleted)
		})
	}
}

func remove(t *testing.T, ns *Namespace, name string) {
	t.Helper()
	runNow(t, ns, Change{Name: name, Expect: PresentOrNot, Force: true})
}

func runNow(t *testing.T, ns *Namespace, c Change) {
	t.Helper()
	if results, err := ns.Run(context.Background(), []Change{c}, Options{}); err != nil || results[0].Err != nil {
		t.Fatal(err, results)
	}
}

func relayOnce(t *testing.T, load bool, end func(ns *Namespace, cancel func()), deleted string) {
	ns := open(t)
	add(t, ns, Spec{Name: "tun7", Mode: TUN, Link: Link{Up: on(true)}, Addresses: addresses("10.0.7.1/24")})
	add(t, ns, Spec{Name: "tun8", Mode: TUN, Link: Link{Up: on(true)}})
	add(t, ns, Spec{Name: "tun9", Mode: TUN})
	if err := ns.Detach([]*Attached{attach(t, ns, Attachment{Device: "tun9"})}); err != nil {
		t.Fatal(err)
	}
	remove(t, ns, "tun9") // from then on k keeps what it needs for that
	before, goroutines := descriptors(t), runtime.NumGoroutine()
	var carried atomic.Int64
	r := &Relay{Names: [2]string{"tun7", "tun8"}, Each: func(int, int) error { carried.Add(1); return nil }}
	for i, name := range r.Names {
		r.Queues[i] = attach(t, ns, Attachment{Device: name, VnetHdr: true, Offload: true}).Queues[0]
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	sender, err := net.Dial("udp", "10.0.7.2:9")
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); carried.Load() == 0; {
		if _, err := sender.Write([]byte("x")); err != nil || time.Now().After(deadline) {
			t.Fatal("nothing is carried: ", err)
		}
	}
	var quiet atomic.Bool
	flooded := make(chan bool)
	go func() {
		for load && !quiet.Load() {
			_, _ = sender.Write(make([]byte, 1000))
		}
		close(flooded)
	}()
	for loaded, deadline := carried.Load()+100, time.Now().Add(10*time.Second); load && carried.Load() < loaded; {
		if time.Now().After(deadline) {
			t.Fatal("the load is not carried")
		}
	}
	end(ns, cancel)
	select {
	case err = <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("it does not end")
	}
	quiet.Store(true)
	<-flooded
	if e := new(Error); deleted == "" && err != nil || deleted != "" && (!errors.As(err, &e) || e.Device != deleted || e.Cause != NoDevice) {
		t.Errorf("ends with %v", err)
	}
	sender.Close()
	for deadline := time.Now().Add(10 * time.Second); descriptors(t) > before || runtime.NumGoroutine() > goroutines; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d descriptors, %d before; %d goroutines, %d before", descriptors(t), before, runtime.NumGoroutine(), goroutines)
		}
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// TestAPlainProgramGetsPlainPackets attaches without headers after a program with offload.
func TestAPlainProgramGetsPlainPackets(t *testing.T) {
	ns := open(t)
	add(t, ns, Spec{Name: "tun7", Mode: TUN, Link: Link{Up: on(true)}, Addresses: addresses("10.0.7.1/24")})
	for _, a := range []Attachment{{Device: "tun7", VnetHdr: true, Offload: true}, {Device: "tun7"}} {
		one := attach(t, ns, a)
		if whole := segments(t, ns, "tun7"); whole != a.Offload {
			t.Errorf("%+v: segments come whole: %t", a, whole)
		}
		one.Queues[0].Close()
	}
}

// segments asks the device whether it takes segments of TCP whole, as ethtool -k does.
func segments(t *testing.T, ns *Namespace, name string) bool {
	t.Helper()
	value := struct{ command, data uint32 }{command: unix.ETHTOOL_GTSO}
	if err := ethtool(ns.socket.fd, name, &value); err != nil {
		t.Fatal(err)
	}
	return value.data != 0
}

func ethtool(fd int, name string, value *struct{ command, data uint32 }) error {
	request := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}{data: unsafe.Pointer(value)}
	copy(request.name[:unix.IFNAMSIZ-1], name)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return errno
	}
	return nil
}
