//go:build !race

package commands

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/netcfg"
)

// TestListsAllocate bounds the allocations for the lists of 100 devices.
func TestListsAllocate(t *testing.T) {
	owner := &users.ID{Number: 1000, Name: "kim"}
	var devices []*netcfg.Device
	for i := range 100 {
		a, err := netcfg.ParseAddress(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}).String() + "/32")
		if err != nil {
			t.Fatal(err)
		}
		devices = append(devices, &netcfg.Device{Name: fmt.Sprintf("tun%d", i), Index: i + 2, Kind: "tun",
			Mode: link.TUN, Persist: true, MTU: 1400, Up: true, Access: users.Access{User: owner},
			Addresses: []netcfg.Address{a}})
	}
	var out bytes.Buffer
	for _, c := range []struct {
		name string
		most float64
		list func() error
	}{
		{"list", 2664, func() error { return renderTable(&out, devices, columns(), screen{}) }},
		{"list --json", 904, func() error { return renderJSON(&out, devices) }},
		{"list --names", 102, func() error { return renderNames(&out, devices) }},
	} {
		nstest.Allocates(t, c.name, c.most, func() {
			out.Reset()
			if err := c.list(); err != nil || !bytes.Contains(out.Bytes(), []byte("tun99")) {
				t.Fatalf("%s: %v\n%s", c.name, err, &out)
			}
		})
	}
}
