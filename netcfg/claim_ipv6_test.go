package netcfg

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/nstest"
)

// TestAKilledChangeRestoresTheAddressMode kills a run while it prevents the link-local address of a device, as kernels
// without IFF_NO_CARRIER require.
func TestAKilledChangeRestoresTheAddressMode(t *testing.T) {
	ns := open(t)
	add(t, ns, Spec{Name: "tun7", Mode: link.TUN, Link: Link{Up: on(true)}})
	index, err := ns.index("tun7")
	if err != nil {
		t.Fatal(err)
	}
	await := func(wanted uint8) {
		t.Helper()
		for deadline := time.Now().Add(nstest.Patience(10 * time.Second)); ; time.Sleep(time.Millisecond) {
			mode, known, err := ns.AddressMode(index)
			if err != nil || !known {
				t.Fatal(known, err)
			}
			if mode == wanted {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("the mode is %d, want %d", mode, wanted)
			}
		}
	}
	before, _, err := ns.AddressMode(index)
	if err != nil || before == nl.IN6_ADDR_GEN_MODE_NONE {
		t.Fatal(before, err)
	}
	for _, signal := range []os.Signal{unix.SIGKILL, unix.SIGTERM} {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), role+"=changer")
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		await(nl.IN6_ADDR_GEN_MODE_NONE)
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		await(before)
	}
}

// changeForEver is the role of a run that is in the middle of a change.
func changeForEver() error {
	ns, err := Open("")
	if err != nil {
		return err
	}
	ns.features &^= noCarrier
	index, err := ns.index("tun7")
	if err != nil {
		return err
	}
	if _, err := ns.withoutLinkLocal(index); err != nil {
		return err
	}
	nstest.Rest()
	return nil
}
