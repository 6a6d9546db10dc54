package evidence

import (
	"fmt"
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
