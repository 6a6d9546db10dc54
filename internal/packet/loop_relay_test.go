package packet

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tunadm/tunadm/internal/attach"
	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/netcfg"
)

// TestRelay ends a relay in every way, idle and under load, and checks that it leaves no descriptors and goroutines.
func TestRelay(t *testing.T) {
	remove := func(name string) func(func()) {
		return func(func()) { nstest.Run(t, "ip", "link", "del", name) }
	}
	stop := func(cancel func()) { cancel() }
	for _, c := range []struct {
		name    string
		load    bool
		end     func(cancel func())
		deleted string // the device that the error names
	}{
		{name: "stopped", end: stop},
		{name: "stopped under load", load: true, end: stop},
		{name: "deleted", end: remove("tun61"), deleted: "tun61"},
		{name: "deleted under load", load: true, end: remove("tun60"), deleted: "tun60"},
		{name: "target deleted, load", load: true, end: remove("tun61"), deleted: "tun61"},
	} {
		t.Run(c.name, func(t *testing.T) {
			relayOnce(t, c.load, c.end, c.deleted)
		})
	}
}

// relayDevices makes the two devices, and attaches to them.
func relayDevices(t *testing.T, ns *netcfg.Namespace) *Relay {
	t.Helper()
	r := &Relay{Names: [2]string{"tun60", "tun61"}}
	for i, name := range r.Names {
		nstest.NeedDriver(t)
		nstest.Run(t, "ip", "tuntap", "add", name, "mode", "tun")
		t.Cleanup(func() { _ = exec.Command("ip", "link", "del", name).Run() })
		nstest.Run(t, "ip", "link", "set", name, "up")
		all, err := attach.Prepare(ns, attach.Request{Device: name, VnetHdr: true, Offload: true})
		if err == nil {
			err = attach.Attach(ns, all, nil)
		}
		if err == nil {
			err = attach.Start(all)
		}
		if err != nil {
			t.Fatal(err)
		}
		r.Queues[i] = all[0].Queues[0]
	}
	nstest.Run(t, "ip", "address", "add", "10.60.7.1/24", "dev", r.Names[0])
	return r
}

// TestRelayReportsADeletedDevice stops a relay whose device was deleted.
func TestRelayReportsADeletedDevice(t *testing.T) {
	ns, err := netcfg.Open("")
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	r := relayDevices(t, ns)
	nstest.Run(t, "ip", "link", "del", r.Names[1])
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if e := new(cause.Error); !errors.As(r.Run(ctx), &e) || e.Device != r.Names[1] || e.Cause != cause.NoDevice {
		t.Errorf("ends with %v", e)
	}
}

func relayOnce(t *testing.T, load bool, end func(cancel func()), deleted string) {
	ns, err := netcfg.Open("")
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	r := relayDevices(t, ns)
	before, goroutines := descriptors(t)-len(r.Queues), runtime.NumGoroutine()
	var carried atomic.Int64
	r.Each = func(int, int) error { carried.Add(1); return nil }
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	sender := dial(t, "udp", "10.60.7.2:9")
	for deadline := time.Now().Add(patience); carried.Load() == 0; {
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
	for loaded, deadline := carried.Load()+100, time.Now().Add(patience); load && carried.Load() < loaded; {
		if time.Now().After(deadline) {
			t.Fatal("the load is not carried")
		}
	}
	end(cancel)
	select {
	case err = <-ended:
	case <-time.After(patience):
		t.Fatal("the relay does not end")
	}
	quiet.Store(true)
	<-flooded
	wrong := err != nil
	if e := new(cause.Error); deleted != "" {
		wrong = !errors.As(err, &e) || e.Device != deleted || e.Cause != cause.NoDevice
	}
	if wrong {
		t.Errorf("ends with %v", err)
	}
	sender.Close()
	left := func() bool { return descriptors(t) > before || runtime.NumGoroutine() > goroutines }
	for deadline := time.Now().Add(patience); left(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d descriptors, %d before; %d goroutines, %d before", descriptors(t), before,
				runtime.NumGoroutine(), goroutines)
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
