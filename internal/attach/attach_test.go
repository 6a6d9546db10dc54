package attach

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/driver"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/netcfg"
)

// TestAttach sends a packet through an attached queue, and attaches where that is impossible.
func TestAttach(t *testing.T) {
	ns := open(t)
	add(t, ns, netcfg.Spec{Name: "tun7", Mode: link.TUN, Link: netcfg.Link{Up: new(true)},
		Addresses: addresses(t, "10.0.0.1/24")})
	add(t, ns, netcfg.Spec{Name: "tap8", Mode: link.TAP, MultiQueue: new(true)})
	for _, c := range []struct {
		name  string
		a     Request
		cause cause.Cause
	}{
		{"none", Request{}, cause.NoDevice}, {"lo", Request{}, cause.OtherKind},
		{"tun7", Request{Queues: 2}, cause.WrongQueues},
	} {
		c.a.Device = c.name
		_, err := Prepare(ns, c.a)
		if cause.Of(err) != c.cause {
			t.Errorf("%s %+v: %v", c.name, c.a, err)
		}
	}
	one := attach(t, ns, Request{Device: "tun7", VnetHdr: true, Offload: true})
	if one.Mode != link.TUN || len(one.Queues) != 1 {
		t.Fatalf("%+v", one)
	}
	if _, err := Prepare(ns, Request{Device: "tun7"}); !errors.Is(err, unix.EBUSY) {
		t.Errorf("a second program: %v", err)
	}
	packet := make([]byte, 1<<16)
	n, err := one.Queues[0].Write(packet[:driver.HeaderUsual])
	if err == nil {
		t.Errorf("a header without a packet: %d", n)
	}
	used, err := ns.Devices("tun7")
	if err != nil || !used[0].InUse() {
		t.Fatalf("%+v, %v", used, err)
	}
	if err := Detach(ns, []*Attached{one}); err != nil {
		t.Error(err)
	}
	if err := attachable(ns, used[0], Request{Device: "tun7"}); err != nil || used[0].InUse() {
		t.Errorf("after its program has detached: %v, %d queues", err, used[0].Queues)
	}
	three := attach(t, ns, Request{Device: "tap8", Queues: 3})
	if now, err := ns.Devices("tap8"); err != nil || now[0].Queues != 3 {
		t.Errorf("%+v, %v", now, err)
	}
	if err := Detach(ns, []*Attached{three}); err != nil {
		t.Error(err)
	}
}

// attach attaches to one device and turns on its carrier.
func attach(t *testing.T, ns *netcfg.Namespace, a Request) *Attached {
	t.Helper()
	all, err := Prepare(ns, a)
	if err == nil {
		err = Attach(ns, all, nil)
	}
	if err == nil {
		err = Start(all)
	}
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

// TestAttachmentLeavesNothing compares a device before and after programs attach in different ways, to devices that
// earlier programs left in different states, and after attachments that fail halfway.
func TestAttachmentLeavesNothing(t *testing.T) {
	ns := open(t)
	for i, c := range []struct {
		mode   link.Mode
		before uint16 // IFF_ flags
		header int
		bits   int
	}{
		{link.TUN, unix.IFF_TUN | unix.IFF_NO_PI, 10, 0},
		{link.TUN, unix.IFF_TUN, 10, 0},
		{link.TUN, unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR, 12, driver.OffloadTCP},
		{link.TAP, unix.IFF_TAP | unix.IFF_VNET_HDR | unix.IFF_ONE_QUEUE, 20, unix.TUN_F_CSUM},
		{link.TAP, unix.IFF_TAP | unix.IFF_NAPI, 10, 0},
	} {
		name := "dev" + string(rune('a'+i))
		add(t, ns, netcfg.Spec{Name: name, Mode: c.mode, Link: netcfg.Link{Up: new(true)}})
		if c.bits != 0 || c.header != 10 || c.before&unix.IFF_NO_PI == 0 || c.mode == link.TAP {
			leave(t, name, c.before, c.header, c.bits)
		}
		before := state(t, ns, name)
		for _, a := range []Request{{}, {VnetHdr: true}, {VnetHdr: true, Offload: true}, {PI: true}} {
			a.Device = name
			one := attach(t, ns, a)
			if err := AwaitRunning(t.Context(), ns, one.Index); err != nil {
				t.Fatal(err)
			}
			if err := Detach(ns, []*Attached{one}); err != nil {
				t.Errorf("%s %+v: %v", name, a, err)
			}
			if after := state(t, ns, name); after != before {
				t.Errorf("%+v after %+v:\n%s\nbefore:\n%s", c, a, after, before)
			}
		}
		// The second device is taken between the check and the attachment.
		both := []Request{{Device: name, VnetHdr: true, Offload: true}, {Device: name + "2"}}
		if _, err := Prepare(ns, both...); err == nil {
			t.Fatal("a device that is not there")
		}
		add(t, ns, netcfg.Spec{Name: name + "2", Mode: link.TUN})
		all, err := Prepare(ns, both...)
		if err != nil {
			t.Fatal(err)
		}
		other := attach(t, ns, Request{Device: name + "2"})
		if err := Attach(ns, all, nil); !errors.Is(err, unix.EBUSY) {
			t.Errorf("%s: a device in use: %v", name, err)
		}
		if after := state(t, ns, name); after != before {
			t.Errorf("%+v after an attachment that failed:\n%s\nbefore:\n%s", c, after, before)
		}
		if err := Detach(ns, []*Attached{other}); err != nil {
			t.Error(err)
		}
	}
}

// leave attaches as a program does that leaves these settings behind.
func leave(t *testing.T, name string, flags uint16, header, bits int) {
	t.Helper()
	f, err := nstest.Attach(name, flags)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.TUNSETVNETHDRSZ, header); err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetInt(int(f.Fd()), unix.TUNSETOFFLOAD, bits); err != nil {
		t.Fatal(err)
	}
}

// state returns all that the witnesses print of a device, with the length of the header, which only an attached program
// can read. Before Linux 6.1, this attachment would configure IPv6 itself, so state leaves the header out.
func state(t *testing.T, ns *netcfg.Namespace, name string) string {
	t.Helper()
	nstest.Settle(t)
	tentative := func() string { return nstest.Run(t, "ip", "-6", "address", "show", "dev", name, "tentative") }
	deadline := time.Now().Add(nstest.Patience(10 * time.Second))
	for ; tentative() != ""; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("still tentative: ", tentative())
		}
	}
	text := nstest.Run(t, "cat", "/sys/class/net/"+name+"/tun_flags") + nstest.Run(t, "ip", "-d", "link", "show", "dev",
		name) + nstest.Run(t, "ip", "address", "show", "dev", name) +
		nstest.Run(t, "ip", "-6", "route", "show", "table", "all", "dev", name)
	if !attachesWithoutCarrier(t) {
		return text
	}
	d, err := ns.Devices(name)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := ns.Claim(d[0])
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	header, err := unix.IoctlGetInt(fd, unix.TUNGETVNETHDRSZ)
	if err != nil {
		t.Fatal(err)
	}
	bits, _ := driver.Offload(ns.Socket().FD(), name)
	return fmt.Sprintf("%sheader %d, offload %#x", text, header, bits)
}

// attachesWithoutCarrier reports whether the driver knows IFF_NO_CARRIER.
func attachesWithoutCarrier(t *testing.T) bool {
	t.Helper()
	fd, err := driver.Open(driver.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	known, err := driver.KnowsNoCarrier(fd)
	if err != nil {
		t.Fatal(err)
	}
	return known
}
