package attach

import (
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/driver"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/netcfg"
	"golang.org/x/sys/unix"
)

// TestADeviceThatVanishesUnderAQueue deletes the device of a queue, when idle and while a read waits.
func TestADeviceThatVanishesUnderAQueue(t *testing.T) {
	ns := open(t)
	add(t, ns, netcfg.Spec{Name: "tap7", Mode: link.TAP})
	a := attach(t, ns, Request{Device: "tap7"})
	ip(t, "link del tap7")
	for at, call := range map[string]func(fd int) error{
		"read":    func(fd int) error { _, err := unix.Read(fd, make([]byte, 100)); return err },
		"write":   func(fd int) error { _, err := unix.Write(fd, make([]byte, 60)); return err },
		"carrier": driver.TurnOnCarrier,
		"persist": func(fd int) error { return unix.IoctlSetInt(fd, unix.TUNSETPERSIST, 1) },
		"owner":   func(fd int) error { return users.SetAccess(fd, *users.Root(), users.Access{}) },
		"mac":     func(fd int) error { return driver.SetMAC(fd, link.RandomMAC(2)) },
	} {
		err := QueueError(a.Name, call(int(a.Queues[0].Fd())))
		if want := cause.Vanished("tap7"); cause.Of(err) != want.Cause || err.Error() != want.Error() {
			t.Errorf("%s: got %v, want that it no longer exists", at, err)
		}
	}
	_, err := Prepare(ns, Request{Device: "tap7"})
	if cause.Of(err) != cause.NoDevice {
		t.Errorf("attach again: %v", err)
	}
}

// TestTracesOfARenamedDeviceArePutBack renames a device between the look at it and the attachment that restores it.
func TestTracesOfARenamedDeviceArePutBack(t *testing.T) {
	ns := open(t)
	ip(t, "tuntap add dev tun8 mode tun pi")
	devices, err := ns.Devices("tun8")
	if err != nil {
		t.Fatal(err)
	}
	before, err := traces(ns, devices[0])
	if err != nil {
		t.Fatal(err)
	}
	f, err := nstest.Attach("tun8", unix.IFF_TUN|unix.IFF_NO_PI|unix.IFF_NO_CARRIER)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if devices, err = ns.Devices("tun8"); err != nil {
		t.Fatal(err)
	}
	ip(t, "link set tun8 name away0")
	if err := putBackQueue(ns, devices[0], before); !cause.Gone(err) {
		t.Errorf("got %v, want that the name is gone", err)
	}
	if err := PutBack(ns, before); err != nil {
		t.Error(err)
	}
	if got := ip(t, "-d link show dev away0"); !strings.Contains(got, " pi on ") {
		t.Errorf("not restored: %s", got)
	}
	ip(t, "link del away0")
	if err := PutBack(ns, before); err != nil {
		t.Errorf("after a delete: %v", err)
	}
}
