package state

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/netcfg"
)

// newDirectory returns a new directory of records, without records.
func newDirectory(t *testing.T) Directory {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tunadm")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	return Directory(path)
}

// recall returns the memory of one operand, with some devices in it.
func recall(t *testing.T, dir Directory, devices map[int]string) *Memory {
	t.Helper()
	m := again(t, dir)
	for index, name := range devices {
		if err := m.Remember([]netcfg.Step{{Kind: netcfg.StepCreate, Device: name, Index: index}}); err != nil {
			t.Fatal(err)
		}
	}
	return again(t, dir)
}

// again reads what was written.
func again(t *testing.T, dir Directory) *Memory {
	t.Helper()
	m, warning, err := dir.Recall([]string{"/a.toml"}, "here")
	if err != nil || warning != "" {
		t.Fatal(warning, err)
	}
	return m
}

// TestSettle remembers the devices that exist after a run, for each outcome of a change.
func TestSettle(t *testing.T) {
	for _, c := range []struct {
		name   string
		result netcfg.Result
		want   map[int]string
	}{
		{"made", netcfg.Result{Name: "tun1", Index: 7, Created: true, Made: true},
			map[int]string{5: "tun5", 7: "tun1"}},
		{"made, failed, and not removed", netcfg.Result{Name: "tun1", Index: 7, Made: true},
			map[int]string{5: "tun5", 7: "tun1"}},
		{"made and removed", netcfg.Result{Name: "tun1"}, map[int]string{5: "tun5"}},
		{"of others, re-created", netcfg.Result{Name: "tun1", Before: 6, Index: 7, Remade: true},
			map[int]string{5: "tun5"}},
		{"ours, re-created", netcfg.Result{Name: "tun5", Before: 5, Index: 7, Remade: true}, map[int]string{7: "tun5"}},
		{"ours, gone", netcfg.Result{Name: "tun5", Before: 5}, map[int]string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := newDirectory(t)
			m := recall(t, dir, map[int]string{5: "tun5"})
			if err := m.Settle([]netcfg.Change{{Name: c.result.Name}}, []netcfg.Result{c.result}); err != nil {
				t.Fatal(err)
			}
			got := again(t, dir).Devices()
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

// TestSettleWritesChangesOnly leaves the file of a run that changed nothing in place, and replaces it after others.
func TestSettleWritesChangesOnly(t *testing.T) {
	reserve := func(m *Memory) error { return m.Reserve(nil) }
	for _, c := range []struct {
		name   string
		before func(*Memory) error
		result netcfg.Result
		same   bool
	}{
		{"unchanged", nil, netcfg.Result{Name: "tun5", Before: 5, Index: 5}, true},
		{"renamed", nil, netcfg.Result{Name: "tun6", Before: 5, Index: 5}, false},
		{"re-created", nil, netcfg.Result{Name: "tun5", Before: 5, Index: 7}, false},
		{"unchanged, with reserved space", reserve, netcfg.Result{Name: "tun5", Before: 5, Index: 5}, false},
	} {
		m := recall(t, newDirectory(t), map[int]string{5: "tun5"})
		if c.before != nil {
			if err := c.before(m); err != nil {
				t.Fatal(err)
			}
		}
		old, err := os.Open(m.file())
		if err != nil {
			t.Fatal(err)
		}
		defer old.Close() // its inode is not used again
		was, err := old.Stat()
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Settle([]netcfg.Change{{Name: "tun5"}}, []netcfg.Result{c.result}); err != nil {
			t.Fatal(err)
		}
		is, err := os.Stat(m.file())
		if err != nil || os.SameFile(was, is) != c.same {
			t.Errorf("%s: the file is the same: %v, want %v (%v)", c.name, !c.same, c.same, err)
		}
	}
}

// TestNamesAreBytes remembers devices and operands that are not UTF-8 unchanged.
func TestNamesAreBytes(t *testing.T) {
	dir := newDirectory(t)
	lock, err := dir.Lock(context.Background(), func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	operands := []string{"/tmp/\xff\\x.toml"}
	m, _, err := dir.Recall(operands, "here")
	if err != nil {
		t.Fatal(err)
	}
	steps := []netcfg.Step{{Device: "t\xff", Index: 5}, {Device: "t\xfe", Index: 6}, {Device: `t\xfe`, Index: 7}}
	if err := m.Remember(steps); err != nil {
		t.Fatal(err)
	}
	again, warning, err := dir.Recall(operands, "here")
	if err != nil || warning != "" {
		t.Fatal(warning, err)
	}
	for _, s := range steps {
		if got := again.Devices()[s.Index]; got != s.Device {
			t.Errorf("%q is remembered as %q", s.Device, got)
		}
	}
}

// TestImpossibleRecords ignores devices that cannot exist, and remembers the others.
func TestImpossibleRecords(t *testing.T) {
	dir := newDirectory(t)
	lock, err := dir.Lock(context.Background(), func() {})
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := dir.Recall([]string{"/a"}, "here")
	if err != nil {
		t.Fatal(err)
	}
	steps := []netcfg.Step{{Device: "tun1", Index: 5}, {Device: "tun2", Index: 6}, {Device: "tun3", Index: 7},
		{Device: "tun4", Index: 8}}
	if err := m.Remember(steps); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(m.file())
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.NewReplacer(
		`"index":5`, `"index":-1`, `"tun2"`, `"a/b"`, `"index":8`, `"index":2147483648`).Replace(string(text)))
	for _, path := range []string{m.file(), m.file() + ".new"} { // and what a killed run left
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lock.Close()
	if lock, err = dir.Lock(context.Background(), func() {}); err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if _, err := os.Stat(m.file() + ".new"); err == nil {
		t.Error("an unfinished record is still there")
	}
	again, warning, err := dir.Recall([]string{"/a"}, "here")
	if err != nil || len(again.Devices()) != 1 || again.Devices()[7] != "tun3" {
		t.Error(again.Devices(), err)
	}
	if !strings.Contains(warning, "cannot exist") {
		t.Errorf("warning: %q", warning)
	}
}

// TestForeignRecords: a record of another boot, namespace or other operands counts as missing, one of another format as
// damaged.
func TestForeignRecords(t *testing.T) {
	for key, value := range map[string]string{
		"boot": `"other"`, "namespace": `"other"`, "version": "99", "operands": `["/b.toml"]`,
	} {
		dir := newDirectory(t)
		m := recall(t, dir, map[int]string{5: "tun5"})
		text, err := os.ReadFile(m.file())
		if err != nil {
			t.Fatal(err)
		}
		var r map[string]json.RawMessage
		if err := json.Unmarshal(text, &r); err != nil {
			t.Fatal(err)
		}
		if len(m.Devices()) != 1 || r[key] == nil {
			t.Fatalf("%s: got %v from %s", key, m.Devices(), text)
		}
		r[key] = json.RawMessage(value)
		if text, err = json.Marshal(r); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(m.file(), text, 0o600); err != nil {
			t.Fatal(err)
		}
		got, warning, err := dir.Recall([]string{"/a.toml"}, "here")
		if err != nil || len(got.Devices()) != 0 || strings.Contains(warning, "format 99") != (key == "version") {
			t.Errorf("%s: got %v, %q, %v", key, got, warning, err)
		}
	}
}

// TestDamagedRecords warns and continues.
func TestDamagedRecords(t *testing.T) {
	dir := newDirectory(t)
	m := recall(t, dir, map[int]string{5: "tun5"})
	if err := os.WriteFile(m.file(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	m, warning, err := dir.Recall([]string{"/a.toml"}, "here")
	if err != nil || !strings.Contains(warning, "damaged") || len(m.Devices()) != 0 {
		t.Errorf("got %v, %q, %v", m.Devices(), warning, err)
	}
}

// TestRefusedRenames leaves no unfinished file if the record cannot be replaced.
func TestRefusedRenames(t *testing.T) {
	dir := newDirectory(t)
	lock, err := dir.Lock(context.Background(), func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	m, _, err := dir.Recall([]string{"/a"}, "here")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(m.file(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := m.Remember([]netcfg.Step{{Device: "tun1", Index: 5}}); err == nil {
		t.Error("a directory was replaced")
	}
	if files, err := filepath.Glob(string(dir) + "/*.new"); err != nil || len(files) != 0 {
		t.Errorf("left: %q, %v", files, err)
	}
}

// TestReservedRoomHoldsOnAFullFileSystem fills the file system after the reservation.
func TestReservedRoomHoldsOnAFullFileSystem(t *testing.T) {
	nstest.Enter(t)
	dir := newDirectory(t)
	mountpoint := string(dir)
	if err := syscall.Mount("none", mountpoint, "tmpfs", 0, "size=64k,mode=700"); err != nil {
		t.Skip("no tmpfs with a size limit: ", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(mountpoint, syscall.MNT_DETACH) })
	fill := func(path string) {
		if err := os.WriteFile(filepath.Join(mountpoint, path), make([]byte, 1<<20), 0o600); err == nil {
			t.Fatal("it is not full")
		}
	}
	made := []netcfg.Step{{Kind: netcfg.StepCreate, Device: strings.Repeat("n", link.NameMax), Index: 1 << 30}}
	fill("before")
	m := again(t, dir)
	if err := m.Reserve(made); err == nil {
		t.Error("reserved room on a full file system")
	}
	if err := os.Remove(filepath.Join(mountpoint, "before")); err != nil {
		t.Fatal(err)
	}
	m = again(t, dir)
	if err := m.Reserve(made); err != nil {
		t.Fatal(err)
	}
	fill("behind")
	if err := m.Remember(made); err != nil {
		t.Error(err)
	}
	if got := again(t, dir).Devices(); got[1<<30] != made[0].Device {
		t.Errorf("got %v", got)
	}
	results := []netcfg.Result{{Name: made[0].Device, Index: 1 << 30, Made: true}}
	if err := m.Settle([]netcfg.Change{{Name: made[0].Device}}, results); err != nil {
		t.Error(err)
	}
	if got := again(t, dir).Devices(); got[1<<30] != made[0].Device {
		t.Errorf("got %v", got)
	}
}

// TestUnknownBoot reads a record while the kernel does not give the boot ID, so that nobody knows whether the record is
// of this run of the machine.
func TestUnknownBoot(t *testing.T) {
	nstest.Enter(t)
	d := Directory(t.TempDir())
	if err := unix.Mount("/proc/self/mem", "/proc/sys/kernel/random/boot_id", "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err) // a read of its beginning fails with EIO
	}
	if _, _, err := d.Recall(nil, "net"); err == nil || cause.Of(err) != cause.Unknown || !errors.Is(err, unix.EIO) {
		t.Errorf("got %v, want an input/output error, whose cause is not known", err)
	}
}
