package netcfg

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/driver"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/nstest"
)

// TestANewMACIsSetOnce counts the kernel's announcements: a new device with a MAC address has those of one setting more
// than a device without.
func TestANewMACIsSetOnce(t *testing.T) {
	ns := open(t)
	mac := link.MAC{2, 0, 0, 0, 0, 7}
	without := len(events(t, func() { add(t, ns, Spec{Name: "tap1", Mode: link.TAP, Link: Link{MTU: on(1400)}}) }))
	with := len(events(t,
		func() { add(t, ns, Spec{Name: "tap2", Mode: link.TAP, Link: Link{MTU: on(1400), MAC: mac}}) }))
	f, err := nstest.Attach("tap1", unix.IFF_TAP|unix.IFF_NO_PI|unix.IFF_NO_CARRIER)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	once := len(events(t, func() {
		if err := driver.SetMAC(int(f.Fd()), mac); err != nil {
			t.Fatal(err)
		}
	}))
	if once == 0 || with != without+once {
		t.Errorf("%d announcements with an address, %d without, %d of one setting", with, without, once)
	}
}
