package state

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/netcfg"
)

// recall is the memory of one operand, with some devices in it.
func recall(t *testing.T, devices map[int]string) *Memory {
	t.Helper()
	if err := os.MkdirAll(Directory, 0o700); err != nil {
		t.Fatal(err)
	}
	m := again(t)
	for index, name := range devices {
		if err := m.Remember([]netcfg.Step{{Kind: netcfg.StepCreate, Device: name, Index: index}}); err != nil {
			t.Fatal(err)
		}
	}
	return again(t)
}

// again reads what was written.
func again(t *testing.T) *Memory {
	t.Helper()
	m, warning, err := Recall([]string{"/a.toml"}, "here")
	if err != nil || warning != "" {
		t.Fatal(warning, err)
	}
	return m
}

// TestSettle keeps what a run made and what it found, whatever became of the change.
func TestSettle(t *testing.T) {
	for _, c := range []struct {
		name   string
		result netcfg.Result
		want   map[int]string
	}{
		{"made", netcfg.Result{Name: "tun1", Index: 7, Created: true, Made: true}, map[int]string{5: "tun5", 7: "tun1"}},
		{"made, failed, and not removed", netcfg.Result{Name: "tun1", Index: 7, Made: true}, map[int]string{5: "tun5", 7: "tun1"}},
		{"made and removed", netcfg.Result{Name: "tun1"}, map[int]string{5: "tun5"}},
		{"somebody else's, made anew", netcfg.Result{Name: "tun1", Before: 6, Index: 7, Remade: true}, map[int]string{5: "tun5"}},
		{"ours, made anew", netcfg.Result{Name: "tun5", Before: 5, Index: 7, Remade: true}, map[int]string{7: "tun5"}},
		{"ours, gone", netcfg.Result{Name: "tun5", Before: 5}, map[int]string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			nstest.Enter(t)
			m := recall(t, map[int]string{5: "tun5"})
			if err := m.Settle([]netcfg.Change{{Name: c.result.Name}}, []netcfg.Result{c.result}); err != nil {
				t.Fatal(err)
			}
			got := again(t).Devices()
			if len(got) != len(c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			for index, name := range c.want {
				if got[index] != name {
					t.Errorf("got %v, want %v", got, c.want)
				}
			}
		})
	}
}

// TestReservedRoomHoldsOnAFullFileSystem fills it behind the reservation.
func TestReservedRoomHoldsOnAFullFileSystem(t *testing.T) {
	nstest.Enter(t)
	recall(t, nil)
	if err := syscall.Mount("none", Directory, "tmpfs", 0, "size=64k,mode=700"); err != nil {
		t.Skip("no tmpfs of a size of its own: ", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(Directory, syscall.MNT_DETACH) })
	fill := func(path string) {
		if err := os.WriteFile(filepath.Join(Directory, path), make([]byte, 1<<20), 0o600); err == nil {
			t.Fatal("it is not full")
		}
	}
	made := []netcfg.Step{{Kind: netcfg.StepCreate, Device: strings.Repeat("n", netcfg.NameMax), Index: 1 << 30}}
	fill("before")
	m := again(t)
	if err := m.Reserve(made); err == nil {
		t.Error("reserved room on a full file system")
	}
	if err := os.Remove(filepath.Join(Directory, "before")); err != nil {
		t.Fatal(err)
	}
	m = again(t)
	if err := m.Reserve(made); err != nil {
		t.Fatal(err)
	}
	fill("behind")
	if err := m.Remember(made); err != nil {
		t.Error(err)
	}
	if got := again(t).Devices(); got[1<<30] != made[0].Device {
		t.Errorf("got %v", got)
	}
	results := []netcfg.Result{{Name: made[0].Device, Index: 1 << 30, Made: true}}
	if err := m.Settle([]netcfg.Change{{Name: made[0].Device}}, results); err != nil {
		t.Error(err)
	}
	if got := again(t).Devices(); got[1<<30] != made[0].Device {
		t.Errorf("got %v", got)
	}
}
