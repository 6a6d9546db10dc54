package evidence

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/internal/rtnl"
)

// TestAllAddressesAreThoseOfTheKernelsList reads them both ways: those of links that are down, without a carrier or
// without a prefix route; tentative ones; and one whose local route was removed, of the device asked for.
func TestAllAddressesAreThoseOfTheKernelsList(t *testing.T) {
	nstest.NeedDriver(t)
	nstest.NeedProgram(t, "ip")
	nstest.Enter(t)
	ip := func(command string) string { return nstest.Run(t, "ip", strings.Fields(command)...) }
	for _, command := range []string{
		"tuntap add down mode tun", "tuntap add idle mode tap", "tuntap add other mode tun",
		"link set idle up", "address add 10.1.0.1/24 dev down", "address add 10.1.0.2/24 dev down label down:1",
		"address add 10.2.0.1 peer 10.2.0.2/32 dev idle", "address add 10.3.0.1/24 dev idle noprefixroute",
		"address add fd00:1::1/64 dev down", "address add fd00:2::1/64 dev idle nodad",
		"address add 10.5.0.1/32 dev other", "route del local 10.5.0.1 dev other table local",
	} {
		ip(command)
	}
	compare(t, "few links", 7)
	for i := range 40 {
		ip(fmt.Sprintf("tuntap add many%d mode tun", i))
		ip(fmt.Sprintf("address add 10.9.%d.1/32 dev many%d", i, i))
		ip(fmt.Sprintf("address add fd00:9:%d::1/128 dev many%d", i, i))
	}
	compare(t, "many links", 7+2*40)
}

// TestSomeAddresses checks that addresses of very many links are not all read, but those of the link asked for.
func TestSomeAddresses(t *testing.T) {
	nstest.NeedDriver(t)
	nstest.NeedProgram(t, "ip")
	nstest.Enter(t)
	const many = 2000
	nstest.Run(t, "ip", "tuntap", "add", "first", "mode", "tun")
	nstest.Run(t, "ip", "tuntap", "add", "last", "mode", "tun")
	for _, command := range []string{"address add 10.1.0.1/24 dev last", "address add 10.1.0.2/32 dev last"} {
		nstest.Run(t, "ip", strings.Fields(command)...)
	}
	var batch strings.Builder
	for i := range many {
		fmt.Fprintf(&batch, "address add 10.9.%d.%d/32 dev first\n", i/256, i%256)
	}
	file := filepath.Join(t.TempDir(), "batch")
	if err := os.WriteFile(file, []byte(batch.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		nstest.Run(t, "ip", "tuntap", "add", fmt.Sprintf("many%d", i), "mode", "tun")
		nstest.Run(t, "ip", "address", "add", fmt.Sprintf("10.8.0.%d/32", i), "dev", fmt.Sprintf("many%d", i))
	}
	nstest.Run(t, "ip", "-batch", file)
	h, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	last, err := net.InterfaceByName("last")
	if err != nil {
		t.Fatal(err)
	}
	all := h.SomeAddresses(false, last.Index)
	if n := len(all); n < 256 || n >= many || all[0].Local.String() != "10.1.0.1" ||
		all[1].Local.String() != "10.1.0.2" || all[2].Local.String() != "10.9.0.0" {
		t.Errorf("%d addresses: %v", n, all[:min(n, 4)])
	}
}

// compare compares both ways of reading with each other, and their number with what was added.
func compare(t *testing.T, when string, count int) {
	t.Helper()
	h, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	asked, n := 0, 0
	for _, a := range h.Addresses(0, false) {
		if a.Local.String() == "10.5.0.1" {
			asked = a.Index
		}
	}
	for _, ipv6 := range []bool{false, true} {
		list, all := h.Addresses(0, ipv6), h.AllAddresses(ipv6, asked)
		if !slices.EqualFunc(list, all, func(a, b rtnl.Address) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
			t.Errorf("%s: the kernel lists %v, not %v", when, list, all)
		}
		n += len(all)
	}
	if n != count {
		t.Errorf("%s: %d addresses, not %d", when, n, count)
	}
}
